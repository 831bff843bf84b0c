"""`GET /api/models/changes`: each caller is shown the changes of what they may read, each once, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from documents import ApiKey, Revision
from documents.user import Role
from service.database.exact_bson import int64
from tests.support.directory import Directory, grant
from tests.support.every_case import repetitions
from tests.support.following import begin, follow
from tests.support.slow_clients import until

CREATE, UPDATE, DELETE, SHARE = (
    f"/api/models/{path}" for path in ("create", "model/update", "model/delete", "model/access/update")
)


@pytest.fixture
async def people(directory: Directory) -> Directory:
    """An admin, an owner, a member of a group, and a stranger."""
    await directory.user("root", role=Role.ADMIN)
    await directory.group("org")
    await directory.group("team", "org")
    for user in ("ann", "eve"):
        await directory.user(user)
    await directory.user("ben", groups=["team"])
    return directory


async def done(directory: Directory, path: str, user: str, **body: Any) -> None:
    answer = await directory.post(path, user, body)
    assert answer.status_code == 200, answer.text


async def test_each_sees_the_life_of_what_they_may_read(people: Directory) -> None:
    to_team = [grant("group:org")]
    async with (
        follow(people, "ann") as ann,
        follow(people, "ben") as ben,
        follow(people, "eve") as eve,
        follow(people, "root") as root,
    ):
        await done(people, CREATE, "ann", id="m", name="One", params={"system": "secret"})
        await done(people, SHARE, "ann", id="m", access_grants=to_team)
        await done(people, UPDATE, "ann", id="m", name="Two")
        listed = (await people.page("ben"))["items"]
        await done(people, SHARE, "ann", id="m", access_grants=[grant("user:eve", "write")])
        await done(people, UPDATE, "eve", id="m", name="Three")
        await done(people, DELETE, "eve", id="m")
        whole = [("created", "m"), *[("updated", "m")] * 4, ("deleted", "m")]
        assert await ann.seen(6) == await root.seen(6) == whole
        assert await ben.seen(3) == [("added", "m"), ("updated", "m"), ("removed", "m")]
        assert await eve.seen(3) == [("added", "m"), ("updated", "m"), ("deleted", "m")]
        assert [event.data for event in ben.events][1:] == [*listed, {"id": "m"}]
        assert [event.data.get("params") for event in ben.events] == [{}, {}, None]
        assert [event.data.get("version") for event in eve.events] == [4, 5, None]
        assert eve.events[0].data["params"] == {"system": "secret"}
        assert ann.response_headers["content-type"].startswith("text/event-stream")


async def test_a_change_of_groups_asks_to_get_the_models_anew_and_nothing_later_is_shown(people: Directory) -> None:
    await done(people, CREATE, "ann", id="m", name="One", access_grants=[grant("group:org")])
    async with follow(people, "ben") as ben, follow(people, "ann") as ann:
        await done(people, "/api/groups/members/remove", "root", id="team", user_ids=["ben"])
        await ben.seen(1)
        await done(people, UPDATE, "ann", id="m", name="Two")
        await done(people, "/api/users/update", "root", id="ben", name="Ben")
        await done(people, "/api/groups/members/add", "root", id="team", user_ids=["ben"])
        assert await ben.seen(2) == [("resync", None)] * 2
        await done(people, UPDATE, "ann", id="m", name="Three")
        assert (await ben.seen(3))[2:] == [("updated", "m")]
        await done(people, "/api/groups/update", "root", id="team", parent_id=None)
        await ben.seen(4)
        await done(people, UPDATE, "ann", id="m", name="Four")
        await done(people, "/api/users/update", "root", id="ben", role="admin")
        await ben.seen(5)
        await done(people, UPDATE, "ann", id="m", name="Five")
        assert (await ben.seen(6))[3:] == [("resync", None), ("resync", None), ("updated", "m")]
        assert [event.data.get("name") for event in ben.events if event.name == "updated"] == ["Three", "Five"]
        await ann.seen(4)
        assert [event.data["name"] for event in ann.events] == ["Two", "Three", "Four", "Five"]


async def test_what_changes_between_leaving_a_group_and_joining_it_is_never_shown(people: Directory) -> None:
    await done(people, CREATE, "ann", id="m", name="0", access_grants=[grant("group:org")])
    over = asyncio.Event()
    # Odd while it is certain that ben is outside.
    period = 0
    hidden: set[str] = set()

    async def rename(user: str, begin: int) -> None:
        number = begin
        while not over.is_set():
            number += 2
            began_in = period
            await done(people, UPDATE, user, id="m", name=f"{number}")
            if began_in == period and period % 2:
                hidden.add(f"{number}")

    async with follow(people, "ben") as ben:
        renaming = [asyncio.create_task(rename(user, number)) for number, user in enumerate(("ann", "root"))]
        for _ in range(repetitions(4, 40)):
            await done(people, "/api/groups/members/remove", "root", id="team", user_ids=["ben"])
            period += 1
            enough = len(hidden) + 3
            await until(partial(lambda least: len(hidden) >= least, enough))
            period += 1
            await done(people, "/api/groups/members/add", "root", id="team", user_ids=["ben"])
        # Once their rights were read again, they are shown what changes from then on.
        await ben.until(lambda: ben.briefs[-1:] == [("updated", "m")])
        over.set()
        await asyncio.gather(*renaming)
    shown = {event.data["name"] for event in ben.events if event.name == "updated"}
    assert shown and hidden and not shown & hidden
    versions = [event.data["version"] for event in ben.events if event.name == "updated"]
    assert versions == sorted(set(versions))


async def test_an_imported_history_is_no_change(people: Directory) -> None:
    content: dict[str, Any] = {
        "user_id": "ann",
        "base_model_id": None,
        "name": "Old",
        "params": {},
        "meta": {},
        "is_active": True,
    }
    # As an import stores what another system has recorded.
    imported: dict[str, Any] = {
        **{"_id": "0" * 32, "model_id": "m", "version": int64(1), "at": datetime(2025, 1, 1, tzinfo=UTC), "by": None},
        **{"change": "import", "fields": ["name"], "image_kept": False, "before": None},
        "after": {**content, "access_grants": []},
    }
    async with follow(people, "ann") as ann:
        assert await people.database.insert_record(Revision, imported)
        await done(people, CREATE, "ann", id="m", name="New")
        assert await ann.seen(1) == [("created", "m")]
        assert ann.events[0].data["version"] == 2


async def test_the_end_of_a_group_hides_what_it_gave(people: Directory) -> None:
    await done(people, CREATE, "ann", id="m", name="0", access_grants=[grant("group:org")])
    async with follow(people, "ben") as ben, follow(people, "ann") as ann:
        await done(people, "/api/groups/delete", "root", id="org")
        await done(people, UPDATE, "ann", id="m", name="1")
        assert await ann.seen(2) == [("updated", "m")] * 2
        for number in range(1_000):
            # The first may come before their rights were read again.
            await done(people, CREATE, "ann", id=f"public-{number}", name="P", access_grants=[grant("user:*")])
            if "created" in dict(ben.briefs):
                break
        assert {name for name, _ in ben.briefs} == {"resync", "created"}


@pytest.mark.parametrize("how", ["revoked", "deactivated", "expires", "deleted"])
async def test_it_ends_at_once_with_the_credential(people: Directory, how: str) -> None:
    _, running = await begin(people, "ben")
    if how == "expires":
        moment = datetime.now(UTC) + timedelta(seconds=1)
        assert await people.database.update_one(ApiKey, {"user_id": "ben"}, {"$set": {"expires_at": moment}})
    if how == "revoked":
        identifier = (await people.get("/api/keys", "ben")).json()[0]["id"]
        await done(people, "/api/keys/revoke", "ben", id=identifier)
    elif how == "deactivated":
        await done(people, "/api/users/update", "root", id="ben", is_active=False)
    elif how == "deleted":
        await done(people, "/api/users/delete", "root", id="ben")
    exchange = await asyncio.wait_for(running, 10)
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_who_comes_back_gets_what_they_missed_once(people: Directory) -> None:
    await done(people, CREATE, "ann", id="m", name="0", access_grants=[grant("group:org")])
    async with follow(people, "ben") as ben:
        beginning = ben.token
        await done(people, UPDATE, "ann", id="m", name="1")
        await ben.seen(1)
    for name in ("2", "3"):
        await done(people, UPDATE, "ann", id="m", name=name)
    await done(people, CREATE, "ann", id="hidden", name="hidden")
    await done(people, DELETE, "ann", id="m")
    expected = [("updated", "2"), ("updated", "3"), ("deleted", None)]
    async with follow(people, "ben", last=ben.token) as again, follow(people, "ben", since=beginning) as whole:
        await again.seen(3)
        assert [(event.name, event.data.get("name")) for event in again.events] == expected
        await whole.seen(4)
        assert [(event.name, event.data.get("name")) for event in whole.events] == [("updated", "1"), *expected]
        assert [event.data.get("version") for event in whole.events] == [2, 3, 4, None]
        created = {event.data["created_at"] for event in whole.events[:3]}
        assert len(created) == 1
    async with follow(people, "ben", last=whole.token, follow="false") as nothing:
        assert nothing.events == []
