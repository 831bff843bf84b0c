"""A user with write permission who is not the owner cannot become the owner, share the model or gain rights."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.support.directory import Directory, grant, model
from tests.support.every_case import sample

pytestmark = pytest.mark.exhaustive

Raw = SyncDatabase[dict[str, Any]]
Send = Callable[[str, Any], Awaitable[httpx.Response]]

WRITERS = ("by-name", "by-group", "by-ancestor", "by-everyone")
SHARED = {
    "by-name": [grant("user:by-name", "write"), grant("user:reader")],
    "by-group": [grant("group:team", "write"), grant("user:reader")],
    "by-ancestor": [grant("group:org", "write"), grant("user:reader")],
    "by-everyone": [grant("user:*", "write")],
}
MODEL = "team/m:1"
MODELS = "/api/models"
# The fields that only the owner and admins may change, and the derived keys computed from them.
HELD = {"user_id": 1, "access_grants": 1, "created_at": 1, "keys.readers": 1, "keys.writers": 1}

SELECTED: list[dict[str, Any]] = [{"ids": [MODEL]}, {"filter": {}}, {"filter": {"view_option": "shared"}}]


def wanted(writer: str) -> list[list[dict[str, str]]]:
    """Return grants by which a writer would gain access."""
    return [[], [grant("user:*")], [grant("user:*", "write")], [grant(f"user:{writer}", "write")], [grant("user:mate")]]


def bodies(writer: str) -> list[tuple[str, Any]]:
    """Return every request with which a writer could try to gain access, as a path below /models and a body."""
    changes: list[dict[str, Any]] = [{"access_grants": grants} for grants in wanted(writer)]
    changes += [
        {"user_id": writer},
        {"user_id": writer, "access_grants": []},
        {"owner": writer},
        {"user": {"id": writer}},
    ]
    changes += [{"access_control": None}, {"keys": {"readers": ["user:*"], "writers": ["user:*"]}}, {"created_at": 1}]
    requests: list[tuple[str, Any]] = []
    for number, content in enumerate(changes):
        whole = {"id": MODEL, "name": f"Taken {number}", "meta": {}, "params": {}, **content}
        requests += [("model/update", {"id": MODEL, **content}), ("model/update", whole)]
        requests += [("import", {"models": [whole]}), ("import", {"models": [{"id": MODEL, **content}]})]
        requests += [("sync", {"models": [whole], "max_deletions": "100%"}), ("create", whole)]
        for options in ("", "&atomic=false&mine=true"):
            requests.append((f"import?format=modeldeck{options}", {"models": [whole]}))
            requests.append((f"import?format=openwebui{options}", [whole]))
        requests.append(("import?format=modeldeck&atomic=false", {"models": [whole], "users": [PROMOTED]}))
    for grants in wanted(writer):
        requests.append(("model/access/update", {"id": MODEL, "access_grants": grants}))
        for selected in SELECTED:
            requests.append(("bulk/access", {**selected, "replace": grants}))
            requests.append(("bulk/access", {**selected, "add": grants}))
    removed = {"principal_type": "user", "principal_id": "reader"}
    requests += [("bulk/access", {**selected, "remove": [removed]}) for selected in SELECTED]
    return requests


PROMOTED = {"id": "mate", "name": "Mate", "email": "mate@example.com", "role": "admin"}
# Requests for admins only: with any of these, a writer could access every model.
OF_ADMINS: list[tuple[str, Any]] = [
    ("/api/users/transfer", {"from_user_id": "owner", "to_user_id": "mate"}),
    ("/api/users/update", {"id": "mate", "role": "admin"}),
    ("/api/users/create", {"email": "new@example.com", "name": "New", "role": "admin"}),
    ("/api/users/delete", {"id": "owner"}),
    ("/api/users/keys/create", {"user_id": "owner", "name": "k"}),
    ("/api/groups/members/add", {"id": "team", "user_ids": ["mate"]}),
    ("/api/groups/create", {"name": "Mine", "parent_id": "org"}),
    ("/api/groups/update", {"id": "team", "parent_id": None}),
]


async def _set_up(directory: Directory, tmp_path: Path, writer: str) -> Send:
    await directory.group("org")
    await directory.group("team", "org")
    for user in ("owner", "reader", "mate", "by-name", "by-everyone"):
        await directory.user(user)
    for user in ("by-group", "by-ancestor"):
        await directory.user(user, groups=["team"])
    await directory.load({"models": [model(MODEL, "owner", access_grants=SHARED[writer])]}, tmp_path)
    headers = {"Authorization": f"Bearer {await directory.key(writer)}"}

    async def send(path: str, body: Any) -> httpx.Response:
        return await directory.client.post(path, content=json.dumps(body).encode(), headers=headers)

    return send


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_writer_can_not_share_or_take_a_model(
    directory: Directory, raw: Raw, tmp_path: Path, writer: str
) -> None:
    send = await _set_up(directory, tmp_path, writer)
    held, people = raw.models.find_one({"_id": MODEL}, HELD), list(raw.users.find().sort("_id"))
    written = set()
    for prefix in (MODELS, "/api/v1/models"):
        # The writers take turns, so that everything is tried by one of them.
        for path, body in sample(bodies(writer), len(WRITERS), WRITERS.index(writer)):
            answer = await send(f"{prefix}/{path}", body)
            assert raw.models.find_one({"_id": MODEL}, HELD) == held, (path, body, answer.text)
            assert answer.status_code in (200, 403, 409, 422), (path, body, answer.text)
            written.add((raw.models.find_one({"_id": MODEL}) or {})["version"])
    for path, body in OF_ADMINS:
        assert (await send(path, body)).status_code == 403, path
    assert list(raw.users.find().sort("_id")) == people
    assert {record["_id"] for record in raw.models.find()} == {MODEL}
    # The writes succeed; only the owner and the grants stay unchanged.
    assert len(written) > 3
    for revision in raw.revisions.find({"version": {"$gt": 1}}):
        assert revision["before"]["user_id"] == revision["after"]["user_id"] == "owner"
        assert "access_grants" not in revision["fields"]


async def test_a_revision_brings_neither_its_owner_nor_its_grants_back(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    # A model that the writer owned and made public, and that now belongs to someone else.
    send = await _set_up(directory, tmp_path, "by-name")
    await directory.user("root", role=Role.ADMIN)
    mine = {"id": "was-mine", "name": "Open", "access_grants": [grant("user:*", "write"), grant("user:mate")]}
    assert (await send(f"{MODELS}/create", mine)).status_code == 200
    moved = {"from_user_id": "by-name", "to_user_id": "owner", "ids": ["was-mine"]}
    assert (await directory.post("/api/users/transfer", "root", moved)).json()["transferred"] == 1
    shared = {"id": "was-mine", "access_grants": [grant("user:by-name", "write")]}
    assert (await directory.post(f"{MODELS}/model/access/update", "owner", shared)).status_code == 200
    held = raw.models.find_one({"_id": "was-mine"}, HELD)
    assert (await send(f"{MODELS}/model/update", {"id": "was-mine", "name": "Closed"})).status_code == 200
    for revision in [one["_id"] for one in raw.revisions.find({"model_id": "was-mine"}).sort("version")]:
        for prefix in (MODELS, "/api/v1/models"):
            body = {"id": "was-mine", "revision": revision}
            assert (await send(f"{prefix}/model/history/restore", body)).status_code == 200
            assert raw.models.find_one({"_id": "was-mine"}, HELD) == held
    assert (raw.models.find_one({"_id": "was-mine"}) or {})["name"] == "Closed"


async def test_only_the_owner_can_use_the_id_of_a_deleted_model_again(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    send = await _set_up(directory, tmp_path, "by-name")
    revision = (raw.revisions.find_one({"model_id": MODEL}) or {})["_id"]
    assert (await send(f"{MODELS}/model/delete", {"id": MODEL})).json() is True
    for prefix in (MODELS, "/api/v1/models"):
        for path, body in sample(bodies("by-name"), 3):
            answer = await send(f"{prefix}/{path}", body)
            assert raw.models.count_documents({}) == 0, (path, body, answer.text)
        restored = await send(f"{prefix}/model/history/restore", {"id": MODEL, "revision": revision})
        assert restored.status_code == 404
    again = await directory.post(f"{MODELS}/create", "owner", {"id": MODEL, "name": "Back"})
    assert again.status_code == 200
