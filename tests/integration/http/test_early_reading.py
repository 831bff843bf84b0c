"""A read begins for the caller whom a credential had before, and is answered only for the caller whom it has now."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from documents import ApiKey, ModelRecord
from service.database.client import Database
from service.http import early_reading
from service.settings import Settings
from tests.conftest import settings_in
from tests.support.directory import LIST, Directory, grant, model
from tests.support.raw_database import Raw
from tests.support.slow_clients import deactivate, leave, taken, until

ME, MODEL = "/api/me", "/api/models/model?id=m0"
Change = Callable[[Directory, Raw], Awaitable[object]]


async def revoke(busy: Directory, raw: Raw) -> None:
    [key] = raw.api_keys.find({"user_id": "ben"})
    answer = await busy.post("/api/users/keys/revoke", "root", {"user_id": "ben", "id": key["_id"]})
    assert answer.status_code == 200, answer.text


async def deactivated(busy: Directory, _: Raw) -> None:
    await deactivate(busy, "ben")


async def left(busy: Directory, _: Raw) -> None:
    await leave(busy, "ben")


async def promoted(busy: Directory, _: Raw) -> None:
    assert (await busy.post("/api/users/update", "root", {"id": "ben", "role": "admin"})).status_code == 200


def written(**fields: Any) -> Change:
    """Return a change of an API key that is made past the service."""

    async def write(_: Directory, raw: Raw) -> None:
        assert raw.api_keys.update_one({"user_id": "ben"}, {"$set": fields}).modified_count == 1

    return write


@pytest.fixture
async def ben(busy: Directory) -> dict[str, str]:
    return {"Authorization": f"Bearer {await busy.key('ben')}"}


@pytest.fixture
async def both(busy: Directory, mongod: Database, tmp_path: Path) -> AsyncIterator[list[Directory]]:
    """The same directory, served by two processes, as far as they know of each other."""
    async with Directory.on(mongod, settings_in(tmp_path), new_app=True) as other:
        yield [busy, other]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users for whom a read has begun before they were looked up."""
    found: list[str] = []
    begun = early_reading._for_expected

    async def recorded(*arguments: Any) -> Any:
        found.append(arguments[0].state.expected_caller.user_id)
        return await begun(*arguments)

    monkeypatch.setattr(early_reading, "_for_expected", recorded)
    return found


LOST = [401] * 3
CHANGES: list[tuple[Change, list[Any]]] = [
    (revoke, LOST),
    (deactivated, LOST),
    (written(expires_at=datetime.now(UTC) - timedelta(seconds=1)), LOST),
    (written(sha256="0" * 64), LOST),
    (left, [(0, None), ("write", []), 404]),
    (promoted, [(6, True), ("write", ["team"]), 200]),
    (written(scope="read"), [(6, False), ("read", ["team"]), 200]),
    (written(last_used_at=datetime.now(UTC)), [(6, False), ("write", ["team"]), 200]),
]


async def outcomes(directory: Directory, headers: dict[str, str]) -> list[Any]:
    """Return what a list, the account of oneself and a model are answered with: a few values, or the status."""
    page, me, one = [await directory.client.get(path, headers=headers) for path in (LIST, ME, MODEL)]
    if page.status_code != 200:
        return [page.status_code, me.status_code, one.status_code]
    items = page.json()["items"]
    access = items[0]["write_access"] if items else None
    return [(page.json()["total"], access), (me.json()["scope"], me.json()["group_ids"]), one.status_code]


@pytest.mark.parametrize("case", CHANGES)
async def test_a_change_of_rights_counts_from_the_next_request_on_in_every_process(
    both: list[Directory], raw: Raw, ben: dict[str, str], attempts: list[str], case: tuple[Change, list[Any]]
) -> None:
    change, expected = case
    for directory in both:
        for _ in range(2):
            assert await outcomes(directory, ben) == [(6, False), ("write", ["team"]), 200]
    # All but the first of each process.
    assert attempts == ["ben"] * 10
    attempts.clear()
    await change(both[0], raw)
    for directory in reversed(both):
        assert await outcomes(directory, ben) == expected
    # Who was refused is not expected any more.
    assert attempts == ["ben"] * (2 if expected == LOST else 6)


@pytest.mark.parametrize("path", [LIST, f"{LIST}?cursor=bad", f"{LIST}?page=0", f"{LIST}?unknown=1", MODEL])
async def test_no_outcome_is_told_before_its_caller_is_known(
    busy: Directory, raw: Raw, ben: dict[str, str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    before = await busy.client.get(path, headers=ben)
    assert before.status_code in {200, 422}
    begun, go_on = asyncio.Event(), asyncio.Event()
    aggregate = busy.database.aggregate

    async def held(kind: Any, *arguments: Any, **options: Any) -> Any:
        if kind is ApiKey:
            begun.set()
            await go_on.wait()
        return await aggregate(kind, *arguments, **options)

    monkeypatch.setattr(busy.database, "aggregate", held)
    known, gone = [asyncio.create_task(busy.client.get(path, headers=ben)) for _ in range(2)]
    await begun.wait()
    assert await aggregate(ModelRecord, [{"$match": {}}])
    assert not known.done()
    go_on.set()
    assert [(await one).content for one in (known, gone)] == [before.content] * 2
    begun.clear()
    go_on.clear()
    gone = asyncio.create_task(busy.client.get(path, headers=ben))
    await begun.wait()
    raw.api_keys.delete_many({"user_id": "ben"})
    go_on.set()
    assert (await gone).status_code == 401


async def test_a_read_for_nobody_ends_at_once(
    busy: Directory, raw: Raw, ben: dict[str, str], monkeypatch: pytest.MonkeyPatch, attempts: list[str]
) -> None:
    await outcomes(busy, ben)
    attempts.clear()
    raw.api_keys.delete_many({"user_id": "ben"})
    aggregate, ended = busy.database.aggregate_encoded, []

    async def hung(kind: Any, *arguments: Any, **options: Any) -> Any:
        if kind is not ModelRecord:
            return await aggregate(kind, *arguments, **options)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(kind)

    monkeypatch.setattr(busy.database, "aggregate_encoded", hung)
    assert (await busy.client.get(LIST, headers=ben)).status_code == 401
    assert (attempts, ended) == (["ben"], [ModelRecord])


@pytest.mark.parametrize("path", [LIST, "/api/models/base"])
async def test_an_answer_in_parts_takes_one_place_and_gives_it_back(
    busy: Directory, ben: dict[str, str], tmp_path: Path, attempts: list[str], path: str
) -> None:
    shared = {"access_grants": [grant("group:team")]}
    large = [model(f"large{n}", "ann", params={"system": "x" * 400_000}, **shared) for n in range(4)]
    await busy.load({"models": large}, tmp_path)

    async def shown() -> int:
        answer = (await busy.client.get(path, headers=ben)).json()
        return len(answer["items"] if isinstance(answer, dict) else answer)

    for _ in range(3):
        assert await shown() == 10
        assert taken(busy) == {}
    await leave(busy, "ben")
    assert await shown() == 0
    assert taken(busy) == {}
    assert attempts == ["ben"] * 3


async def test_a_revoked_key_is_refused_under_load_in_every_process(
    both: list[Directory], raw: Raw, ben: dict[str, str], attempts: list[str]
) -> None:
    now, seen = asyncio.get_running_loop().time, list[tuple[float, int]]()

    async def read(directory: Directory) -> None:
        status = 200
        while status == 200:
            begun = now()
            status = (await directory.client.get(LIST, headers=ben)).status_code
            seen.append((begun, status))

    reading = [asyncio.create_task(read(directory)) for directory in both for _ in range(2)]
    await until(lambda: len(seen) > 20)
    await revoke(both[0], raw)
    revoked = now()
    await asyncio.gather(*reading)
    assert {status for _, status in seen} == {200, 401}
    assert {status for begun, status in seen if begun >= revoked} <= {401}
    assert attempts


async def test_for_a_credential_that_is_not_checked_nothing_is_read(
    mongod: Database, settings: Settings, attempts: list[str]
) -> None:
    changed = settings.model_copy(update={"auth_failures_per_minute": 1})
    async with Directory.on(mongod, changed) as directory:
        await directory.user("ben")
        for _ in range(2):
            assert (await directory.get(ME, "ben")).status_code == 200
        assert attempts == ["ben"]
        # As after ten minutes, so that the failures of somebody else at the same address count.
        directory.app.state.context.login_throttle._valid.clear()
        wrong = await directory.client.get(ME, headers={"Authorization": "Bearer wrong"})
        assert (wrong.status_code, (await directory.get(ME, "ben")).status_code) == (401, 429)
        assert attempts == ["ben"]
