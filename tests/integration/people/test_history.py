"""What is recorded of the changes of users and groups, and what admins can read of it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.commands import CommandLine
from tests.support.directory import Directory

Raw = SyncDatabase[dict[str, Any]]

USERS, GROUPS = "/api/users", "/api/groups"
ADD, REMOVE = f"{GROUPS}/members/add", f"{GROUPS}/members/remove"
ANN: dict[str, Any] = {
    "name": "Ann",
    "email": "ann@x.org",
    "username": None,
    "role": "user",
    "is_active": True,
    "group_ids": [],
}


@pytest.fixture
async def company(directory: Directory) -> Directory:
    """A directory with an admin and the groups company > team > squad, none of them recorded."""
    await directory.user("root", role=Role.ADMIN)
    for group, parent in (("company", None), ("team", "company"), ("squad", "team")):
        await directory.group(group, parent)
    return directory


@pytest.fixture
def shell(mongo_uri: str, directory: Directory, tmp_path: Path) -> CommandLine:
    """The command line, on the database of the directory."""
    return CommandLine(tmp_path, mongodb_uri=mongo_uri, database=directory.database.name)


async def _do(directory: Directory, path: str, **body: Any) -> Any:
    answer = await directory.post(path, "root", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _history(directory: Directory, of: str, identifier: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return the whole history of a user or group, the oldest change first, without what each test has alike."""
    answer = await directory.get(f"{of}/history", "root", id=identifier, page_size=100, **parameters)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["total"] == len(page["items"])
    items: list[dict[str, Any]] = page["items"][::-1]
    assert [item["number"] for item in items] == list(range(1, len(items) + 1))
    assert {(item["principal_type"], item["principal_id"]) for item in items} <= {(of[5:-1], identifier)}
    return items


def _sides(items: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [(item["change"], item["before"], item["after"]) for item in items]


async def test_what_she_lost_and_when_is_known_after_she_has_gone(company: Directory) -> None:
    await _do(company, f"{USERS}/create", id="ann", email="ann@x.org", name="Ann", group_ids=["squad"])
    await _do(company, ADD, id="team", user_ids=["ann", "ann"])
    await _do(company, f"{USERS}/update", id="ann", role="admin", is_active=True, name="Ann")
    await _do(company, f"{USERS}/update", id="ann", role="user", email="ann@y.org")
    await _do(company, REMOVE, id="squad", user_ids=["ann"])
    await _do(company, f"{GROUPS}/delete", id="team")
    await _do(company, f"{USERS}/delete", id="ann")

    items = await _history(company, USERS, "ann")
    last = {**ANN, "email": "ann@y.org"}
    assert _sides(items) == [
        ("create", None, {**ANN, "group_ids": ["squad"]}),
        ("join", {"group_ids": ["squad"]}, {"group_ids": ["squad", "team"]}),
        ("update", {"role": "user"}, {"role": "admin"}),
        ("update", {"email": "ann@x.org", "role": "admin"}, {"email": "ann@y.org", "role": "user"}),
        ("leave", {"group_ids": ["squad", "team"]}, {"group_ids": ["team"]}),
        ("group_deleted", {"group_ids": ["team"]}, {"group_ids": []}),
        ("delete", last, None),
    ]
    assert [item["fields"] for item in items[1:6]] == [list(item["before"]) for item in items[1:6]]
    assert items[0]["fields"] == items[6]["fields"] == list(ANN)
    assert {item["by"] for item in items} == {"root"}
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)


async def test_a_group_tells_its_names_and_its_places(company: Directory) -> None:
    await _do(company, f"{GROUPS}/update", id="squad", name="Squad 1")
    await _do(company, f"{GROUPS}/create", id="other", name="Other")
    await _do(company, f"{GROUPS}/update", id="squad", parent_id="other")
    await _do(company, f"{GROUPS}/update", id="squad", parent_id="other", name="Squad 1")
    await _do(company, f"{GROUPS}/delete", id="other")

    assert _sides(await _history(company, GROUPS, "squad")) == [
        ("update", {"name": "Group squad"}, {"name": "Squad 1"}),
        ("update", {"parent_id": "team"}, {"parent_id": "other"}),
        ("group_deleted", {"parent_id": "other"}, {"parent_id": None}),
    ]
    other = {"name": "Other", "parent_id": None}
    assert _sides(await _history(company, GROUPS, "other")) == [("create", None, other), ("delete", other, None)]
    await _do(company, f"{GROUPS}/create", id="other", name="Again")
    assert (await _history(company, GROUPS, "other"))[2]["after"]["name"] == "Again"


async def test_the_command_line_is_nobody(company: Directory, shell: CommandLine) -> None:
    shell.ok("group", "add", "--name", "Night", "--id", "night")
    shell.ok("user", "add", "--email", "ann@x.org", "--name", "Ann", "--id", "ann")
    shell.ok("group", "join", "night", "ann@x.org")
    shell.ok("group", "join", "night", "ann")
    changes = await _history(company, USERS, "ann") + await _history(company, GROUPS, "night")
    assert [(item["change"], item["by"]) for item in changes] == [("create", None), ("join", None), ("create", None)]


async def test_an_import_records_who_is_new_and_what_differs(
    company: Directory, raw: Raw, shell: CommandLine, tmp_path: Path
) -> None:
    bundle: dict[str, Any] = {
        "users": [{"id": "ann", "name": "Ann", "email": "ann@x.org"}, {"id": "bob", "name": "Bob", "email": "b@x.org"}],
        "groups": [{"id": "new", "name": "New", "member_ids": ["ann", "bob"]}],
    }
    path = tmp_path / "people.json"

    def write() -> None:
        path.write_text(json.dumps(bundle), encoding="utf-8")

    write()
    shell.ok("import", "people.json", "--dry-run")
    assert raw.people_changes.count_documents({}) == 0
    shell.ok("import", "people.json")
    shell.ok("import", "people.json")
    assert raw.people_changes.count_documents({}) == 5
    bundle["users"][0] |= {"name": "Anna", "session_stamp": "secret"}
    bundle["groups"] = [{"id": "new", "name": "Newer", "parent_id": "team", "member_ids": ["bob"]}]
    write()
    answer = await company.post("/api/models/import", "root", bundle, format="modeldeck")
    assert answer.status_code == 200, answer.text

    items = await _history(company, USERS, "ann")
    assert _sides(items) == [
        ("create", None, ANN),
        ("import", {"group_ids": []}, {"group_ids": ["new"]}),
        ("import", {"name": "Ann"}, {"name": "Anna"}),
        ("import", {"group_ids": ["new"]}, {"group_ids": []}),
    ]
    assert [item["by"] for item in items] == [None, None, "root", "root"]
    assert _sides(await _history(company, GROUPS, "new")) == [
        ("create", None, {"name": "New", "parent_id": None}),
        ("import", {"name": "New", "parent_id": None}, {"name": "Newer", "parent_id": "team"}),
    ]
    assert len(await _history(company, USERS, "bob")) == 2
    assert raw.users.count_documents({"session_stamp": "secret"}) == 1
    assert "secret" not in str([*raw.people_changes.find()])


async def test_groups_that_grants_name_are_recorded_where_they_are_created(company: Directory, tmp_path: Path) -> None:
    granted = [{"principal_type": "group", "principal_id": "fresh", "permission": "read"}]
    models = [{"id": "m", "user_id": "root", "name": "M", "access_grants": granted}]
    await company.load({"models": models}, tmp_path, create_groups=True, owner_id="root")
    assert [item["change"] for item in await _history(company, GROUPS, "fresh")] == ["create"]


async def test_what_did_not_happen_is_not_recorded(company: Directory, raw: Raw, tmp_path: Path) -> None:
    await company.user("bob", email="bob@x.org")
    refused = [
        (f"{USERS}/create", {"email": "BOB@x.org", "name": "Other"}),
        (f"{USERS}/update", {"id": "root", "name": "N", "email": "bob@x.org"}),
        (f"{USERS}/update", {"id": "root", "role": "user", "name": "N"}),
        (f"{USERS}/delete", {"id": "root"}),
        (f"{GROUPS}/update", {"id": "company", "name": "N", "parent_id": "squad"}),
        (ADD, {"id": "team", "user_ids": ["bob", "nobody"]}),
        (REMOVE, {"id": "team", "user_ids": ["nobody", "bob"]}),
    ]
    for path, body in refused:
        assert (await company.post(path, "root", body)).status_code in (404, 409, 422), path
    for path, body in (
        (f"{USERS}/update", {"id": "bob", "email": "bob@x.org"}),
        (f"{GROUPS}/update", {"id": "squad", "parent_id": "team"}),
        (REMOVE, {"id": "team", "user_ids": ["bob"]}),
    ):
        await _do(company, path, **body)
    users = [{"id": "eve", "name": "Eve", "email": "eve@x.org"}, {"id": "x", "name": "X", "email": "bob@x.org"}]
    assert (await company.load({"users": users}, tmp_path, atomic=True)).undone
    assert raw.people_changes.count_documents({}) == 0


async def test_who_was_there_before_has_no_history_yet_and_nobody_has_none(company: Directory) -> None:
    assert await _history(company, USERS, "root") == await _history(company, GROUPS, "team") == []
    for of, absent in ((USERS, "team"), (USERS, "nobody"), (GROUPS, "root"), (GROUPS, "a\0b")):
        answer = await company.get(f"{of}/history", "root", id=absent)
        assert answer.status_code in (404, 422), (of, absent)
    assert (await company.get(f"{USERS}/history", "root")).status_code == 422
    for number in range(3):
        await _do(company, f"{GROUPS}/update", id="team", name=f"Team {number}")
    page = (await company.get(f"{GROUPS}/history", "root", id="team", page=2, page_size=2)).json()
    assert ([item["after"] for item in page["items"]], page["total"]) == ([{"name": "Team 0"}], 3)


async def test_what_refers_to_an_unused_id_is_recorded_when_it_is_removed(company: Directory, raw: Raw) -> None:
    await company.user("ann")
    raw.users.update_one({"_id": "ann"}, {"$set": {"group_ids": ["gone", "team"]}})
    raw.groups.update_one({"_id": "squad"}, {"$set": {"parent_id": "gone"}})
    await _do(company, f"{GROUPS}/create", id="gone", name="New")
    assert _sides(await _history(company, USERS, "ann")) == [
        ("repair", {"group_ids": ["gone", "team"]}, {"group_ids": ["team"]})
    ]
    assert _sides(await _history(company, GROUPS, "squad")) == [("repair", {"parent_id": "gone"}, {"parent_id": None})]


async def test_changes_at_the_same_time_follow_one_another(company: Directory, raw: Raw) -> None:
    await _do(company, f"{USERS}/create", id="ann", email="ann@x.org", name="Ann")
    requests: list[tuple[str, dict[str, Any]]]
    requests = [(f"{USERS}/update", {"id": "ann", "name": f"Ann {number}"}) for number in range(8)]
    requests += [(f"{USERS}/update", {"id": "ann", "role": role}) for role in ("admin", "user") * 3]
    requests += [
        (path, {"id": group, "user_ids": ["ann"]}) for path in (ADD, REMOVE, ADD) for group in ("team", "squad")
    ]
    requests += [(f"{GROUPS}/delete", {"id": "team"})]
    answers = await asyncio.gather(*(company.post(path, "root", body) for path, body in requests))
    assert {answer.status_code for answer in answers} <= {200, 404, 503}

    state: dict[str, Any] = {}
    for item in await _history(company, USERS, "ann"):
        before, after = item["before"] or {}, item["after"]
        assert before == {field: state[field] for field in before}
        assert before != after
        state |= after
    stored = raw.users.find_one({"_id": "ann"}) or {}
    assert state == {field: stored[field] for field in ANN}
    assert (await examine(company.database, repair=False)).problems == 0
