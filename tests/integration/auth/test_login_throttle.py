"""The login throttle over HTTP: guessing is stopped without further database work, and others are not locked out."""

from pathlib import Path

import httpx
import pytest

from service.database.client import Database
from tests.conftest import Commands, settings_in
from tests.support.commands import COMMAND_SECONDS, CommandLine
from tests.support.directory import LIST, Directory
from tests.support.telemetry import metric_value

LIMIT = 5


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("kind", ["mdk_" + "0" * 16 + "_" + "1" * 48, "sk-foreign", "a.b.c", "expired"])
async def test_too_many_wrong_keys_are_answered_with_429_and_without_the_database(
    kind: str, mongod: Database, commands: Commands, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path).model_copy(update={"auth_failures_per_minute": LIMIT})
    async with Directory.on(mongod, settings, new_app=True) as directory:
        for user in ("ann", "ben"):
            await directory.user(user)
        assert (await directory.get(LIST, "ann")).status_code == 200
        await directory.wait_for_last_use("ann")
        for number in range(LIMIT):
            answer = await directory.client.get(LIST, headers=bearer(kind if number else f"{kind}-"))
            assert answer.status_code == 401
        commands.clear()
        refused = await directory.client.get(LIST, headers=bearer(kind))
        posted = await directory.client.post("/api/v1/models/create", headers=bearer(kind), json={})
        newcomer = await directory.get(LIST, "ben")
        assert commands.on("api_keys") == commands.on("users") == []
        for each in (refused, posted, newcomer):
            assert each.status_code == 429
            assert each.headers["content-type"] == "application/problem+json"
            assert each.json()["title"] == "Too Many Requests"
            assert 0 < int(each.headers["Retry-After"]) <= 60
        assert (await directory.get(LIST, "ann")).status_code == 200
        assert (await directory.get(LIST)).status_code == 401
        assert (await directory.get("/health/live")).status_code == 200
        found = await directory.get("/metrics")
        assert metric_value(found, "modeldeck_authentication_failures_total") == LIMIT
        assert metric_value(found, "modeldeck_authentication_throttled_total") == 3


def test_the_throttle_takes_client_addresses_from_a_trusted_proxy_only(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(
        tmp_path, mongodb_uri=mongo_uri, database="modeldeck_guessed", auth_failures_per_minute=str(LIMIT)
    )
    with shell.serving() as served, httpx.Client(base_url=served.url, timeout=COMMAND_SECONDS) as client:

        def asked(address: str) -> int:
            return client.get(LIST, headers={**bearer("wrong"), "X-Forwarded-For": address}).status_code

        assert [asked("192.0.2.1") for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]
        assert asked("192.0.2.2") == 401
        assert [asked(f"2001:db8::{number}") for number in range(LIMIT + 1)] == [401] * LIMIT + [429]
    shell.environment["FORWARDED_ALLOW_IPS"] = "192.0.2.9"
    with shell.serving() as served, httpx.Client(base_url=served.url, timeout=COMMAND_SECONDS) as client:
        assert [asked(f"192.0.2.{number}") for number in range(LIMIT + 1)] == [401] * LIMIT + [429]
