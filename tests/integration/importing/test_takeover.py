"""Concurrent imports to the ids of other users' models, while those are changed, deleted and created again."""

import asyncio
import json
import os
import random
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.models.store import store_planned
from tests.integration.importing.test_import_sent import send
from tests.support.directory import Directory, grant

Raw = SyncDatabase[dict[str, Any]]
Calls = list[Awaitable[httpx.Response]]
MODELS = "/api/models"
THIEVES = ("eve", "mal")
OWNERS = ("ann", "ben")
# More of them: TAKEOVER_ROUNDS=200 pytest tests/integration/importing/test_takeover.py
ROUNDS = int(os.environ.get("TAKEOVER_ROUNDS", "2"))
SEED = int(os.environ.get("TAKEOVER_SEED", "20240229"))
# Success, or a refusal with a reason; two requests of one kind can also conflict with each other.
ANSWERED = {200, 403, 404, 409, 412, 422, 503}


def _model_from(model_id: str, user_id: str) -> dict[str, Any]:
    """Return a model whose fields all contain the id of its sender."""
    content = {"name": f"of {user_id}", "params": {"system": user_id}, "meta": {"description": user_id}}
    return {"id": model_id, "base_model_id": f"base-of-{user_id}", **content}


def _import_requests(directory: Directory, user: str, ids: list[str]) -> Calls:
    models = [_model_from(model_id, user) for model_id in ids]
    return [
        directory.post(f"{MODELS}/import", user, {"models": models[:1]}),
        directory.post(f"{MODELS}/create", user, models[1]),
        directory.post("/api/v1/models/import", user, {"models": models[2:3]}),
        send(directory, user, {"models": models}, atomic=False),
        send(directory, user, {"models": models}, atomic=False, mine=True),
    ]


def _takeover_requests(directory: Directory, thief: str, ids: list[str]) -> Calls:
    taken = [
        {**_model_from(model_id, thief), "user_id": thief, "access_grants": [grant("user:*", "write")]}
        for model_id in ids
    ]
    return [
        *_import_requests(directory, thief, ids),
        directory.post(f"{MODELS}/import", thief, {"models": taken}),
        send(directory, thief, {"models": taken}, atomic=True),
        send(directory, thief, taken, atomic=False, mine=True, format="openwebui"),
    ]


def _owner_requests(directory: Directory, owner: str, ids: list[str]) -> Calls:
    async def create_again(model_id: str) -> httpx.Response:
        await directory.post(f"{MODELS}/model/delete", owner, {"id": model_id})
        return await directory.post(f"{MODELS}/create", owner, _model_from(model_id, owner))

    return [
        *(create_again(model_id) for model_id in ids),
        *(directory.post(f"{MODELS}/model/toggle", owner, id=model_id) for model_id in ids),
        directory.post(f"{MODELS}/import", owner, {"models": [_model_from(model_id, owner) for model_id in ids]}),
        send(directory, owner, {"models": [_model_from(model_id, owner) for model_id in ids]}, atomic=False),
    ]


def _require_whole(record: dict[str, Any], owner: str) -> None:
    """Assert that the whole content of a record is what its owner sent."""
    expected = {**_model_from(record["_id"], owner), "user_id": owner, "access_grants": []}
    assert {field: record["_id" if field == "id" else field] for field in expected} == expected, record
    assert record["keys"]["readers"] == record["keys"]["writers"] == [f"user:{owner}"]


async def test_nothing_of_others_is_changed_whoever_is_faster(directory: Directory, raw: Raw) -> None:
    for user in (*THIEVES, *OWNERS):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        ids = {owner: [f"{owner}-{number}-{at}" for at in range(3)] for owner in OWNERS}
        for owner, own in ids.items():
            for model_id in own:
                await directory.post(f"{MODELS}/create", owner, _model_from(model_id, owner))
        everything = [model_id for own in ids.values() for model_id in own]
        calls = [call for owner, own in ids.items() for call in _owner_requests(directory, owner, own)]
        calls += [
            call for thief in THIEVES for call in _takeover_requests(directory, thief, chance.sample(everything, 3))
        ]
        chance.shuffle(calls)
        for answer in await asyncio.gather(*calls):
            assert answer.status_code in ANSWERED, answer.text
    for record in raw.models.find():
        _require_whole(record, record["_id"].partition("-")[0])
    # No revision in between was written by or belongs to somebody else either.
    for revision in raw.revisions.find():
        owner = revision["model_id"].partition("-")[0]
        assert revision["by"] == owner, revision
        assert all(side is None or side["user_id"] == owner for side in (revision["before"], revision["after"]))
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_of_several_who_want_a_new_id_one_gets_it_whole(directory: Directory, raw: Raw) -> None:
    everybody = (*THIEVES, *OWNERS)
    for user in everybody:
        await directory.user(user)
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        ids = [f"new-{number}-{at}" for at in range(3)]
        calls = [call for user in everybody for call in _import_requests(directory, user, ids)]
        chance.shuffle(calls)
        for answer in await asyncio.gather(*calls):
            assert answer.status_code in ANSWERED, answer.text
    records = list(raw.models.find())
    assert len(records) == 3 * ROUNDS
    for record in records:
        owner = record["user_id"]
        assert owner in everybody
        expected = _model_from(record["_id"], owner)
        assert {field: record["_id" if field == "id" else field] for field in expected} == expected
        makers = raw.revisions.distinct("by", {"model_id": record["_id"]})
        assert makers == [owner]
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_an_id_that_is_somebody_elses_since_an_import_was_decided_is_not_taken(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("ann", "eve"):
        await directory.user(user)
    made: list[int] = []

    async def after_others(*arguments: Any, **options: Any) -> list[int]:
        if not made:
            made.append((await directory.post(f"{MODELS}/create", "ann", {"id": "m", "name": "M"})).status_code)
            made.append((await directory.post(f"{MODELS}/model/delete", "ann", {"id": "m"})).status_code)
        return await store_planned(*arguments, **options)

    monkeypatch.setattr("service.importing.writers.models.store_planned", after_others)
    answer = await send(directory, "eve", {"models": [{"id": "m", "name": "Mine"}]}, atomic=False)
    assert made == [200, 200]
    assert [step["outcome"] for step in answer.json()["steps"]] == ["rejected"]
    assert (await directory.page("eve"))["total"] == 0


async def test_an_owner_who_is_not_here_reveals_no_owner_of_a_hidden_model(directory: Directory) -> None:
    await directory.user("owner-of-it")
    await directory.user("ben")
    await directory.user("root", role=Role.ADMIN)
    created = await directory.post("/api/models/create", "owner-of-it", {"id": "hidden", "name": "Hidden"})
    assert created.status_code == 200, created.text
    line = json.dumps({"kind": "model", "id": "hidden", "name": "X", "user_id": "nobody"}).encode()

    async def sent(user: str) -> str:
        headers = {"Authorization": f"Bearer {await directory.key(user)}"}
        path = "/api/models/import?format=modeldeck&atomic=false&dry_run=true"
        return (await directory.client.post(path, content=line, headers=headers)).text

    assert "owner-of-it" not in await sent("ben")
    # An admin may know.
    assert "owner-of-it" in await sent("root")
