"""Until when somebody could read a model that they can't read any more, and through what."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.models.access import former
from tests.support.access_explanation import ACCESS, explanation
from tests.support.directory import Directory, grant, model
from tests.support.every_case import repetitions

Raw = SyncDatabase[dict[str, Any]]
USERS, GROUPS, MODEL = "/api/users", "/api/groups", "/api/models/model"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def shared(directory: Directory, raw: Raw) -> Directory:
    """A directory whose model `m` the group `top` may read, with low < mid < top and ann in low; all of it recorded."""
    await directory.user("root", role=Role.ADMIN)
    for group, parent in (("top", None), ("mid", "top"), ("low", "mid"), ("aside", None)):
        await _do(directory, f"{GROUPS}/create", id=group, name=group, parent_id=parent)
    await _do(directory, f"{USERS}/create", id="ann", email="ann@x.org", name="Ann", group_ids=["low"])
    await _do(directory, f"{USERS}/create", id="owner", email="owner@x.org", name="Owner")
    await _do(directory, "/api/models/create", id="m", name="M", access_grants=[grant("group:top")])
    await _do(directory, f"{USERS}/transfer", from_user_id="root", to_user_id="owner")
    _age(raw, LONG_AGO)
    return directory


def _age(raw: Raw, moment: datetime) -> None:
    for collection in ("people_changes", "revisions"):
        raw[collection].update_many({"at": {"$gt": datetime(2026, 6, 1, tzinfo=UTC)}}, {"$set": {"at": moment}})


async def _do(directory: Directory, path: str, **body: Any) -> None:
    answer = await directory.post(path, "root", body)
    assert answer.status_code == 200, answer.text


def _left(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{GROUPS}/members/remove", id="low", user_ids=["ann"])


def _moved(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{GROUPS}/update", id="mid", parent_id="aside")


def _deleted(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{GROUPS}/delete", id="low")


def _granting_deleted(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{GROUPS}/delete", id="top")


def _revoked(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{MODEL}/access/update", id="m", access_grants=[])


def _deactivated(directory: Directory) -> Awaitable[None]:
    return _do(directory, f"{USERS}/update", id="ann", is_active=False)


LOSSES = [_left, _moved, _deleted, _granting_deleted, _revoked, _deactivated]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_each_loss_tells_when_and_through_what(
    shared: Directory, raw: Raw, lose: Callable[[Directory], Awaitable[None]]
) -> None:
    assert (await explanation(shared, "ann"))["former"] is None
    await lose(shared)
    lost_at = LONG_AGO + timedelta(days=1)
    _age(raw, lost_at)
    # What changes later, and gives nothing, is undone before.
    await _do(shared, f"{USERS}/update", id="ann", name="Anna")
    await _do(shared, f"{GROUPS}/members/add", id="aside", user_ids=["ann"])
    await _do(shared, f"{MODEL}/update", id="m", name="N")

    explained = await explanation(shared, "ann")
    assert (explained["can_read"], explained["paths"]) == (False, [])
    assert explained["former"]["until"] == lost_at.timestamp()
    [path] = explained["former"]["paths"]
    assert (path["kind"], path["via"], path["permission"]) == ("ancestor_group", ["low", "mid", "top"], "read")
    sentence = " Until 2026-01-02T00:00:00Z they could read it, since it was shared with the group top, an ancestor of "
    assert f"{sentence}their group low." in explained["reason"]


async def test_a_role_and_an_ownership_are_lost_too(shared: Directory, raw: Raw) -> None:
    await _left(shared)
    await _do(shared, f"{USERS}/update", id="ann", role="admin")
    _age(raw, LONG_AGO + timedelta(days=1))
    await _do(shared, f"{USERS}/update", id="ann", role="user")
    assert "they could write it, since they were an admin." in (await explanation(shared, "ann"))["reason"]
    await _do(shared, f"{USERS}/transfer", from_user_id="owner", to_user_id="root")
    explained = await explanation(shared, "owner", "root")
    assert [path["kind"] for path in explained["former"]["paths"]] == ["owner"]


async def test_only_those_who_may_ask_about_others_are_told(shared: Directory) -> None:
    await _left(shared)
    assert (await shared.get(ACCESS, "ann", id="m", user_id="ann")).status_code == 404
    await _do(shared, f"{MODEL}/access/update", id="m", access_grants=[grant("user:*")])
    assert (await shared.get(ACCESS, "ann", id="m", user_id="owner")).status_code == 403


async def test_an_earlier_model_and_an_earlier_user_of_the_same_id_do_not_count(shared: Directory) -> None:
    await _do(shared, f"{MODEL}/delete", id="m")
    await _do(shared, "/api/models/create", id="m", name="New")
    assert (await explanation(shared, "ann", "root"))["former"] is None
    await _do(shared, f"{MODEL}/access/update", id="m", access_grants=[grant("group:top")])
    await _do(shared, f"{USERS}/delete", id="ann")
    await _do(shared, f"{USERS}/create", id="ann", email="new@x.org", name="Other")
    assert (await explanation(shared, "ann", "root"))["former"] is None


async def test_nothing_is_said_where_too_much_has_changed(shared: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    await _left(shared)
    for name in ("A", "B", "C"):
        await _do(shared, f"{USERS}/update", id="ann", name=name)
    assert (await explanation(shared, "ann"))["former"] is not None
    monkeypatch.setattr(former, "MAX_CHANGES", 3)
    assert (await explanation(shared, "ann"))["former"] is None
    monkeypatch.undo()
    monkeypatch.setattr(former, "MAX_GROUPS", 1)
    assert (await explanation(shared, "ann"))["former"] is None


async def test_what_was_before_anything_was_recorded_is_not_known(directory: Directory, tmp_path: Path) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.load({"models": [model("m", "root", access_grants=[grant("user:ann")])]}, tmp_path)
    await _do(directory, f"{MODEL}/access/update", id="m", access_grants=[])
    assert (await explanation(directory, "ann", "root"))["former"] is None


@pytest.mark.parametrize("seed", range(repetitions(2, 12)))
async def test_random_losses_agree_with_what_was_seen(shared: Directory, raw: Raw, seed: int) -> None:
    """After each change, each in a minute of its own, it is noted whether ann could read the model."""
    chance = random.Random(seed)
    groups = ["top", "mid", "low", "aside"]
    seen: list[tuple[datetime, bool]] = [(LONG_AGO, True)]
    for minute in range(1, 25):
        group, other = chance.sample(groups, 2)
        path, body = chance.choice(
            [
                (f"{GROUPS}/members/add", {"id": group, "user_ids": ["ann"]}),
                (f"{GROUPS}/members/remove", {"id": group, "user_ids": ["ann"]}),
                (f"{GROUPS}/update", {"id": group, "parent_id": chance.choice([other, None])}),
                (f"{GROUPS}/delete", {"id": group}),
                (f"{GROUPS}/create", {"id": group, "name": "N", "parent_id": other}),
                (f"{USERS}/update", {"id": "ann", "is_active": chance.random() < 0.7}),
                (f"{MODEL}/access/update", {"id": "m", "access_grants": [grant(f"group:{group}")]}),
                (f"{MODEL}/access/update", {"id": "m", "access_grants": [grant("user:ann")]}),
                (f"{MODEL}/access/update", {"id": "m", "access_grants": []}),
            ]
        )
        await shared.post(path, "root", body)
        moment = LONG_AGO + timedelta(minutes=minute)
        _age(raw, moment)
        explained = await explanation(shared, "ann", "root")
        seen.append((moment, explained["can_read"]))
        lost = [at for (_, before), (at, after) in pairwise(seen) if before and not after]
        if explained["can_read"]:
            assert explained["former"] is None
        elif explained["former"] is None:
            assert not lost, path
        else:
            assert explained["former"]["until"] == lost[-1].timestamp(), path
