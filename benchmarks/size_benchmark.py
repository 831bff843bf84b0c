"""Measures one directory size: import a bundle twice, start the service, time list requests and all other routes."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks.bundle_generator import write_bundle
from benchmarks.commands import IDLE_SECONDS, BenchmarkDatabase, BenchmarkError, ImportFigures, serving
from benchmarks.list_requests import LIST_REQUESTS, BenchmarkUser, admin, typical_user
from benchmarks.list_timings import Api, ListBenchmark, Result
from benchmarks.route_timings import RouteFigures, run_routes
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
    callers: tuple[BenchmarkUser, ...]
    results: tuple[Result, ...]
    routes: tuple[RouteFigures, ...]


@contextmanager
def embedded_mongodb() -> Iterator[tuple[EmbeddedMongo, Path]]:
    """Run MongoDB on a temporary directory while the block runs."""
    with tempfile.TemporaryDirectory(prefix="modeldeck-bench-") as root:
        mongo = EmbeddedMongo(Path(root) / "data")
        with mongo.lease():
            yield mongo, Path(root)


def run_size(mongo: EmbeddedMongo, directory: Path, size: int, repetitions: int, warm_up: int) -> SizeFigures:
    """Import a bundle of `size` models into a new database, and measure the service on it."""
    name = f"bench_{size}"
    target = BenchmarkDatabase(mongo.uri(name), name, directory)
    bundle = directory / f"{name}.jsonl"
    log_progress(f"{size:,} models: writing the bundle")
    write_bundle(bundle, size)
    log_progress(f"{size:,} models: importing")
    first = target.import_bundle(bundle)
    log_progress(f"{size:,} models: importing again")
    second = target.import_bundle(bundle)
    if second.changes:
        raise BenchmarkError(f"the second import of the same bundle made {second.changes} changes")
    bundle_mb = bundle.stat().st_size / 1e6
    bundle.unlink()
    with MongoClient[dict[str, Any]](target.uri, tz_aware=True) as client:
        database = client[name]
        # Otherwise, data of the import would be written to disk during the measurement.
        client.admin.command("fsync")
        storage = database.command("collStats", "models", scale=1_000_000)
        users = (typical_user(database), admin(database))
        keys = [target.create_key(user.caller.user_id) for user in users]
        with serving(target) as service:
            time.sleep(IDLE_SECONDS)
            idle_mb = service.resident_mb()
            benchmark = ListBenchmark(database, repetitions, warm_up)
            results = []
            for user, key in zip(users, keys, strict=True):
                with closing(Api(service.port, key)) as api:
                    for request in LIST_REQUESTS:
                        log_progress(f"{size:,} models: {user.label}, {request.name}")
                        results.append(benchmark.run(request, user, api))
            after_mb = service.resident_mb()
    log_progress(f"{size:,} models: every kind of route")
    routes = run_routes(target, keys[-1], repetitions)
    return SizeFigures(
        size=size,
        bundle_mb=bundle_mb,
        first_import=first,
        second_import=second,
        idle_mb=idle_mb,
        after_mb=after_mb,
        data_mb=float(storage["size"]),
        index_mb=float(storage["totalIndexSize"]),
        callers=users,
        results=tuple(results),
        routes=tuple(routes),
    )


def log_progress(text: str) -> None:
    """Write a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)
