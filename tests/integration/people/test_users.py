"""Managing users over REST, as an admin."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions

Raw = SyncDatabase[dict[str, Any]]

USERS, USER, CREATE, UPDATE = "/api/users", "/api/users/user", "/api/users/create", "/api/users/update"
TRANSFER, CREATE_KEY = "/api/users/transfer", "/api/users/keys/create"
ME, HISTORY = "/api/me", "/api/models/model/history"


async def _is_consistent(directory: Directory) -> bool:
    return (await examine(directory.database, repair=False)).problems == 0


async def _ids(directory: Directory, **parameters: Any) -> list[str]:
    answer = await directory.get(USERS, "root", **parameters)
    assert answer.status_code == 200, answer.text
    return [user["id"] for user in answer.json()["items"]]


def _fields(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [".".join(map(str, error["loc"][1:])) for error in answer.json()["errors"]]


async def test_an_id_that_is_not_chosen_is_made(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    one, other = [
        (await directory.post(CREATE, "root", {"email": f"{name}@x.org", "name": name})).json()["id"]
        for name in ("one", "other")
    ]
    assert one != other
    assert one.startswith("u-")


async def test_what_is_taken_is_a_conflict(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.user("bob")
    answers = [
        await directory.post(CREATE, "root", {"id": "ann", "email": "new@x.org", "name": "N"}),
        await directory.post(CREATE, "root", {"id": "new", "email": "ANN@example.com", "name": "N"}),
        await directory.post(UPDATE, "root", {"id": "bob", "email": "Ann@Example.com", "name": "New"}),
    ]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {
        (409, "The id or the email is taken by another user.")
    }
    assert (await directory.get(USER, "root", id="bob")).json()["name"] == "Name of bob"
    own = await directory.post(UPDATE, "root", {"id": "bob", "email": "BOB@example.com"})
    assert own.json()["email"] == "BOB@example.com"


async def test_two_who_want_one_email_do_not_both_get_it(directory: Directory, raw: Raw) -> None:
    await directory.user("root", role=Role.ADMIN)
    for name in ("ann", "bob"):
        await directory.user(name)
    for number in range(repetitions(4, 10)):
        wanted = f"wanted{number}@x.org"
        answers = await asyncio.gather(
            *(directory.post(UPDATE, "root", {"id": name, "email": wanted}) for name in ("ann", "bob"))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert raw.users.count_documents({"keys.email": wanted}) == 1
    assert await _is_consistent(directory)


async def test_unknown_groups_are_named_and_nobody_is_created(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.group("team")
    body = {"id": "ben", "email": "ben@x.org", "name": "Ben", "group_ids": ["team", "lost", "gone"]}
    answer = await directory.post(CREATE, "root", body)
    assert [(error["loc"], error["msg"]) for error in answer.json()["errors"]] == [
        (["body", "group_ids", 1], "there is no group 'lost'"),
        (["body", "group_ids", 2], "there is no group 'gone'"),
    ]
    assert (await directory.get(USER, "root", id="ben")).status_code == 404


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CREATE, {"name": "N"}, "email"),
        (CREATE, {"email": "nobody", "name": "N"}, "email"),
        (CREATE, {"email": "a@x.org", "name": " "}, "name"),
        (CREATE, {"email": "a@x.org", "name": "N", "id": "*"}, "id"),
        (CREATE, {"email": "a@x.org", "name": "N", "role": "owner"}, "role"),
        (CREATE, {"email": "a@x.org", "name": "N", "group_ids": ["g"] * 1001}, "group_ids"),
        (UPDATE, {"id": "ann", "name": None}, "name"),
        (UPDATE, {"id": "ann", "email": None}, "email"),
        (UPDATE, {"id": "ann", "role": None}, "role"),
        (UPDATE, {"id": "ann", "is_active": "no"}, "is_active"),
        (UPDATE, {"id": "ann", "group_ids": []}, "group_ids"),
        (UPDATE, {"name": "N"}, "id"),
        (TRANSFER, {"from_user_id": "ann", "to_user_id": "ann"}, "to_user_id"),
        (TRANSFER, {"from_user_id": "ann", "to_user_id": "nobody"}, "to_user_id"),
        (TRANSFER, {"from_user_id": "ann", "to_user_id": "idle"}, "to_user_id"),
        (TRANSFER, {"from_user_id": "ann", "to_user_id": "root", "ids": ["m"] * 1001}, "ids"),
        (TRANSFER, {"from_user_id": "ann", "to_user_id": "root", "ids": None}, "ids"),
        (CREATE_KEY, {"user_id": "ann", "name": ""}, "name"),
        (CREATE_KEY, {"user_id": "ann", "name": "k", "expires_at": 1}, "expires_at"),
    ],
)
async def test_bad_fields_are_named(directory: Directory, path: str, body: dict[str, Any], field: str) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.user("idle")
    await directory.post(UPDATE, "root", {"id": "idle", "is_active": False})
    assert _fields(await directory.post(path, "root", body)) == [field]


async def test_users_are_listed_by_email_in_pages(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN, email="m@x.org")
    for user_id, email in (("u1", "Zoe@x.org"), ("u2", "ann@x.org"), ("u3", "Bob@x.org")):
        await directory.user(user_id, email=email)
    assert await _ids(directory) == ["u2", "u3", "root", "u1"]
    page = (await directory.get(USERS, "root", page=2, page_size=3)).json()
    assert ([user["id"] for user in page["items"]], page["total"]) == (["u1"], 4)
    beyond = (await directory.get(USERS, "root", page=10**20)).json()
    assert beyond == {"items": [], "total": 4}


async def test_users_are_selected_by_what_is_known_of_them(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN, name="Root")
    await directory.group("top")
    await directory.group("team", parent="top")
    await directory.user("ann", name="Große Ann", username="A.x", groups=["team"])
    await directory.user("bob", name="Bob", email="robert@corp.org")
    await directory.post(UPDATE, "root", {"id": "bob", "is_active": False})
    expected: list[tuple[dict[str, str], list[str]]] = [
        ({"query": "GROSSE"}, ["ann"]),
        ({"query": "a.X"}, ["ann"]),
        ({"query": "a.x\n"}, []),
        ({"query": "Robert@"}, ["bob"]),
        ({"query": ".*"}, []),
        ({"query": "bobrobert"}, []),
        ({"query": "  "}, ["ann", "bob", "root"]),
        ({"role": "admin"}, ["root"]),
        ({"is_active": "false"}, ["bob"]),
        ({"is_active": "true", "role": "user"}, ["ann"]),
        ({"group_id": "team"}, ["ann"]),
        ({"group_id": "top"}, []),
        ({"query": "b", "group_id": "team"}, []),
    ]
    for parameters, ids in expected:
        assert sorted(await _ids(directory, **parameters)) == ids, parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("query", "x" * 129),
        ("query", "a\0b"),
        ("role", "owner"),
        ("is_active", "1"),
        ("page", "0"),
        ("page_size", "101"),
    ],
)
async def test_bad_parameters_are_named(directory: Directory, name: str, value: str) -> None:
    await directory.user("root", role=Role.ADMIN)
    assert _fields(await directory.get(USERS, "root", **{name: value})) == [name]


async def test_what_is_left_out_of_an_update_stays(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", username="annie")
    before = (await directory.get(USER, "root", id="ann")).json()

    renamed = (await directory.post(UPDATE, "root", {"id": "ann", "name": "Ann B."})).json()
    bare = (await directory.post(UPDATE, "root", {"id": "ann", "username": None})).json()
    same = (await directory.post(UPDATE, "root", {"id": "ann"})).json()

    assert renamed == {**before, "name": "Ann B.", "updated_at": renamed["updated_at"]}
    assert bare == {**renamed, "username": None, "updated_at": bare["updated_at"]}
    assert same == bare
    assert (await directory.post(UPDATE, "root", {"id": "nobody", "name": "N"})).status_code == 404
    assert await _is_consistent(directory)


async def test_models_are_found_by_a_new_name_at_once(directory: Directory, tmp_path: Path) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", name="Oldname", email="oldmail@x.org")
    await directory.load({"models": [model(f"m{number}", "ann") for number in range(3)]}, tmp_path)

    await directory.post(UPDATE, "root", {"id": "ann", "name": "Newname", "email": "newmail@x.org"})

    assert (await directory.page("root", query="newname"))["total"] == 3
    assert (await directory.page("root", query="newmail"))["total"] == 3
    assert (await directory.page("root", query="old"))["total"] == 0
    assert await _ids(directory, query="newname") == ["ann"]
    assert await _is_consistent(directory)


async def test_renames_at_the_same_moment_leave_no_stale_keys(directory: Directory, tmp_path: Path) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.load({"models": [model(f"m{number}", "ann") for number in range(20)]}, tmp_path)
    for at in range(repetitions(3, 10)):
        changes = [{"name": f"First{at}"}, {"name": f"Second{at}"}, {"username": f"third{at}"}]
        answers = await asyncio.gather(*(directory.post(UPDATE, "root", {"id": "ann", **change}) for change in changes))
        assert {answer.status_code for answer in answers} == {200}
        assert await _is_consistent(directory)


async def test_the_keys_of_an_inactive_user_do_not_count_until_they_are_active_again(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    for active, status in ((False, 401), (True, 200)):
        answer = await directory.post(UPDATE, "root", {"id": "ann", "is_active": active})
        assert answer.json()["is_active"] is active
        assert (await directory.get(LIST, "ann")).status_code == status


async def test_a_promoted_user_is_an_admin_on_the_next_request(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    assert (await directory.get(USERS, "ann")).status_code == 403
    await directory.post(UPDATE, "root", {"id": "ann", "role": "admin"})
    assert (await directory.get(USERS, "ann")).status_code == 200


async def test_models_are_transferred_with_a_revision_each(directory: Directory, tmp_path: Path) -> None:
    await directory.user("root", role=Role.ADMIN)
    for name in ("ann", "bob"):
        await directory.user(name)
    await directory.load({"models": [model(f"m{number:03}", "ann") for number in range(120)]}, tmp_path)
    await directory.load({"models": [model("bobs", "bob", access_grants=[grant("user:ann")])]}, tmp_path)

    some = {"from_user_id": "ann", "to_user_id": "bob", "ids": ["m001", "bobs", "nothing", "m001", "m000"]}
    first = (await directory.post(TRANSFER, "root", some)).json()
    rest = (await directory.post(TRANSFER, "root", {"from_user_id": "ann", "to_user_id": "bob"})).json()

    not_found = [{"id": name, "detail": "not found"} for name in ("bobs", "nothing")]
    assert first == {"transferred": 2, "failed": not_found}
    assert rest == {"transferred": 118, "failed": []}
    assert (await directory.page("bob", view_option="created"))["total"] == 121
    assert (await directory.page("root", query="name of bob"))["total"] == 121
    assert await directory.ids("ann") == ["bobs"]
    newest = (await directory.get(HISTORY, "bob", id="m005")).json()["items"][0]
    assert (newest["change"], newest["by"], newest["fields"]) == ("transfer", "root", ["user_id"])
    assert await _is_consistent(directory)


async def test_users_that_others_have_written_are_listed_and_can_be_put_right(directory: Directory, raw: Raw) -> None:
    await directory.user("root", role=Role.ADMIN)
    raw.users.insert_one({"_id": "bare"})
    assert set(await _ids(directory)) == {"bare", "root"}
    body = {"id": "bare", "name": "Bare", "email": "bare@x.org", "username": None, "role": "user", "is_active": True}
    assert (await directory.post(UPDATE, "root", body)).status_code == 200
    assert await _ids(directory, query="bare@") == ["bare"]
    found = await examine(directory.database, repair=False)
    assert found.examples == ["user 'bare' is malformed: group_ids, created_at"]


async def test_users_stored_without_search_text_are_repaired(directory: Directory, raw: Raw) -> None:
    await directory.user("root", role=Role.ADMIN)
    raw.users.update_one({"_id": "root"}, {"$unset": {"keys.text": 1}})
    assert (await directory.get(ME, "root")).status_code == 200
    diagnosis = await examine(directory.database, repair=True)
    assert (diagnosis.problems, diagnosis.repaired) == (1, 1)
    assert await _ids(directory, query="root") == ["root"]
