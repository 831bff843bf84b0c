"""One size from the bundle to the figures: import twice, serve, measure every case."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.callers import Asking, admin, plain_user
from benchmarks.cases import CASES
from benchmarks.generate import write_bundle
from benchmarks.load import IDLE_SECONDS, BenchmarkError, ImportFigures, Place, serving
from benchmarks.measure import Api, Bench, Result
from benchmarks.routes import RouteFigures, run_routes
from service.embedded_mongo.server import EmbeddedMongo


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """All figures of one size; memory in MB."""

    size: int
    bundle_mb: float
    first_import: ImportFigures
    second_import: ImportFigures
    idle_mb: float
    after_mb: float
    data_mb: float
    index_mb: float
    callers: tuple[Asking, ...]
    results: tuple[Result, ...]
    routes: tuple[RouteFigures, ...]


@contextmanager
def embedded_mongodb() -> Iterator[tuple[EmbeddedMongo, Path]]:
    """Run a MongoDB on an empty temporary directory, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="modeldeck-bench-") as root:
        mongo = EmbeddedMongo(Path(root) / "data")
        with mongo.lease():
            yield mongo, Path(root)


def run_size(mongo: EmbeddedMongo, directory: Path, size: int, repetitions: int, warm_up: int) -> SizeFigures:
    """Load a directory of `size` models into a database of its own and measure the list on it."""
    name = f"bench_{size}"
    place = Place(mongo.uri(name), name, directory)
    bundle = directory / f"{name}.jsonl"
    tell(f"{size:,} models: writing the bundle")
    write_bundle(bundle, size)
    tell(f"{size:,} models: importing")
    first = place.import_bundle(bundle)
    tell(f"{size:,} models: importing again")
    second = place.import_bundle(bundle)
    if second.changes:
        raise BenchmarkError(f"the second import of the same bundle made {second.changes} changes")
    bundle_mb = bundle.stat().st_size / 1e6
    bundle.unlink()
    with MongoClient[dict[str, Any]](place.uri, tz_aware=True) as client:
        database = client[name]
        # What the import left to be written to disk would otherwise be written during the measurement.
        client.admin.command("fsync")
        storage = database.command("collStats", "models", scale=1_000_000)
        callers = (plain_user(database), admin(database))
        keys = [place.create_key(asking.caller.user_id) for asking in callers]
        with serving(place) as service:
            time.sleep(IDLE_SECONDS)
            idle_mb = service.resident_mb()
            bench = Bench(database, repetitions, warm_up)
            results = []
            for asking, key in zip(callers, keys, strict=True):
                with closing(Api(service.port, key)) as api:
                    for case in CASES:
                        tell(f"{size:,} models: {asking.label}, {case.name}")
                        results.append(bench.run(case, asking, api))
            after_mb = service.resident_mb()
    tell(f"{size:,} models: every kind of route")
    routes = run_routes(place, keys[-1], repetitions)
    return SizeFigures(
        size=size,
        bundle_mb=bundle_mb,
        first_import=first,
        second_import=second,
        idle_mb=idle_mb,
        after_mb=after_mb,
        data_mb=float(storage["size"]),
        index_mb=float(storage["totalIndexSize"]),
        callers=callers,
        results=tuple(results),
        routes=tuple(routes),
    )


def tell(progress: str) -> None:
    """Write a line of progress to standard error."""
    print(progress, file=sys.stderr, flush=True)
