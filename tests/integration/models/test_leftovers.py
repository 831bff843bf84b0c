"""Leftovers of interrupted deletions and of writes past the service give no rights and block nothing."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.directory import LIST, Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]
MODEL = "/api/models/model"


@pytest.fixture
async def shared(directory: Directory, tmp_path: Path) -> Directory:
    """A directory with a grant to a user and one to a group."""
    await directory.group("team")
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    grants = [grant("user:ann"), grant("group:team")]
    await directory.load({"models": [model("m", "bob", access_grants=grants)]}, tmp_path)
    return directory


def _granted_to_the_group_alone(raw: Raw) -> None:
    raw.models.update_one(
        {"_id": "m"}, {"$pull": {"access_grants": {"principal_id": "ann"}, "keys.readers": "user:ann"}}
    )


async def test_a_new_user_inherits_nothing_of_an_earlier_one_with_their_id(shared: Directory, raw: Raw) -> None:
    raw.users.delete_one({"_id": "ann"})
    body = {"id": "ann", "email": "other@example.com", "name": "Other Ann"}
    assert (await shared.post("/api/users/create", "root", body)).status_code == 200
    assert (await shared.get(LIST, "ann")).status_code == 401
    key = (await shared.post("/api/users/keys/create", "root", {"user_id": "ann", "name": "k"})).json()["key"]
    answer = await shared.client.get(LIST, headers={"Authorization": f"Bearer {key}"})
    assert answer.json() == {"items": [], "total": 0, "next_cursor": None}
    history = (await shared.get(f"{MODEL}/history", "bob", id="m")).json()["items"]
    assert history[0]["fields"] == ["access_grants"]


async def test_a_new_group_inherits_nothing_of_an_earlier_one_with_its_id(shared: Directory, raw: Raw) -> None:
    await shared.group("below", "team")
    await shared.post("/api/groups/members/add", "root", {"id": "team", "user_ids": ["ann"]})
    raw.models.update_one(
        {"_id": "m"}, {"$pull": {"access_grants": {"principal_id": "ann"}, "keys.readers": "user:ann"}}
    )
    assert await shared.ids("ann") == ["m"]
    raw.groups.delete_one({"_id": "team"})
    assert (await shared.post("/api/groups/create", "root", {"id": "team", "name": "Other"})).status_code == 200
    assert await shared.ids("ann") == []
    assert (await shared.get("/api/groups/members", "root", id="team")).json()["total"] == 0
    assert (await shared.get("/api/groups/group", "root", id="below")).json()["parent_id"] is None


async def test_an_import_brings_new_people_without_what_was_left(shared: Directory, raw: Raw, tmp_path: Path) -> None:
    raw.users.delete_one({"_id": "ann"})
    raw.groups.delete_one({"_id": "team"})
    users = [{"id": "ann", "name": "Ann", "email": "ann@example.com"}]
    await shared.load({"users": users, "groups": [{"id": "team", "name": "T", "member_ids": ["ann"]}]}, tmp_path)
    assert raw.models.count_documents({"access_grants": []}) == 1
    assert (await shared.get(LIST, "ann")).status_code == 401


async def test_the_doctor_finds_grants_to_nobody(shared: Directory, raw: Raw) -> None:
    raw.users.delete_one({"_id": "ann"})
    found = await examine(shared.database, repair=False)
    assert found.examples == ["model 'm' has a grant to the user 'ann', which does not exist"]
    assert (await examine(shared.database, repair=True)).repaired == 1
    assert (await examine(shared.database, repair=False)).problems == 0
    assert (await shared.get(MODEL, "bob", id="m")).json()["version"] == 2


@pytest.mark.sampled(2)
@pytest.mark.parametrize("junk", ["junk", 5, None, {"principal_type": "user"}, {**grant("user:ann"), "id": 5}])
async def test_a_malformed_grant_stands_in_the_way_of_its_record_only(
    shared: Directory, raw: Raw, tmp_path: Path, junk: Any
) -> None:
    await shared.load({"models": [model("sound", "bob", access_grants=[grant("user:ann")])]}, tmp_path)
    raw.models.update_one({"_id": "m"}, {"$push": {"access_grants": junk}})
    answer = await shared.post("/api/users/delete", "root", {"id": "ann"})
    assert (answer.status_code, "access_grants" in answer.json()["detail"]) == (409, True)
    assert (await shared.get(LIST, "ann")).status_code == 401
    assert (await shared.get(MODEL, "bob", id="sound")).json()["access_grants"] == []
    for path in ("/api/models/model/update", "/api/models/model/access/update"):
        body: dict[str, Any] = {"id": "m", **({"access_grants": []} if "access" in path else {"name": "N"})}
        assert (await shared.post(path, "bob", body)).status_code == 409
    states = await shared.post("/api/models/bulk/state", "bob", {"filter": {}, "is_active": False})
    assert states.json()["counts"] == {"changed": 1, "unchanged": 0, "not_found": 0, "failed": 1}
    assert (await examine(shared.database, repair=True)).problems > 0
    raw.models.update_one({"_id": "m"}, {"$pull": {"access_grants": junk}})
    assert (await shared.post("/api/users/delete", "root", {"id": "ann"})).json() is True


async def test_a_transfer_stops_when_the_new_owner_leaves(shared: Directory, raw: Raw, tmp_path: Path) -> None:
    await shared.load({"models": [model(f"n{number:03}", "bob") for number in range(150)]}, tmp_path)
    find, seen = shared.database.count, 0

    async def leaving(kind: Any, query: Any) -> int:
        nonlocal seen
        seen += query.get("_id") == "ann"
        if seen == 2:
            raw.users.update_one({"_id": "ann"}, {"$set": {"leaving": True}})
        return await find(kind, query)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.database, "count", leaving)
        body = {"from_user_id": "bob", "to_user_id": "ann"}
        answer = await shared.post("/api/users/transfer", "root", body)
    assert answer.status_code == 422
    assert raw.models.count_documents({"user_id": "bob"}) >= 50


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "change",
    [
        {"$unset": {"name": 1}},
        {"$set": {"email": 5}},
        {"$set": {"username": ""}},
        {"$set": {"group_ids": "team"}},
        {"$set": {"group_ids": None}},
        {"$unset": {"keys": 1}},
    ],
)
async def test_a_malformed_user_is_still_answered_and_can_be_kept(shared: Directory, raw: Raw, change: Any) -> None:
    raw.users.update_one({"_id": "ann"}, change)
    raw.api_keys.insert_one({"_id": "odd", "user_id": "ann"})
    raw.groups.update_one({"_id": "team"}, {"$unset": {"name": 1}})
    assert (await shared.get("/api/me", "ann")).status_code == 200
    assert (await shared.get("/api/keys", "ann")).status_code == 200
    assert (await shared.post("/api/keys/create", "ann", {"name": "k"})).status_code == 200
    for path, body in (
        ("users/keys/create", {"user_id": "ann", "name": "k"}),
        ("users/keys/revoke", {"user_id": "ann", "id": "odd"}),
        ("groups/members/add", {"id": "team", "user_ids": ["ann", "bob"]}),
        ("groups/members/remove", {"id": "team", "user_ids": ["ann", "bob"]}),
        ("users/update", {"id": "ann", "is_active": True}),
        ("groups/delete", {"id": "team"}),
        ("users/delete", {"id": "ann"}),
    ):
        answer = await shared.post(f"/api/{path}", "root", body)
        assert answer.status_code == 200, (path, answer.text)
    for path in ("users", "groups"):
        assert (await shared.get(f"/api/{path}", "root")).status_code == 200


async def test_a_membership_that_is_no_list_gives_nothing(shared: Directory, raw: Raw) -> None:
    raw.models.update_one(
        {"_id": "m"}, {"$pull": {"access_grants": {"principal_id": "ann"}, "keys.readers": "user:ann"}}
    )
    raw.users.update_one({"_id": "ann"}, {"$set": {"group_ids": "team"}})
    assert await shared.ids("ann") == []
    people = (await shared.get(f"{MODEL}/access", "root", id="m")).json()["items"]
    assert [one["user"]["id"] for one in people] == ["bob", "root"]


async def test_an_owner_learns_no_emails_of_those_they_share_with(shared: Directory) -> None:
    people = (await shared.get(f"{MODEL}/access", "bob", id="m")).json()["items"]
    assert {one["user"]["id"]: one["user"]["email"] for one in people} == {
        "ann": None,
        "bob": "bob@example.com",
        "root": None,
    }
