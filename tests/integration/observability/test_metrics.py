"""The metrics for Prometheus after a known number of requests."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from pymongo.errors import OperationFailure

from service.database.client import Database
from service.database.listeners import event_listeners
from service.observability.metrics import Metrics
from service.settings import Settings
from tests.conftest import DATABASE, TIMEOUT_SECONDS, Commands, settings_in
from tests.support.directory import LIST, Directory
from tests.support.telemetry import label_values, metric_value

TOKEN = "a-token-for-prometheus"
FAILURES = 3
REQUESTS, SECONDS = "modeldeck_requests_total", "modeldeck_request_seconds_count"


@pytest.fixture
async def directory(mongod: Database, settings: Settings) -> AsyncIterator[Directory]:
    """A service whose metrics start at zero."""
    async with Directory.on(mongod, settings, new_app=True) as directory:
        yield directory


async def scraped(directory: Directory, path: str = "/metrics") -> httpx.Response:
    answer = await directory.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer


async def test_requests_are_counted_by_method_route_and_status(directory: Directory) -> None:
    await directory.user("u1")
    for _ in range(3):
        await directory.get(LIST, "u1")
    await directory.get(LIST)
    await directory.get("/api/models/model/history/" + "0" * 32, "u1", id="m")
    found = await scraped(directory)
    assert metric_value(found, REQUESTS, method="GET", route=LIST, status="200") == 3
    assert metric_value(found, REQUESTS, method="GET", route=LIST, status="401") == 1
    assert metric_value(found, SECONDS, route=LIST) == 4
    assert metric_value(found, REQUESTS, route="/api/models/model/history/{revision}") == 1
    assert metric_value(found, "modeldeck_requests_in_flight") == 0
    assert metric_value(await scraped(directory), REQUESTS, route="/metrics") == 1
    assert (await directory.get("/api/metrics")).status_code == 404


async def test_no_client_can_make_up_labels(directory: Directory) -> None:
    for number in range(5):
        await directory.client.request(
            f"ODD{number}", f"/made/up/{number}", headers={"Authorization": f"Bearer {number}"}
        )
        await directory.get(f"/api/models/model/history/{number:032}")
    found = label_values(await scraped(directory), REQUESTS, ["method", "route"])
    assert found == {("other", "unmatched"), ("GET", "/api/models/model/history/{revision}")}


async def test_the_database_is_not_asked(asked_with_token: Directory, commands: Commands) -> None:
    commands.clear()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for _ in range(20):
        assert (await asked_with_token.client.get("/metrics", headers=headers)).status_code == 200
    # The service itself reads search statistics in the background.
    assert len(commands.started_events) < 5


@pytest.mark.parametrize(
    "given", [None, "", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é", f"Basic {TOKEN}"]
)
async def test_a_token_can_be_required(asked_with_token: Directory, given: str | None) -> None:
    headers = [] if given is None else [(b"Authorization", given.encode())]
    answer = await asked_with_token.client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "modeldeck_" not in answer.text
    right = await asked_with_token.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert metric_value(right, REQUESTS, route="/metrics", status="401") == 1


async def test_of_two_tokens_none_counts(asked_with_token: Directory) -> None:
    both = [(b"Authorization", f"Bearer {TOKEN}".encode()), (b"Authorization", b"Bearer other")]
    assert (await asked_with_token.client.get("/metrics", headers=both)).status_code == 401


async def test_guessing_the_token_is_slowed(asked_with_token: Directory) -> None:
    wrong_tokens = [{"Authorization": f"Bearer {number}"} for number in range(FAILURES)]
    for wrong_token in wrong_tokens:
        assert (await asked_with_token.client.get("/metrics", headers=wrong_token)).status_code == 401
    assert (await asked_with_token.client.get("/metrics", headers=wrong_tokens[0])).status_code == 429


@pytest.fixture
async def asked_with_token(mongod: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    settings = settings_in(tmp_path).model_copy(
        update={"metrics_token": SecretStr(TOKEN), "auth_failures_per_minute": FAILURES}
    )
    async with Directory.on(mongod, settings, new_app=True) as directory:
        yield directory


async def test_requests_refused_by_the_concurrency_limit_are_counted(mongod: Database, tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_copy(update={"max_in_flight": 1})
    async with Directory.on(mongod, settings, new_app=True) as directory:
        metrics: Metrics = directory.app.state.metrics
        metrics.shed()
        assert metric_value(await scraped(directory), "modeldeck_requests_shed_total") == 1


async def test_commands_and_connections_are_counted(mongo_uri: str, mongod: Database, tmp_path: Path) -> None:
    metrics = Metrics()
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS, event_listeners=event_listeners(metrics))
    try:
        await database.open()
        await database.command({"connectionStatus": 1})
        with pytest.raises(OperationFailure):
            await database.command({"noSuchStatus": 1})
        async with Directory.on(mongod, settings_in(tmp_path), new_app=True) as directory:
            directory.app.state.metrics = metrics
            found = await scraped(directory)
            database.close()
            closed = await scraped(directory)
    finally:
        database.close()
    assert metric_value(found, "modeldeck_database_seconds_count", command="connectionStatus", outcome="ok") == 1
    assert metric_value(found, "modeldeck_database_seconds_count", command="noSuchStatus", outcome="failed") == 1
    assert metric_value(found, "modeldeck_database_errors_total", command="noSuchStatus", code="59") == 1
    assert metric_value(found, "modeldeck_database_connections", state="open") >= 1
    assert metric_value(found, "modeldeck_database_connections", state="in_use") == 0
    assert metric_value(closed, "modeldeck_database_connections", state="open") == 0
