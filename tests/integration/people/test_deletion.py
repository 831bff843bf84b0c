"""Deleting users and groups: the effect on models, grants and API keys, also when the deletion is interrupted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents import ApiKey
from documents.user import Role
from service.doctor import examine
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions, sample
from tests.support.snapshot import Snapshot

Raw = SyncDatabase[dict[str, Any]]

USERS, USER, DELETE, TRANSFER = "/api/users", "/api/users/user", "/api/users/delete", "/api/users/transfer"
CREATE, UPDATE, KEYS, CREATE_KEY = "/api/users/create", "/api/users/update", "/api/users/keys", "/api/users/keys/create"
GROUPS, GROUP, DELETE_GROUP = "/api/groups", "/api/groups/group", "/api/groups/delete"
ACCESS, HISTORY = "/api/models/model/access/update", "/api/models/model/history"

BUNDLE = {
    "models": [
        *(model(f"annas-{number}", "ann", access_grants=[grant("user:bob")]) for number in range(3)),
        *(model(f"bobs-{number}", "bob", access_grants=[grant("user:ann", "write")]) for number in range(3)),
        model("teams", "bob", access_grants=[grant("group:team"), grant("user:ann")]),
    ]
}
WRITES = ("insert_record", "update_one", "update_many", "delete_many", "write_many")


class CutOffError(Exception):
    """Simulates that the service was killed."""


@pytest.fixture
async def shared(directory: Directory, tmp_path: Path) -> AsyncIterator[Directory]:
    """A directory in which ann and bob share their models with each other and their team; consistent at the end."""
    await directory.user("root", role=Role.ADMIN)
    await _fill(directory, tmp_path)
    yield directory
    await _assert_consistent(directory)


async def _fill(directory: Directory, tmp_path: Path) -> None:
    await directory.group("company")
    await directory.group("team", parent="company")
    await directory.group("squad", parent="team")
    for name in ("ann", "bob"):
        await directory.user(name, name=f"Search {name}", groups=["team"])
    await directory.load(BUNDLE, tmp_path)


async def _assert_consistent(directory: Directory) -> None:
    diagnosis = await examine(directory.database, repair=False)
    assert diagnosis.problems == 0, diagnosis.examples


async def _found(directory: Directory, query: str) -> int:
    total: int = (await directory.page("root", query=query))["total"]
    return total


# More writes than any deletion here needs.
MOST_WRITES = 60


@contextmanager
def _killed_at(directory: Directory, number: int) -> Iterator[list[str]]:
    """Let a number of writes succeed and all later ones fail; yield the names of the successful writes."""
    made: list[str] = []

    def bounded(name: str, write: Any) -> Any:
        async def attempt(kind: Any, *arguments: Any, **options: Any) -> Any:
            # The last use of an API key is recorded outside the request.
            if kind is not ApiKey or name != "update_one":
                if len(made) >= number:
                    raise CutOffError
                made.append(name)
            return await write(kind, *arguments, **options)

        return attempt

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            patch.setattr(directory.database, name, bounded(name, getattr(directory.database, name)))
        yield made


async def test_a_deleted_user_is_gone_from_everything_at_once(shared: Directory, raw: Raw) -> None:
    assert await _found(shared, "search ann") == 3

    assert (await shared.post(DELETE, "root", {"id": "ann"})).json() is True

    assert (await shared.get(LIST, "ann")).status_code == 401
    assert raw.api_keys.count_documents({"user_id": "ann"}) == 0
    assert await _found(shared, "search ann") == await _found(shared, "ann@example.com") == 0
    page = await shared.page("root", order_by="name", direction="asc")
    assert {item["id"]: item["user"] and item["user"]["id"] for item in page["items"]} == {
        **{f"annas-{number}": None for number in range(3)},
        **{f"bobs-{number}": "bob" for number in range(3)},
        "teams": "bob",
    }
    assert {item["user_id"] for item in page["items"] if item["user"] is None} == {"ann"}
    assert "ann" not in str([item["access_grants"] for item in page["items"]])
    assert (await shared.page("bob", view_option="shared"))["total"] == 3
    assert [user["id"] for user in (await shared.get(USERS, "root")).json()["items"]] == ["bob", "root"]
    for path, body in ((DELETE, {"id": "ann"}), (UPDATE, {"id": "ann", "name": "N"})):
        assert (await shared.post(path, "root", body)).status_code == 404


async def test_each_grant_that_is_taken_away_is_remembered(shared: Directory) -> None:
    await shared.post(DELETE, "root", {"id": "ann"})
    newest = (await shared.get(HISTORY, "bob", id="teams")).json()["items"][0]
    assert (newest["version"], newest["change"], newest["by"]) == (2, "access", "root")
    revision = (await shared.get(f"{HISTORY}/{newest['id']}", "bob")).json()
    assert [
        [granted["principal_id"] for granted in revision[side]["access_grants"]] for side in ("before", "after")
    ] == [["team", "ann"], ["team"]]
    assert (await shared.get(HISTORY, "root", id="annas-0")).json()["total"] == 1


async def test_models_left_behind_are_given_to_somebody(shared: Directory) -> None:
    await shared.post(DELETE, "root", {"id": "ann"})
    given = await shared.post(TRANSFER, "root", {"from_user_id": "ann", "to_user_id": "bob"})
    assert given.json() == {"transferred": 3, "failed": []}
    assert await _found(shared, "search bob") == 7
    assert (await shared.page("bob", view_option="created"))["total"] == 7


async def test_a_new_user_with_the_id_of_a_deleted_one_has_their_models_and_nothing_else(shared: Directory) -> None:
    old_key = await shared.key("ann")
    await shared.post(DELETE, "root", {"id": "ann"})
    await shared.post(CREATE, "root", {"id": "ann", "email": "ann@example.com", "name": "Other"})
    made = (await shared.post(CREATE_KEY, "root", {"user_id": "ann", "name": "new"})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    listed = (await shared.client.get(LIST, headers=headers)).json()
    assert {item["id"] for item in listed["items"]} == {f"annas-{number}" for number in range(3)}
    assert (await shared.client.get(LIST, headers={"Authorization": f"Bearer {old_key}"})).status_code == 401
    assert await _found(shared, "other") == 3


async def test_admins_can_delete_themselves(shared: Directory) -> None:
    await shared.user("second", role=Role.ADMIN)
    assert (await shared.post(DELETE, "second", {"id": "second"})).json() is True
    assert (await shared.get(LIST, "second")).status_code == 401


@pytest.mark.parametrize("finish", ["again", "doctor"])
async def test_a_deletion_of_a_user_that_is_cut_off_anywhere_is_finished(
    shared: Directory, raw: Raw, finish: str
) -> None:
    before = Snapshot(raw)
    for number in sample(range(MOST_WRITES), 2, ["again", "doctor"].index(finish)):
        with _killed_at(shared, number) as made:
            answer = await shared.post(DELETE, "root", {"id": "ann"})
        if answer.status_code == 200:
            break
        # Either nothing has happened, or the user has lost all access.
        begun = (await shared.get(LIST, "ann")).status_code == 401
        assert begun == (raw.api_keys.count_documents({"user_id": "ann"}) == 0)
        assert begun == ((await shared.get(USER, "root", id="ann")).status_code == 404)
        if finish == "again":
            assert (await shared.post(DELETE, "root", {"id": "ann"})).json() is True
        elif begun:
            diagnosis = await examine(shared.database, repair=True)
            assert (diagnosis.problems, diagnosis.repaired) == (1, 1)
            assert diagnosis.examples == ["the deletion of the user 'ann' was interrupted"]
        if finish == "again" or begun:
            assert raw.users.count_documents({"_id": "ann"}) == 0
            assert raw.models.count_documents({"access_grants.principal_id": "ann"}) == 0
            assert await _found(shared, "search ann") == 0
        await _assert_consistent(shared)
        before.restore()
    assert len(made) >= 7


@pytest.mark.parametrize("finish", ["again", "doctor"])
async def test_a_deletion_of_a_group_that_is_cut_off_anywhere_is_finished(
    shared: Directory, raw: Raw, finish: str
) -> None:
    before = Snapshot(raw)
    for number in sample(range(MOST_WRITES), 2, ["again", "doctor"].index(finish)):
        with _killed_at(shared, number) as made:
            answer = await shared.post(DELETE_GROUP, "root", {"id": "team"})
        if answer.status_code == 200:
            break
        begun = (await shared.get(GROUP, "root", id="team")).status_code == 404
        # Either nothing has happened, or the group gives no access any more.
        assert raw.users.count_documents({"group_ids": "team"}) == (0 if begun else 2)
        assert raw.groups.count_documents({"parent_id": "team"}) == (0 if begun else 1)
        if finish == "again":
            assert (await shared.post(DELETE_GROUP, "root", {"id": "team"})).json() is True
        elif begun:
            diagnosis = await examine(shared.database, repair=True)
            assert (diagnosis.problems, diagnosis.repaired) == (1, 1)
            assert diagnosis.examples == ["the deletion of the group 'team' was interrupted"]
        if finish == "again" or begun:
            assert raw.groups.count_documents({"_id": "team"}) == 0
            assert raw.models.count_documents({"access_grants.principal_id": "team"}) == 0
        await _assert_consistent(shared)
        before.restore()
    assert len(made) >= 7


async def test_a_user_who_is_leaving_counts_as_absent(shared: Directory, tmp_path: Path) -> None:
    with _killed_at(shared, 7):
        await shared.post(DELETE, "root", {"id": "ann"})
    assert (await shared.get(LIST, "ann")).status_code == 401
    assert [user["id"] for user in (await shared.get(USERS, "root")).json()["items"]] == ["bob", "root"]
    members = (await shared.get("/api/groups/members", "root", id="team")).json()
    assert ([user["id"] for user in members["items"]], members["total"]) == (["bob"], 1)
    assert (await shared.get(GROUP, "root", id="team")).json()["members"] == 1
    absent = [
        await shared.get(USER, "root", id="ann"),
        await shared.get(KEYS, "root", user_id="ann"),
        await shared.post(UPDATE, "root", {"id": "ann", "is_active": True}),
        await shared.post(CREATE_KEY, "root", {"user_id": "ann", "name": "k"}),
    ]
    assert {answer.status_code for answer in absent} == {404}
    named = [
        await shared.post("/api/groups/members/add", "root", {"id": "squad", "user_ids": ["ann"]}),
        await shared.post(TRANSFER, "root", {"from_user_id": "bob", "to_user_id": "ann"}),
        await shared.post(ACCESS, "root", {"id": "bobs-0", "access_grants": [grant("user:ann")]}),
    ]
    assert {answer.status_code for answer in named} == {422}
    again = await shared.post(CREATE, "root", {"id": "ann", "email": "new@x.org", "name": "N"})
    assert again.status_code == 409
    report = await shared.load({"users": [{"id": "ann", "name": "N", "email": "ann@example.com"}]}, tmp_path)
    assert [rejection.reason.partition(";")[0] for rejection in report.faults()] == ["is being deleted"]
    given = await shared.post(TRANSFER, "root", {"from_user_id": "ann", "to_user_id": "bob"})
    assert given.json()["transferred"] == 3
    assert (await shared.post(DELETE, "root", {"id": "ann"})).json() is True


async def test_a_group_that_is_leaving_counts_as_absent(shared: Directory, tmp_path: Path) -> None:
    with _killed_at(shared, 7):
        await shared.post(DELETE_GROUP, "root", {"id": "team"})
    assert [group["id"] for group in (await shared.get(GROUPS, "root")).json()["items"]] == ["company", "squad"]
    absent = [
        await shared.get(GROUP, "root", id="team"),
        await shared.get("/api/groups/members", "root", id="team"),
        await shared.post("/api/groups/update", "root", {"id": "team", "name": "N"}),
        await shared.post("/api/groups/members/add", "root", {"id": "team", "user_ids": ["ann"]}),
    ]
    assert {answer.status_code for answer in absent} == {404}
    named = [
        await shared.post("/api/groups/create", "root", {"name": "N", "parent_id": "team"}),
        await shared.post("/api/groups/update", "root", {"id": "squad", "parent_id": "team"}),
        await shared.post(CREATE, "root", {"email": "new@x.org", "name": "N", "group_ids": ["team"]}),
        await shared.post(ACCESS, "root", {"id": "bobs-0", "access_grants": [grant("group:team")]}),
    ]
    assert {answer.status_code for answer in named} == {422}
    groups = [{"id": "team", "name": "T", "member_ids": ["ann"]}, {"id": "new", "name": "N", "parent_id": "team"}]
    report = await shared.load({"groups": groups}, tmp_path)
    assert [rejection.reason.partition(";")[0] for rejection in report.faults()] == [
        "is being deleted",
        "parent_id: there is no group 'team'",
    ]
    assert (await shared.post(DELETE_GROUP, "root", {"id": "team"})).json() is True


async def test_what_is_done_for_a_user_while_they_are_deleted_leaves_nothing_of_them(
    shared: Directory, raw: Raw
) -> None:
    for number in range(repetitions(3, 15)):
        name = f"u{number}"
        await shared.user(name, name=f"Leaver {name}")
        made = {"id": f"late-{name}", "name": "Late"}
        answers = await asyncio.gather(
            shared.post(DELETE, "root", {"id": name}),
            shared.post(ACCESS, "bob", {"id": "bobs-0", "access_grants": [grant(f"user:{name}"), grant("user:bob")]}),
            shared.post("/api/models/create", name, made),
            shared.post(UPDATE, "root", {"id": name, "name": f"Leaver again {name}"}),
            shared.post(CREATE_KEY, "root", {"user_id": name, "name": "late"}),
            shared.post("/api/groups/members/add", "root", {"id": "squad", "user_ids": [name]}),
            shared.post(TRANSFER, "root", {"from_user_id": "bob", "to_user_id": name, "ids": ["bobs-1"]}),
            shared.post(TRANSFER, "root", {"from_user_id": name, "to_user_id": "bob", "ids": ["bobs-1"]}),
        )
        assert answers[0].json() is True
        assert max(answer.status_code for answer in answers) < 500
        assert raw.users.count_documents({"_id": name}) == 0
        assert raw.api_keys.count_documents({"user_id": name}) == 0
        assert raw.models.count_documents({"access_grants.principal_id": name}) == 0
        assert await _found(shared, "leaver") == 0
        await _assert_consistent(shared)
        await shared.post(TRANSFER, "root", {"from_user_id": name, "to_user_id": "bob"})


@pytest.mark.parametrize(
    ("step", "path", "body"),
    [
        ("service.models.operations.store_planned", ACCESS, {"id": "annas-0", "access_grants": [grant("user:ann")]}),
        ("service.models.derived_keys.store_derived_keys", UPDATE, {"id": "ann", "name": "Search renamed ann"}),
        ("service.people.api_keys.create_api_key", CREATE_KEY, {"user_id": "ann", "name": "late"}),
    ],
)
async def test_a_deletion_in_the_midst_of_a_change_leaves_nothing_of_the_user(
    shared: Directory, raw: Raw, step: str, path: str, body: dict[str, Any]
) -> None:
    patch, taken = pytest.MonkeyPatch(), resolve_name(step)

    async def after_the_deletion(*arguments: Any, **options: Any) -> Any:
        patch.undo()
        assert (await shared.post(DELETE, "root", {"id": "ann"})).json() is True
        return await taken(*arguments, **options)

    patch.setattr(step, after_the_deletion)
    assert (await shared.post(path, "root", body)).status_code in (200, 404)
    assert raw.users.count_documents({"_id": "ann"}) == raw.api_keys.count_documents({"user_id": "ann"}) == 0
    assert raw.models.count_documents({"access_grants.principal_id": "ann"}) == 0
    assert await _found(shared, "ann@example.com") == 0


async def test_a_deletion_that_is_asked_for_many_times_at_once_is_made_once(shared: Directory, raw: Raw) -> None:
    answers = await asyncio.gather(*(shared.post(DELETE, "root", {"id": "ann"}) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert raw.users.count_documents({"_id": "ann"}) == 0
    assert raw.revisions.count_documents({"model_id": "teams", "change": "access"}) == 1


async def test_an_id_stays_taken_while_a_record_that_can_not_be_changed_names_it(shared: Directory, raw: Raw) -> None:
    raw.models.update_one({"_id": "bobs-1"}, {"$unset": {"created_at": 1}})

    refused = await shared.post(DELETE, "root", {"id": "ann"})

    assert refused.status_code == 409
    assert "bobs-1" in refused.json()["detail"]
    assert (await shared.get(LIST, "ann")).status_code == 401
    assert (await shared.post(CREATE, "root", {"id": "ann", "email": "a@x.org", "name": "A"})).status_code == 409
    diagnosis = await examine(shared.database, repair=True)
    assert diagnosis.problems == diagnosis.repaired + 2
    raw.models.delete_one({"_id": "bobs-1"})
    raw.revisions.delete_many({"model_id": "bobs-1"})
    assert (await shared.post(DELETE, "root", {"id": "ann"})).json() is True
