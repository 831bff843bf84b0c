"""Measures one directory size: import a bundle twice, start the service, time lists, all other routes, and load."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.api_client import ApiClient
from benchmarks.bundle_generator import write_bundle
from benchmarks.callers import BenchmarkUser, admin, typical_user
from benchmarks.commands import BenchmarkDatabase, BenchmarkError, ImportFigures
from benchmarks.insert_floor import insert_cpu_ms
from benchmarks.list_requests import LIST_REQUESTS
from benchmarks.list_timings import ListBenchmark, Result
from benchmarks.route_timings import RouteFigures, run_routes
from benchmarks.servers import serving
from benchmarks.throughput import Throughput, measure_throughput
from service.embedded_mongo.server import EmbeddedMongo


@dataclass(frozen=True, slots=True)
class Effort:
    """How often list requests are repeated, and how long each load lasts."""

    repetitions: int
    warm_up: int
    load_seconds: float


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """All figures of one size; memory in MB. `insert_cpu_ms` is the floor of the import, for one record."""

    size: int
    seconds: float
    bundle_mb: float
    first_import: ImportFigures
    second_import: ImportFigures
    insert_cpu_ms: float
    idle_mb: float
    after_mb: float
    data_mb: float
    index_mb: float
    callers: tuple[BenchmarkUser, ...]
    results: tuple[Result, ...]
    routes: tuple[RouteFigures, ...]
    throughput: Throughput

    @property
    def import_ratio(self) -> float:
        """How many times the processor time of inserting finished records an import takes."""
        return self.first_import.cpu_ms_a_change / self.insert_cpu_ms


@dataclass(frozen=True, slots=True)
class _Lists:
    idle_mb: float
    after_mb: float
    results: tuple[Result, ...]


@contextmanager
def embedded_mongodb() -> Iterator[tuple[EmbeddedMongo, Path]]:
    """Run MongoDB on a temporary directory while the block runs."""
    with tempfile.TemporaryDirectory(prefix="modeldeck-bench-") as root:
        mongo = EmbeddedMongo(Path(root) / "data")
        with mongo.lease():
            yield mongo, Path(root)


def run_size(mongo: EmbeddedMongo, directory: Path, size: int, effort: Effort) -> SizeFigures:
    """Import a bundle of `size` models into a new database, and measure the service on it."""
    started = time.monotonic()
    name = f"bench_{size}"
    target = BenchmarkDatabase(mongo.uri(name), name, directory)
    bundle = directory / f"{name}.jsonl"
    log_progress(f"{size:,} models: writing the bundle")
    write_bundle(bundle, size)
    bundle_mb = bundle.stat().st_size / 1e6
    first, second = _imported_twice(target, bundle, size)
    with MongoClient[dict[str, Any]](target.uri, tz_aware=True) as client:
        database = client[name]
        floor = insert_cpu_ms(database, target.uri)
        # Otherwise, data of the import would be written to disk during the measurement.
        client.admin.command("fsync")
        storage = database.command("collStats", "models", scale=1_000_000)
        users = (typical_user(database), admin(database))
        keys = [target.create_key(user.caller.user_id) for user in users]
        lists = _lists(target, database, users, keys, effort)
    log_progress(f"{size:,} models: requests a second")
    throughput = measure_throughput(target, keys[0], effort.load_seconds)
    log_progress(f"{size:,} models: every kind of route")
    routes = run_routes(target, keys[-1], effort.repetitions)
    return SizeFigures(
        size=size,
        seconds=time.monotonic() - started,
        bundle_mb=bundle_mb,
        first_import=first,
        second_import=second,
        insert_cpu_ms=floor,
        idle_mb=lists.idle_mb,
        after_mb=lists.after_mb,
        data_mb=float(storage["size"]),
        index_mb=float(storage["totalIndexSize"]),
        callers=users,
        results=lists.results,
        routes=tuple(routes),
        throughput=throughput,
    )


def _imported_twice(target: BenchmarkDatabase, bundle: Path, size: int) -> tuple[ImportFigures, ImportFigures]:
    log_progress(f"{size:,} models: importing")
    first = target.import_bundle(bundle, size)
    log_progress(f"{size:,} models: importing again")
    second = target.import_bundle(bundle, size)
    if second.changes:
        raise BenchmarkError(f"the second import of the same bundle made {second.changes} changes")
    bundle.unlink()
    return first, second


def _lists(
    target: BenchmarkDatabase,
    database: Database[dict[str, Any]],
    users: Sequence[BenchmarkUser],
    keys: Sequence[str],
    effort: Effort,
) -> _Lists:
    results = []
    benchmark = ListBenchmark(database, effort.repetitions, effort.warm_up)
    with serving(target) as service:
        idle_mb = service.resident_mb()
        for user, key in zip(users, keys, strict=True):
            with closing(ApiClient(service.port, key)) as api:
                for request in LIST_REQUESTS:
                    log_progress(f"{target.database}: {user.label}, {request.name}")
                    results.append(benchmark.run(request, user, api))
        return _Lists(idle_mb, service.resident_mb(), tuple(results))


def log_progress(text: str) -> None:
    """Write a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)
