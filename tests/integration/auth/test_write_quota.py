"""The write quota over HTTP: whoever has used it up can read, and changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from documents.user import Role
from service.database.client import Database
from service.models import bulk_change
from tests.conftest import settings_in
from tests.support.asgi_exchange import Exchange
from tests.support.directory import LIST, Directory, model
from tests.support.meanwhile import after

LIMIT = 5
CREATE, TOGGLE = "/api/models/create", "/api/models/model/toggle"


@pytest.fixture
async def limited(mongod: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    settings = settings_in(tmp_path).model_copy(update={"writes_per_hour": LIMIT})
    async with Directory.on(mongod, settings, new_app=True) as directory:
        await directory.user("ann")
        await directory.user("root", role=Role.ADMIN)
        yield directory


async def test_who_has_changed_too_much_is_refused_and_told_for_how_long(limited: Directory) -> None:
    assert (await limited.post(CREATE, "ann", {"id": "m", "name": "M"})).status_code == 200
    for number in range(LIMIT - 1):
        assert (await limited.post(TOGGLE, "ann", id="m")).json()["version"] == number + 2
    refused = await limited.post(TOGGLE, "ann", id="m")
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert (await limited.page("ann"))["items"][0]["version"] == LIMIT
    assert (await limited.post(TOGGLE, "root", id="m")).status_code == 200
    assert (await limited.get(LIST, "ann")).status_code == 200


BULK = {
    "bulk": ("/api/models/bulk/state", {"ids": [f"m{number}" for number in range(LIMIT)], "is_active": False}, {}),
    "set": ("/api/models/import", {"models": [{"id": f"m{number}", "name": "N"} for number in range(LIMIT)]}, {}),
    "file": (
        "/api/models/import",
        {"models": [{"id": f"m{number}", "name": "N"} for number in range(LIMIT)]},
        {"format": "modeldeck"},
    ),
}


@pytest.mark.parametrize("way", BULK)
async def test_each_model_of_many_counts(limited: Directory, tmp_path: Path, way: str) -> None:
    await limited.load({"models": [model(f"m{number}", "ann") for number in range(LIMIT)]}, tmp_path)
    path, body, parameters = BULK[way]
    assert (await limited.post(path, "ann", body, **parameters)).status_code == 200
    assert (await limited.post(TOGGLE, "ann", id="m0")).status_code == 429


async def test_refused_requests_and_dry_runs_count_for_little(limited: Directory) -> None:
    for _ in range(2 * LIMIT):
        assert (await limited.post(CREATE, "ann", {"id": ""})).status_code == 422
    models = [{"id": f"m{number}", "name": "N"} for number in range(LIMIT)]
    assert (await limited.post("/api/models/import", "ann", {"models": models, "dry_run": True})).status_code == 200
    assert (await limited.post(CREATE, "ann", {"id": "m", "name": "M"})).status_code == 200


async def test_what_was_changed_for_a_client_that_left_counts(
    limited: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_change, "BATCH", LIMIT)
    await limited.load({"models": [model(f"m{number}", "ann") for number in range(2 * LIMIT)]}, tmp_path)
    body = json.dumps({"filter": {}, "is_active": False}).encode()
    headers = {"Authorization": f"Bearer {await limited.key('ann')}"}
    exchange = Exchange("/api/models/bulk/state", "POST", headers, parts=[body])

    async def leave() -> None:
        exchange.disconnect()
        await asyncio.Event().wait()

    monkeypatch.setattr(bulk_change, "_change_batch", after(1, bulk_change._change_batch, leave))
    await exchange.with_app(limited.app)
    assert exchange.sent == []
    assert (await limited.post(TOGGLE, "ann", id="m0")).status_code == 429
