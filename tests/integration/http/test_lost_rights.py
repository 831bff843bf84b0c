"""Work that lost rights end: nothing more is written, and the answer says what had been done."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from documents import Group, User
from service.importing.writers import groups as group_writer
from service.importing.writers import users as user_writer
from service.models import bulk_change
from tests.support.directory import Directory
from tests.support.meanwhile import after
from tests.support.slow_clients import deactivate, read_slowly, taken

IMPORT, STATE = "/api/models/import", "/api/models/bulk/state"
TRANSFER = "/api/users/transfer"


def demotion(directory: Directory) -> Callable[[], Awaitable[None]]:
    """Return what makes the admin `other` a user."""

    async def demote() -> None:
        answer = await directory.post("/api/users/update", "root", {"id": "other", "role": "user"})
        assert answer.status_code == 200

    return demote


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bulk_change, user_writer, group_writer):
        monkeypatch.setattr(module, "BATCH", 2)


def happens(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, event: Any) -> None:
    """Let something happen when a function or method has been called once."""
    monkeypatch.setattr(place, name, after(1, getattr(place, name), event))


async def sent(directory: Directory, lines: str, options: str = "") -> Any:
    """Return the answer to an import that the admin `other` sends."""
    headers = {"Authorization": f"Bearer {await directory.key('other')}"}
    return await directory.client.post(f"{IMPORT}?format=modeldeck{options}", content=lines, headers=headers)


@pytest.mark.usefixtures("small_batches")
async def test_an_import_of_users_ends_when_its_admin_is_demoted(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(monkeypatch, user_writer, "finish_refresh", demotion(busy))
    lines = "".join(
        f'{{"kind": "user", "id": "u{n}", "name": "U", "email": "u{n}@x.org", "role": "admin"}}\n' for n in range(6)
    )
    answer = await sent(busy, lines, "&atomic=false")
    assert answer.status_code == 409
    assert "2 records had been written" in answer.text
    assert await busy.database.count(User, {"_id": {"$regex": "^u[0-9]"}}) == 2


@pytest.mark.usefixtures("small_batches")
async def test_an_import_of_groups_ends_when_its_admin_is_demoted(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(monkeypatch, group_writer.GroupWriter, "_write", demotion(busy))
    lines = "".join(f'{{"kind": "group", "id": "g{n}", "name": "G", "member_ids": ["ben", "cat"]}}\n' for n in range(3))
    answer = await sent(busy, lines, "&atomic=false")
    assert answer.status_code == 409
    assert "3 records had been written" in answer.text
    assert await busy.database.count(Group, {"_id": {"$regex": "^g[0-9]"}}) == 3
    assert await busy.database.count(User, {"group_ids": {"$regex": "^g[0-9]"}}) == 0


@pytest.mark.usefixtures("small_batches")
async def test_an_import_that_is_all_or_nothing_leaves_no_file_open_when_its_admin_is_demoted(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An unclosed file is an error of the test.
    happens(monkeypatch, user_writer.UserWriter, "finish", demotion(busy))
    answer = await sent(busy, '{"kind": "user", "id": "u", "name": "U", "email": "u@x.org"}\n')
    assert answer.status_code == 409
    assert await busy.database.count(User, {"_id": "u"}) == 0


@pytest.mark.usefixtures("small_batches")
async def test_a_transfer_of_all_models_says_what_it_had_done(busy: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    happens(monkeypatch, bulk_change, "_change_batch", demotion(busy))
    answer = await busy.post(TRANSFER, "other", {"from_user_id": "ann", "to_user_id": "cat"})
    assert answer.status_code == 409
    assert "2 models had been transferred before" in answer.text


@pytest.mark.usefixtures("small_batches")
async def test_a_change_that_ends_within_a_batch_is_not_complete(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Large models: each is a part of its own.
    monkeypatch.setattr("service.models.record_sizes.MAX_PART_BYTES", 1)
    happens(monkeypatch, bulk_change, "_change_batch", lambda: deactivate(busy, "ann"))
    answer = (await busy.post(STATE, "ann", {"filter": {}, "is_active": False})).json()
    assert answer["counts"]["changed"] == 1
    assert answer["complete"] is False
    assert "rights have changed" in answer["reason"]


@pytest.mark.usefixtures("small_batches")
async def test_a_change_says_what_it_had_done_while_the_same_credential_is_refused_elsewhere(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy.app.state.context.login_throttle, "_limit", 3)

    async def refused() -> None:
        await deactivate(busy, "ann")
        statuses = [(await busy.get("/api/me", "ann")).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]

    happens(monkeypatch, bulk_change, "_change_batch", refused)
    answer = await busy.post(STATE, "ann", {"filter": {}, "is_active": False})
    assert (answer.status_code, answer.json()["counts"]["changed"]) == (200, 2)


async def test_the_list_of_base_models_ends_when_its_caller_loses_rights(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.listing.page.BATCH", 2)
    reader, reading = await read_slowly(busy, "ben", "/api/models/base")
    await deactivate(busy, "ben")
    reader.go_on.set()
    await reading
    assert b"m0" in reader.body
    assert b"m5" not in reader.body
    assert reader.sent[-1].get("more_body") is True


async def test_slow_readers_of_base_models_take_only_the_places_of_pages(busy: Directory) -> None:
    readers = [await read_slowly(busy, "ben", "/api/models/base") for _ in range(2)]
    held, other = taken(busy), await busy.get("/api/models/base", "ben")
    for reader, reading in readers:
        reader.go_on.set()
        await reading
    assert (held, other.status_code, taken(busy)) == ({"PAGE": 2}, 503, {})
