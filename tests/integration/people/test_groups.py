"""Managing groups over REST, as an admin."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.people.groups import ancestors
from tests.support.directory import Directory, grant, model
from tests.support.every_case import repetitions

Raw = SyncDatabase[dict[str, Any]]

GROUPS, GROUP, CREATE, UPDATE = "/api/groups", "/api/groups/group", "/api/groups/create", "/api/groups/update"
DELETE, MEMBERS, ADD, REMOVE = (
    "/api/groups/delete",
    "/api/groups/members",
    *(f"/api/groups/members/{change}" for change in ("add", "remove")),
)
ME, HISTORY = "/api/me", "/api/models/model/history"


@pytest.fixture
async def company(directory: Directory) -> AsyncIterator[Directory]:
    """A directory with groups company > team > squad, ann in team and bob in squad; consistent at the end."""
    await directory.user("root", role=Role.ADMIN)
    await directory.group("company")
    await directory.group("team", parent="company")
    await directory.group("squad", parent="team")
    await directory.user("ann", groups=["team"])
    await directory.user("bob", groups=["squad"])
    yield directory
    assert (await examine(directory.database, repair=False)).problems == 0


async def _groups_of(directory: Directory, user_id: str) -> list[str]:
    groups: list[str] = (await directory.get(ME, user_id)).json()["group_ids"]
    return groups


def _problems(answer: Any) -> list[tuple[list[Any], str]]:
    assert answer.status_code == 422, answer.text
    return [(error["loc"], error["msg"]) for error in answer.json()["errors"]]


async def test_a_directory_is_built_without_the_command_line(company: Directory) -> None:
    made = (await company.post(CREATE, "root", {"id": "new", "name": "New", "parent_id": "squad"})).json()
    joined = await company.post(ADD, "root", {"id": "new", "user_ids": ["ann", "bob", "ann"]})
    again = await company.post(ADD, "root", {"id": "new", "user_ids": ["ann"]})

    assert made == {
        "id": "new",
        "name": "New",
        "parent_id": "squad",
        "members": 0,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert (joined.json(), again.json()) == ({"changed": 2}, {"changed": 0})
    assert (await company.get(GROUP, "root", id="new")).json() == {**made, "members": 2}
    assert await _groups_of(company, "ann") == ["company", "new", "squad", "team"]
    random_id = (await company.post(CREATE, "root", {"name": "Other"})).json()["id"]
    assert random_id.startswith("g-")
    assert (await company.post(CREATE, "root", {"name": "Other", "id": "new"})).status_code == 409


async def test_groups_are_listed_by_id_in_pages(company: Directory) -> None:
    page = (await company.get(GROUPS, "root", page_size=2)).json()
    assert ([(group["id"], group["members"]) for group in page["items"]], page["total"]) == (
        [("company", 0), ("squad", 1)],
        3,
    )
    below = (await company.get(GROUPS, "root", parent_id="company")).json()
    assert [group["id"] for group in below["items"]] == ["team"]


async def test_members_are_listed_by_email_without_those_of_groups_below(company: Directory) -> None:
    await company.user("zoe", email="aaa@x.org", groups=["team"])
    page = (await company.get(MEMBERS, "root", id="team")).json()
    assert ([user["id"] for user in page["items"]], page["total"]) == (["zoe", "ann"], 2)
    assert page["items"][1] == (await company.get("/api/users/user", "root", id="ann")).json()
    assert (await company.get(MEMBERS, "root", id="lost")).status_code == 404


async def test_a_membership_that_ends_takes_access_along_at_once(company: Directory, tmp_path: Path) -> None:
    await company.load({"models": [model("m", "root", access_grants=[grant("group:company")])]}, tmp_path)
    assert await company.ids("ann") == ["m"]
    removed = await company.post(REMOVE, "root", {"id": "team", "user_ids": ["ann", "bob"]})
    assert removed.json() == {"changed": 1}
    assert await company.ids("ann") == []
    assert await company.ids("bob") == ["m"]


@pytest.mark.parametrize("path", [ADD, REMOVE])
async def test_unknown_users_are_named_and_nobody_is_changed(company: Directory, raw: Raw, path: str) -> None:
    answer = await company.post(path, "root", {"id": "team", "user_ids": ["bob", "lost", "ann", "gone"]})
    assert _problems(answer) == [
        (["body", "user_ids", 1], "there is no user 'lost'"),
        (["body", "user_ids", 3], "there is no user 'gone'"),
    ]
    assert {user["_id"]: user["group_ids"] for user in raw.users.find({"role": "user"})} == {
        "ann": ["team"],
        "bob": ["squad"],
    }
    assert (await company.post(path, "root", {"id": "lost", "user_ids": ["ann"]})).status_code == 404
    for bad in ([], ["ann"] * 1001, [5]):
        assert _problems(await company.post(path, "root", {"id": "team", "user_ids": bad}))[0][0][1] == "user_ids"


async def test_a_group_is_renamed_moved_and_lifted_to_the_top(company: Directory) -> None:
    before = (await company.get(GROUP, "root", id="squad")).json()
    renamed = (await company.post(UPDATE, "root", {"id": "squad", "name": "Crew"})).json()
    assert renamed == {**before, "name": "Crew", "updated_at": renamed["updated_at"]}
    moved = await company.post(UPDATE, "root", {"id": "squad", "parent_id": "company"})
    assert moved.json()["parent_id"] == "company"
    assert await _groups_of(company, "bob") == ["company", "squad"]
    lifted = await company.post(UPDATE, "root", {"id": "squad", "parent_id": None})
    assert lifted.json()["parent_id"] is None
    assert await _groups_of(company, "bob") == ["squad"]
    assert _problems(await company.post(UPDATE, "root", {"id": "squad", "name": None}))[0][0] == ["body", "name"]
    assert (await company.post(UPDATE, "root", {"id": "lost", "name": "N"})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (UPDATE, {"id": "team", "parent_id": "team"}, "a group can't be its own parent"),
        (UPDATE, {"id": "company", "parent_id": "squad"}, "the group would be its own ancestor"),
        (UPDATE, {"id": "team", "parent_id": "lost"}, "there is no group 'lost'"),
        (CREATE, {"id": "new", "name": "N", "parent_id": "lost"}, "there is no group 'lost'"),
        (CREATE, {"id": "new", "name": "N", "parent_id": "new"}, "a group can't be its own parent"),
    ],
)
async def test_a_parent_that_a_group_can_not_have_is_named(
    company: Directory, path: str, body: dict[str, Any], reason: str
) -> None:
    assert _problems(await company.post(path, "root", body)) == [(["body", "parent_id"], reason)]


async def test_moves_at_the_same_moment_make_no_cycle(company: Directory, raw: Raw) -> None:
    ring = ["a", "b", "c"]
    for group in ring:
        await company.group(group)
    for _ in range(20):
        moves = [{"id": group, "parent_id": ring[at - 1]} for at, group in enumerate(ring)]
        answers = await asyncio.gather(*(company.post(UPDATE, "root", move) for move in moves))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 422]
        parents = {group["_id"]: group["parent_id"] for group in raw.groups.find()}
        assert not [group for group in parents if group in ancestors(group, parents)]
        raw.groups.update_many({"_id": {"$in": ring}}, {"$set": {"parent_id": None}})


async def test_a_deleted_group_leaves_no_grant_no_member_and_no_orphan(
    company: Directory, raw: Raw, tmp_path: Path
) -> None:
    grants = [grant("group:team", "write"), grant("user:ann")]
    models = [model("m", "root", access_grants=grants), model("top", "root", access_grants=[grant("group:company")])]
    await company.load({"models": models}, tmp_path)
    assert sorted(await company.ids("bob")) == ["m", "top"]

    assert (await company.post(DELETE, "root", {"id": "team"})).json() is True

    assert await company.ids("bob") == ["top"]
    assert await company.ids("ann") == ["m"]
    assert (await _groups_of(company, "ann"), await _groups_of(company, "bob")) == ([], ["company", "squad"])
    assert {group["_id"]: group["parent_id"] for group in raw.groups.find()} == {"company": None, "squad": "company"}
    newest = (await company.get(HISTORY, "root", id="m")).json()["items"][0]
    assert (newest["change"], newest["by"], newest["fields"]) == ("access", "root", ["access_grants"])
    assert (await company.post(DELETE, "root", {"id": "team"})).status_code == 404
    assert (await company.get(GROUP, "root", id="team")).status_code == 404


async def test_nobody_and_nothing_joins_a_group_that_is_being_deleted(company: Directory, raw: Raw) -> None:
    await company.post("/api/models/create", "root", {"id": "m", "name": "M"})
    for number in range(repetitions(4, 10)):
        name = f"g{number}"
        await company.group(name)
        joining = {"id": f"u{number}", "email": f"u{number}@x.org", "name": "U", "group_ids": [name]}
        grants = {"id": "m", "access_grants": [grant(f"group:{name}")]}
        answers = await asyncio.gather(
            company.post(ADD, "root", {"id": name, "user_ids": ["ann"]}),
            company.post(CREATE, "root", {"id": f"below-{name}", "name": "B", "parent_id": name}),
            company.post(UPDATE, "root", {"id": "squad", "parent_id": name}),
            company.post(DELETE, "root", {"id": name}),
            company.post("/api/users/create", "root", joining),
            company.post("/api/models/model/access/update", "root", grants),
        )
        assert {answer.status_code for answer in answers} <= {200, 404, 422}
        assert answers[3].json() is True
        assert raw.users.count_documents({"group_ids": name}) == 0
        assert raw.groups.count_documents({"parent_id": name}) == 0
        assert raw.groups.count_documents({"_id": name}) == 0
        assert raw.models.count_documents({"access_grants.principal_id": name}) == 0


async def test_an_import_and_a_deletion_at_the_same_moment_leave_nothing_behind(
    company: Directory, raw: Raw, tmp_path: Path
) -> None:
    bundle = {
        "groups": [
            {"id": "team", "name": "Group team", "parent_id": "company", "member_ids": ["ann", "bob"]},
            {"id": "squad", "name": "Group squad", "parent_id": "team"},
        ],
        "models": [model("m", "root", access_grants=[grant("group:team")])],
    }
    for _ in range(repetitions(4, 10)):
        deletion = company.post(DELETE, "root", {"id": "team"})
        deleted, _ = await asyncio.gather(deletion, company.load(bundle, tmp_path))
        assert deleted.json() is True
        if not raw.groups.count_documents({"_id": "team"}):
            assert raw.users.count_documents({"group_ids": "team"}) == 0
            assert raw.groups.count_documents({"parent_id": "team"}) == 0
            assert raw.models.count_documents({"access_grants.principal_id": "team"}) == 0
        await company.load(bundle, tmp_path)
