"""How many requests a second the service answers, with some numbers of workers, and how long one alone takes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commands import BenchmarkDatabase, BenchmarkError, mongod_cpu_seconds
from benchmarks.list_requests import LIST
from benchmarks.servers import Server, serving, serving_bare

LOAD_GENERATOR = str(Path(__file__).with_name("load_generator.py"))
WORKERS, CONNECTIONS = (1, 2, 4), 8
ROUTES = ("/health/live", "/api/me", LIST)
# In addition to the seconds that it is told to measure.
STOP_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Load:
    """What some connections got that sent one request again and again.

    `cpu_ms` is the processor time of the service and mongod for one request, `own_share` the share of one core that
    sending took, `server_share` what the service took, without mongod.
    """

    route: str
    workers: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    own_share: float
    server_share: float

    @property
    def key(self) -> str:
        """The name of the figure."""
        return f"load {self.route}, workers: {self.workers}, connections: {self.connections}"


@dataclass(frozen=True, slots=True)
class Throughput:
    """The figures of each route, and those of the bare application, which has one worker: with 1 and 8 connections."""

    bare_alone: Load
    bare: Load
    alone: tuple[Load, ...]
    loaded: tuple[Load, ...]

    def ratio(self, load: Load) -> float:
        """Return how many times the processor time of the bare application a request needs."""
        # Not the rates: they depend on how many processors there are, and on what else they do.
        return load.cpu_ms / (self.bare_alone if load.connections == 1 else self.bare).cpu_ms


def measure_throughput(target: BenchmarkDatabase, key: str, seconds: float) -> Throughput:
    """Measure each route for some seconds with each number of workers."""
    with serving_bare(target) as server:
        bare_alone, bare = (
            _load(target, server, key, "bare", workers=1, connections=connections, seconds=seconds)
            for connections in (1, CONNECTIONS)
        )
    alone: list[Load] = []
    loaded: list[Load] = []
    for workers in WORKERS:
        with serving(target, workers) as server:
            for route in ROUTES:
                if workers == 1:
                    alone.append(_load(target, server, key, route, workers=workers, connections=1, seconds=seconds))
                loaded.append(
                    _load(target, server, key, route, workers=workers, connections=CONNECTIONS, seconds=seconds)
                )
    return Throughput(bare_alone, bare, tuple(alone), tuple(loaded))


def _load(
    target: BenchmarkDatabase, server: Server, key: str, route: str, *, workers: int, connections: int, seconds: float
) -> Load:
    path = route if route in ROUTES else "/"
    command = [sys.executable, "-I", "-S", LOAD_GENERATOR, str(server.port), path, str(connections), str(seconds)]
    before, mongod_before = server.cpu_seconds(), mongod_cpu_seconds(target.uri)
    done = subprocess.run(
        command, env={"KEY": key}, capture_output=True, text=True, timeout=seconds + STOP_SECONDS, check=False
    )
    used, mongod = server.cpu_seconds() - before, mongod_cpu_seconds(target.uri) - mongod_before
    if done.returncode != 0:
        raise BenchmarkError(f"{path} under load: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout)
    took, requests = figures.pop("seconds"), figures.pop("requests")
    # The bare application does not use mongod, which idles meanwhile.
    both = used + (mongod if route in ROUTES else 0)
    return Load(route, workers, connections, cpu_ms=both * 1000 / requests, server_share=used / took, **figures)
