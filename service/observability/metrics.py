"""The metrics of the service, rendered for Prometheus."""

import asyncio
import os
import struct
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service.background import SingleFlight
from service.observability.requests import AnsweredRequest

# The variable of the library for the folder in which the processes of one service count, each in its own files.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_READ_TRIES, _READ_PAUSE_SECONDS = 50, 0.01

_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DATABASE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

disable_created_metrics()


class Metrics:
    """The metrics of one service. Every label has a bounded number of values, independent of what clients send."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=self._registry), partial(Histogram, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry, multiprocess_mode="livesum")
        self._requests = counter("modeldeck_requests_total", "Requests answered.", ["method", "route", "status"])
        self._seconds = histogram(
            "modeldeck_request_seconds", "Time of a request.", ["route"], buckets=_REQUEST_SECONDS
        )
        self._in_flight = gauge(
            "modeldeck_requests_in_flight", "Requests being answered at the moment, without probes."
        )
        self._followers = gauge("modeldeck_followers", "Callers who follow changes at the moment.")
        self._shed = counter("modeldeck_requests_shed_total", "Requests refused because too many were in flight.")
        self._abandoned = counter(
            "modeldeck_requests_abandoned_total", "Requests whose client left before the answer ended."
        )
        self._failures = counter("modeldeck_authentication_failures_total", "Credentials that were refused.")
        self._throttled = counter(
            "modeldeck_authentication_throttled_total",
            "Credentials not checked, because too many from their address were refused.",
        )
        self._database_seconds = histogram(
            "modeldeck_database_seconds",
            "Time of a database command.",
            ["command", "outcome"],
            buckets=_DATABASE_SECONDS,
        )
        self._database_errors = counter(
            "modeldeck_database_errors_total", "Database commands that failed.", ["command", "code"]
        )
        self._connections = gauge("modeldeck_database_connections", "Connections to the database.", ["state"])
        for state in ("open", "in_use"):
            self._connections.labels(state)
        self._history = Gauge(
            "modeldeck_history_bytes",
            "Size of the history on disk with its indexes, measured every hour.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._rendering = SingleFlight(partial(asyncio.to_thread, self._rendered))

    def begin(self, *, probe: bool) -> None:
        """Count a request that has arrived."""
        if not probe:
            self._in_flight.inc()

    def end(self, answered: AnsweredRequest) -> None:
        """Count a request that has ended, with its result."""
        if answered.followed:
            self._followers.dec()
        elif not answered.probe:
            self._in_flight.dec()
        if answered.client_left and not answered.followed:
            self._abandoned.inc()
        self._requests.labels(answered.method, answered.route, str(answered.status)).inc()
        if not answered.followed:
            self._seconds.labels(answered.route).observe(answered.seconds)

    def follow(self) -> None:
        """Count a request as that of a follower, and no longer among those in flight."""
        self._in_flight.dec()
        self._followers.inc()

    def shed(self) -> None:
        """Count a request that was refused because too many were in flight."""
        self._shed.inc()

    def authentication_failed(self) -> None:
        """Count a credential that was refused."""
        self._failures.inc()

    def authentication_throttled(self) -> None:
        """Count a credential that was not checked."""
        self._throttled.inc()

    def command(self, name: str, seconds: float, code: str | None) -> None:
        """Count a database command; `code` is the code of its failure."""
        self._database_seconds.labels(name, "ok" if code is None else "failed").observe(seconds)
        if code is not None:
            self._database_errors.labels(name, code).inc()

    def connections(self, state: str, change: int) -> None:
        """Count connections to the database that are opened or closed, or taken from the pool or returned to it."""
        self._connections.labels(state).inc(change)

    def history_size(self, size: int) -> None:
        """Note the bytes that the history takes on disk, which every process measures alike."""
        self._history.set(size)

    async def rendered(self) -> bytes:
        """Return all metrics in the format of Prometheus, summed over the processes that share a folder."""
        return await self._rendering.result()

    def _rendered(self) -> bytes:
        folder = os.environ.get(SHARED_FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        _remove_ended_processes(Path(folder))
        return _rendered_of_folder(folder)


def _rendered_of_folder(folder: str) -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    for _ in range(_READ_TRIES):
        # The library creates the files of a new process first and fills them a little later.
        with suppress(struct.error):
            return generate_latest(registry)
        time.sleep(_READ_PAUSE_SECONDS)
    return generate_latest(registry)


def _remove_ended_processes(folder: Path) -> None:
    """Remove the gauges of processes that have ended; their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))
        except PermissionError:
            continue
