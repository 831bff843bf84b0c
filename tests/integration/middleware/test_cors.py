"""Scripts of the web pages in MODELDECK_CORS_ORIGINS, and of no others, can call the API."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from service.database.client import Database
from service.middleware.cors import EXPOSED
from service.settings import Settings
from tests.conftest import Commands
from tests.support.directory import LIST, Directory

ORIGIN, OTHER = "https://app.example.com", "https://evil.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, if-match"}


@pytest.fixture
async def shared(mongod: Database, settings: Settings) -> AsyncIterator[Directory]:
    """The service with MODELDECK_CORS_ORIGINS."""
    origins = ("http://localhost:5173", ORIGIN)
    async with Directory.on(mongod, settings.model_copy(update={"cors_origins": origins})) as directory:
        yield directory


async def _preflight(directory: Directory, **headers: str) -> httpx.Response:
    return await directory.client.options(LIST, headers={"Origin": ORIGIN, **PREFLIGHT, **headers})


async def test_a_preflight_says_what_is_allowed(shared: Directory, commands: Commands) -> None:
    answer = await _preflight(shared)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert {"GET", "HEAD", "PATCH", "POST"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"].split(", ")
    assert answer.headers["x-request-id"]
    assert not commands.on("api_keys")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Access-Control-Request-Method": "TRACE"},
        {"Access-Control-Request-Headers": "cookie"},
    ],
    ids=str,
)
async def test_a_preflight_for_anything_else_is_refused(shared: Directory, headers: dict[str, str]) -> None:
    answer = await _preflight(shared, **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert ("access-control-allow-origin" in answer.headers) == ("Origin" not in headers)
    assert "Origin" in answer.headers["vary"]


async def test_every_answer_can_be_read_errors_too(shared: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    await shared.user("ann")
    known = {"Authorization": f"Bearer {await shared.key('ann')}", "Origin": ORIGIN}

    async def status(headers: dict[str, str], path: str = LIST) -> int:
        answer = await shared.client.get(path, headers=headers)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert set(answer.headers["access-control-expose-headers"].split(", ")) == set(EXPOSED)
        assert "Origin" in answer.headers["vary"].split(", ")
        return answer.status_code

    assert await status(known) == 200
    assert await status({"Origin": ORIGIN}) == 401
    assert await status(known, f"{LIST}?page=0") == 422
    assert await status(known, "/absent") == 404

    async def fails(*_: object) -> None:
        raise RuntimeError

    async def lasts(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(shared.app.state.context.authenticator, "resolve", fails)
    assert await status(known) == 500
    monkeypatch.setattr(shared.app.state.context.authenticator, "resolve", lasts)
    assert await status(known, "/api/health/live") == 200


async def test_others_can_read_nothing(shared: Directory) -> None:
    for headers in ({"Origin": OTHER}, {}):
        answer = await shared.client.get("/health/live", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"].split(", ")


async def test_overload_and_lateness_can_be_read_and_a_preflight_needs_no_place(
    mongod: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = {"cors_origins": (ORIGIN,), "max_in_flight": 1, "request_timeout": 0.3}
    async with Directory.on(mongod, settings.model_copy(update=updates)) as shared:
        begun = asyncio.Event()

        async def lasts(*_: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(shared.app.state.context.authenticator, "resolve", lasts)
        headers = {"Origin": ORIGIN, "Authorization": "Bearer x"}
        late = asyncio.create_task(shared.client.get("/api/me", headers=headers))
        await begun.wait()
        refused = await shared.client.get("/api/me", headers=headers)
        assert (await _preflight(shared)).status_code == 204
        answers = {answer.status_code: answer.headers for answer in (refused, await late)}
        assert answers.keys() == {503, 504}
        assert {found["access-control-allow-origin"] for found in answers.values()} == {ORIGIN}


async def test_by_default_no_page_can(directory: Directory) -> None:
    answer = await _preflight(directory)
    assert answer.status_code == 405
    assert not any(name.startswith("access-control-") for name in answer.headers)
    assert "Origin" not in (await directory.client.get("/health/live", headers={"Origin": ORIGIN})).headers.get(
        "vary", ""
    )
