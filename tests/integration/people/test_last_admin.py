"""At least one active admin always remains, even when admins remove each other at the same time."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.directory import Directory
from tests.support.every_case import repetitions

Raw = SyncDatabase[dict[str, Any]]

UPDATE, DELETE = "/api/users/update", "/api/users/delete"
LAST = (409, "The last admin can't be removed.")

# Every way in which a user stops being an active admin.
REMOVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "deleted": (DELETE, {}),
    "demoted": (UPDATE, {"role": "user"}),
    "deactivated": (UPDATE, {"is_active": False}),
}


@pytest.fixture
async def admins(directory: Directory) -> AsyncIterator[Directory]:
    """A directory with the admins ann and bob; consistent at the end."""
    for name in ("ann", "bob"):
        await directory.user(name, role=Role.ADMIN)
    yield directory
    assert (await examine(directory.database, repair=False)).problems == 0


async def _remove(directory: Directory, how: str, whom: str, by: str) -> tuple[int, str]:
    path, change = REMOVALS[how]
    answer = await directory.post(path, by, {"id": whom, **change})
    body = answer.json()
    return answer.status_code, body["detail"] if answer.status_code >= 400 else ""


@pytest.mark.parametrize("how", REMOVALS)
async def test_an_admin_can_be_removed_also_by_themselves_but_not_the_last(admins: Directory, how: str) -> None:
    assert await _remove(admins, how, "ann", by="ann") == (200, "")
    for last in REMOVALS:
        assert await _remove(admins, last, "bob", by="bob") == LAST
    assert (await admins.get("/api/users", "bob")).status_code == 200


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"role": "user"}, {"leaving": True}, {"is_active": "yes"}, {"role": ["admin"]}]
)
async def test_an_admin_who_can_not_act_does_not_count(admins: Directory, raw: Raw, change: dict[str, Any]) -> None:
    raw.users.update_one({"_id": "ann"}, {"$set": change})
    for how in REMOVALS:
        assert await _remove(admins, how, "bob", by="bob") == LAST
    raw.users.delete_one({"_id": "ann"})


async def test_an_admin_who_can_not_act_can_be_removed(admins: Directory) -> None:
    assert await _remove(admins, "deactivated", "ann", by="bob") == (200, "")
    assert await _remove(admins, "demoted", "ann", by="bob") == (200, "")
    assert await _remove(admins, "deleted", "ann", by="bob") == (200, "")


async def test_the_last_admin_can_be_changed_in_everything_else(admins: Directory) -> None:
    await _remove(admins, "deleted", "ann", by="bob")
    body = {"id": "bob", "name": "Robert", "role": "admin", "is_active": True}
    assert (await admins.post(UPDATE, "bob", body)).status_code == 200


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations_with_replacement(REMOVALS, 2)])
async def test_of_two_admins_who_remove_each_other_at_the_same_moment_one_stays(
    admins: Directory, raw: Raw, one: str, other: str
) -> None:
    for at in range(repetitions(2, 15)):
        first, second = f"x{at}", f"y{at}"
        for name in (first, second):
            await admins.user(name, role=Role.ADMIN)
        raw.users.update_many({"_id": {"$nin": [first, second]}}, {"$set": {"role": "user"}})

        results = await asyncio.gather(_remove(admins, one, second, by=first), _remove(admins, other, first, by=second))

        statuses = sorted(status for status, _ in results)
        # The slower request is refused because of the API key, the role, or as the last admin.
        assert statuses[0] == 200
        assert statuses[1] in (401, 403, 409)
        assert raw.users.count_documents({"role": "admin", "is_active": True, "leaving": False}) == 1


async def test_of_many_admins_who_all_go_at_the_same_moment_one_stays(admins: Directory, raw: Raw) -> None:
    for _ in range(repetitions(2, 5)):
        names = [f"x{number}" for number in range(8)]
        raw.users.delete_many({"_id": {"$in": names}})
        for name in names:
            await admins.user(name, role=Role.ADMIN)
        raw.users.update_many({"_id": {"$nin": names}}, {"$set": {"role": "user"}})
        ways = itertools.cycle(REMOVALS)
        results = await asyncio.gather(*(_remove(admins, next(ways), name, by=name) for name in names))
        assert sorted(results) == [*[(200, "")] * 7, LAST]
        assert raw.users.count_documents({"role": "admin", "is_active": True, "leaving": False}) == 1
