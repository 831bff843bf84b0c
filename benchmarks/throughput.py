"""How many requests a second the service answers, with some numbers of workers, and how long one alone takes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commands import BenchmarkDatabase, BenchmarkError
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

    `own_share` is the share of one core that sending took, `server_share` what the service took, without mongod.
    """

    route: str
    workers: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
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
        """Return how many times as long as the bare application the service needs for a request."""
        if load.connections == 1:
            return load.p50_ms / self.bare_alone.p50_ms
        return self.bare.per_second / load.per_second


def measure_throughput(target: BenchmarkDatabase, key: str, seconds: float) -> Throughput:
    """Measure each route for some seconds with each number of workers."""
    with serving_bare(target) as server:
        bare_alone, bare = (
            _load(server, key, "bare", workers=1, connections=connections, seconds=seconds)
            for connections in (1, CONNECTIONS)
        )
    alone: list[Load] = []
    loaded: list[Load] = []
    for workers in WORKERS:
        with serving(target, workers) as server:
            for route in ROUTES:
                if workers == 1:
                    alone.append(_load(server, key, route, workers=workers, connections=1, seconds=seconds))
                loaded.append(_load(server, key, route, workers=workers, connections=CONNECTIONS, seconds=seconds))
    return Throughput(bare_alone, bare, tuple(alone), tuple(loaded))


def _load(server: Server, key: str, route: str, *, workers: int, connections: int, seconds: float) -> Load:
    path = route if route in ROUTES else "/"
    command = [sys.executable, "-I", "-S", LOAD_GENERATOR, str(server.port), path, str(connections), str(seconds)]
    before = server.cpu_seconds()
    done = subprocess.run(
        command, env={"KEY": key}, capture_output=True, text=True, timeout=seconds + STOP_SECONDS, check=False
    )
    used = server.cpu_seconds() - before
    if done.returncode != 0:
        raise BenchmarkError(f"{path} under load: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout)
    took = figures.pop("seconds")
    return Load(route, workers, connections, server_share=used / took, **figures)
