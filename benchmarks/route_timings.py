"""Times requests of every kind and the database calls they make: how much time the service adds to the database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import httpx
from pydantic import SecretStr
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from benchmarks.commands import BenchmarkDatabase, BenchmarkError
from service.app import create_app
from service.database.client import Database
from service.settings import Settings

TIMEOUT_SECONDS = 60.0
WARM_UP = 5
# These read the whole directory each time, so they are repeated less often.
SLOW_ROUTES, SLOW_REPETITIONS = {"GET base", "GET export", "GET tags"}, 8
# The models that are created, and then changed together; also the least number of repetitions.
MODELS = 30

Send = Callable[[int], Awaitable[httpx.Response]]


class CommandTimer(CommandListener):
    """Adds up the time of the driver's commands, from sending each one until its reply."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again at zero."""
        self.milliseconds, self.calls = 0.0, 0

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing: the time is known when the command ends."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Add the time of a command."""
        self.milliseconds += event.duration_micros / 1000
        self.calls += 1

    def failed(self, event: CommandFailedEvent) -> None:
        """Add the time of a command that failed."""
        self.milliseconds += event.duration_micros / 1000
        self.calls += 1


class TimedApp:
    """The service, which records how long its last answer took, without the work of the client."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.milliseconds = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        started = perf_counter()
        await self._app(scope, receive, send)
        self.milliseconds = (perf_counter() - started) * 1000


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """Figures of one route: median times in ms, and the median of the ratios of request and database time."""

    route: str
    request_ms: float
    database_ms: float
    ratio: float
    calls: int


async def measure_routes(target: BenchmarkDatabase, key: str, repetitions: int) -> list[RouteFigures]:
    """Send requests of every kind within this process, and time each one and its database commands."""
    timer = CommandTimer()
    database = Database.connect(target.uri, target.database, TIMEOUT_SECONDS, event_listeners=[timer])
    settings = Settings(_env_file=None, mongodb_uri=SecretStr(target.uri), database=target.database)
    app = create_app(settings, lambda _: database)
    timed = TimedApp(app)
    transport = httpx.ASGITransport(app=timed)
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://bench") as client,
        ):
            client.headers["Authorization"] = f"Bearer {key}"
            await client.get("/api/me")
            routes = await _routes(client)
            return [await _measure(timer, timed, route, send, repetitions) for route, send in routes.items()]
    finally:
        database.close()


async def _measure(timer: CommandTimer, timed: TimedApp, route: str, send: Send, repetitions: int) -> RouteFigures:
    taken: list[tuple[float, float, int]] = []
    for number in range(WARM_UP + (SLOW_REPETITIONS if route in SLOW_ROUTES else repetitions)):
        timer.reset()
        answer = await send(number)
        if answer.is_error:
            raise BenchmarkError(f"{route}: {answer.status_code} {answer.text[:200]}")
        taken.append((timed.milliseconds, timer.milliseconds, timer.calls))
    counted = taken[WARM_UP:]
    return RouteFigures(
        route=route,
        request_ms=median(request for request, _, _ in counted),
        database_ms=median(database for _, database, _ in counted),
        ratio=median(request / database for request, database, _ in counted),
        calls=max(calls for _, _, calls in counted),
    )


async def _routes(client: httpx.AsyncClient) -> dict[str, Send]:
    ids = [item["id"] for item in (await client.get("/api/models/list")).json()["items"]]
    new = [f"bench/{number}" for number in range(MODELS)]

    def get(path: str) -> Send:
        return lambda number: client.get(f"/api{path}", params={"id": ids[number % len(ids)]})

    def plain(path: str) -> Send:
        return lambda _: client.get(f"/api{path}")

    def post(path: str, body: Callable[[int], Any]) -> Send:
        return lambda number: client.post(f"/api{path}", json=body(number))

    everyone = {"principal_type": "user", "principal_id": "*"}
    return {
        "GET me": plain("/me"),
        "GET keys": plain("/keys"),
        "GET list": plain("/models/list"),
        "GET tags": plain("/models/tags"),
        "GET base": plain("/models/base"),
        "GET export": plain("/models/export"),
        "GET model": get("/models/model"),
        "GET image": get("/models/model/profile/image"),
        "GET access": get("/models/model/access"),
        "GET history": get("/models/model/history"),
        "POST create": post("/models/create", lambda number: {"id": f"bench/{number}", "name": "New"}),
        "POST update": post("/models/model/update", lambda number: {"id": f"bench/{number}", "name": f"N {number}"}),
        "POST toggle": lambda number: client.post("/api/models/model/toggle", params={"id": f"bench/{number}"}),
        "POST access/update": post(
            "/models/model/access/update",
            lambda number: {"id": f"bench/{number}", "access_grants": [{**everyone, "permission": "read"}]},
        ),
        "POST bulk/state": post("/models/bulk/state", lambda number: {"ids": new, "is_active": number % 2 == 1}),
        "POST bulk/access": post(
            "/models/bulk/access",
            lambda number: {"ids": new, "replace": [{**everyone, "permission": ("read", "write")[number % 2]}]},
        ),
        "POST import": post(
            "/models/import", lambda number: {"models": [{"id": one, "name": f"I {number}"} for one in new]}
        ),
        "POST delete": post("/models/model/delete", lambda number: {"id": f"bench/{number}"}),
        "GET users": plain("/users"),
        "GET groups": plain("/groups"),
    }


def run_routes(target: BenchmarkDatabase, key: str, repetitions: int) -> list[RouteFigures]:
    """Call `measure_routes` from code that is not asynchronous."""
    return asyncio.run(measure_routes(target, key, max(repetitions, MODELS)))
