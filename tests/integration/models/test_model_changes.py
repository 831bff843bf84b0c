"""Creating, changing, sharing and deleting a model over REST."""

import asyncio
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.api_key import Scope
from documents.user import Role
from service.doctor import examine
from tests.support.directory import Directory, grant
from tests.support.every_case import repetitions

CREATE, MODEL = "/api/models/create", "/api/models/model"
UPDATE, TOGGLE, ACCESS, DELETE = (f"{MODEL}/{verb}" for verb in ("update", "toggle", "access/update", "delete"))


async def _people(directory: Directory) -> None:
    for user in ("owner", "writer", "reader", "stranger"):
        await directory.user(user)
    await directory.user("admin", role=Role.ADMIN)


async def _shared_model(directory: Directory, model_id: str = "m") -> dict[str, Any]:
    grants = [grant("user:reader"), grant("user:writer", "write")]
    body = {"id": model_id, "name": "Model", "params": {"system": "secret"}, "access_grants": grants}
    answer = await directory.post(CREATE, "owner", body)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_a_new_model_belongs_to_its_creator_and_is_listed_at_once(directory: Directory) -> None:
    await _people(directory)
    body = {
        "id": "team/x:1",
        "name": "Größe",
        "base_model_id": "team/x:1",
        "params": {"$set": {"a.b": 1.0}},
        "meta": {"tags": [" A "]},
    }

    answer = await directory.post(CREATE, "owner", body)

    item = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert (item["user_id"], item["version"], item["is_active"], item["write_access"]) == ("owner", 1, True, True)
    assert (item["base_model_id"], item["params"], item["meta"]["tags"]) == (None, body["params"], [{"name": "A"}])
    assert (await directory.page("owner", query="GRÖSSE", tag="a"))["items"] == [item]
    assert (await directory.page("stranger"))["total"] == 0
    taken = await directory.post(CREATE, "stranger", {"id": "team/x:1", "name": "Mine"})
    assert taken.status_code == 409
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_what_is_left_out_of_an_update_stays(directory: Directory) -> None:
    await _people(directory)
    created = await _shared_model(directory)

    updated = (await directory.post(UPDATE, "writer", {"id": "m", "name": "New name", "base_model_id": "base"})).json()

    assert updated == {
        **created,
        "name": "New name",
        "base_model_id": "base",
        "version": 2,
        "updated_at": updated["updated_at"],
        "user": updated["user"],
    }
    assert (await directory.post(UPDATE, "writer", {"id": "m", "name": "New name"})).json()["version"] == 2
    assert await directory.ids("reader", query="new NAME") == ["m"]
    assert await directory.ids("reader", kind="custom") == ["m"]


REQUESTS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "update": (UPDATE, {"id": "m", "name": "Changed"}, {}),
    "toggle": (TOGGLE, None, {"id": "m"}),
    "access": (ACCESS, {"id": "m", "access_grants": []}, {}),
    "delete": (DELETE, {"id": "m"}, {}),
}
ALLOWED = {
    "update": {"owner": 200, "admin": 200, "writer": 200, "reader": 403, "stranger": 404},
    "toggle": {"owner": 200, "admin": 200, "writer": 200, "reader": 403, "stranger": 404},
    "access": {"owner": 200, "admin": 200, "writer": 403, "reader": 403, "stranger": 404},
    "delete": {"owner": 200, "admin": 200, "writer": 200, "reader": 403, "stranger": 404},
}


@pytest.mark.parametrize("verb", REQUESTS)
@pytest.mark.parametrize("user", ["owner", "admin", "writer", "reader", "stranger"])
async def test_who_may_do_what(directory: Directory, verb: str, user: str) -> None:
    await _people(directory)
    before = await _shared_model(directory)
    path, body, parameters = REQUESTS[verb]

    answer = await directory.post(path, user, body, **parameters)

    assert answer.status_code == ALLOWED[verb][user]
    after = await directory.get(MODEL, "owner", id="m")
    if answer.status_code != 200:
        assert after.json() == before
    elif verb == "delete":
        assert after.status_code == 404
    else:
        assert after.json()["version"] == 2
    if answer.status_code == 404:
        absent = {"id": "absent"}
        other = await directory.post(path, user, body and {**body, **absent}, **(parameters and absent))
        assert (other.status_code, other.content) == (404, answer.content)


@pytest.mark.parametrize("verb", REQUESTS)
async def test_a_key_for_reading_changes_nothing(directory: Directory, verb: str) -> None:
    await _people(directory)
    await _shared_model(directory)
    path, body, parameters = REQUESTS[verb]
    headers = {"Authorization": f"Bearer {await directory.key('owner', scope=Scope.READ)}"}

    answer = await directory.client.post(path, json=body, params=parameters, headers=headers)

    assert answer.status_code == 403
    assert (await directory.client.post(CREATE, json={"id": "n", "name": "N"}, headers=headers)).status_code == 403
    assert (await directory.client.get(MODEL, params={"id": "m"}, headers=headers)).json()["version"] == 1


@pytest.mark.parametrize("verb", REQUESTS)
async def test_a_stale_version_is_refused_with_the_current_one(directory: Directory, verb: str) -> None:
    await _people(directory)
    await _shared_model(directory)
    await directory.post(UPDATE, "owner", {"id": "m", "name": "Second"})
    path, body, parameters = REQUESTS[verb]

    stale = await directory.post(path, "owner", body, if_match='"1"', **parameters)
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    assert (await directory.post(path, "owner", body, if_match="one", **parameters)).status_code == 422
    assert (await directory.post(path, "owner", body, if_match='"2"', **parameters)).status_code == 200


async def test_grants_take_effect_at_once_and_name_who_exists(directory: Directory) -> None:
    await _people(directory)
    created = await _shared_model(directory)
    echoed = [{**kept, "resource_type": "model"} for kept in created["access_grants"] if kept["permission"] == "write"]
    shared = [*echoed, grant("user:stranger"), grant("user:stranger"), grant("user:*")]

    answer = await directory.post(ACCESS, "owner", {"id": "m", "access_grants": shared})

    assert [(kept["principal_id"], kept["permission"]) for kept in answer.json()["access_grants"]] == [
        ("writer", "write"),
        ("stranger", "read"),
        ("*", "read"),
    ]
    assert await directory.ids("stranger") == ["m"]
    for principal in ("user:nobody", "group:nothing", "group:*"):
        refused = await directory.post(ACCESS, "owner", {"id": "m", "access_grants": [grant(principal)]})
        assert refused.status_code == 422
        assert principal.partition(":")[2] in refused.json()["errors"][0]["msg"]
    await directory.post(ACCESS, "owner", {"id": "m", "access_grants": []})
    assert (await directory.page("stranger"))["total"] == (await directory.page("writer"))["total"] == 0


async def test_the_compatibility_api_ignores_what_clients_send_back(directory: Directory) -> None:
    await _people(directory)
    created = await _shared_model(directory)
    echo = {**created, "name": "New", "user_id": "stranger", "version_id": "x", "commit_message": "y", "keys": {}}

    assert (await directory.post(UPDATE, "owner", echo)).status_code == 422
    answer = await directory.post(UPDATE.replace("/api/", "/api/v1/"), "owner", echo)

    assert answer.status_code == 200
    own = {name: answer.json()[name] for name in ("updated_at", "version_id")}
    assert answer.json() == {**created, "name": "New", "version": 2, **own}


async def test_no_acknowledged_update_is_lost(directory: Directory) -> None:
    await _people(directory)
    await _shared_model(directory)

    rounds = repetitions(5, 10)

    async def client(number: int) -> int:
        successes = 0
        for _ in range(rounds):
            current = await directory.get(MODEL, "owner", id="m")
            body = {"id": "m", "params": {"client": number, "version": current.headers["etag"]}}
            answer = await directory.post(UPDATE, "owner", body, if_match=current.headers["etag"])
            assert answer.status_code in (200, 412)
            successes += answer.status_code == 200
        return successes

    successes = sum(await asyncio.gather(*(client(number) for number in range(10))))

    final = (await directory.get(MODEL, "owner", id="m")).json()
    assert final["version"] == 1 + successes
    assert successes >= rounds


async def test_updates_that_insist_on_no_version_all_take_effect(
    directory: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await _people(directory)
    await _shared_model(directory)
    toggles = [directory.post(TOGGLE, "owner", id="m") for _ in range(40)]
    assert {answer.status_code for answer in await asyncio.gather(*toggles)} == {200}

    final = (await directory.get(MODEL, "owner", id="m")).json()
    assert (final["version"], final["is_active"]) == (41, True)
    versions = [revision["version"] for revision in raw.revisions.find({"model_id": "m"}).sort("version", 1)]
    assert versions == list(range(1, 42))


async def test_a_deleted_model_does_not_come_back(directory: Directory, raw: SyncDatabase[dict[str, Any]]) -> None:
    await _people(directory)
    for number in range(repetitions(4, 10)):
        await _shared_model(directory, f"m{number}")
        answers = await asyncio.gather(
            directory.post(UPDATE, "owner", {"id": f"m{number}", "name": "Late"}),
            directory.post(DELETE, "owner", {"id": f"m{number}"}),
        )
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert raw.models.count_documents({"_id": f"m{number}"}) == 0
    again = await _shared_model(directory, "m0")
    assert again["version"] > 2


async def test_every_change_is_remembered_with_what_was_before_and_after(
    directory: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await _people(directory)
    await _shared_model(directory)
    await directory.post(UPDATE, "writer", {"id": "m", "name": "New"})
    await directory.post(TOGGLE, "admin", id="m")
    await directory.post(ACCESS, "owner", {"id": "m", "access_grants": []})
    await directory.post(DELETE, "owner", {"id": "m"})

    revisions = list(raw.revisions.find({"model_id": "m"}).sort("version", 1))

    assert [(revision["change"], revision["by"]) for revision in revisions] == [
        ("create", "owner"),
        ("update", "writer"),
        ("toggle", "admin"),
        ("access", "owner"),
        ("delete", "owner"),
    ]
    assert (revisions[0]["before"], revisions[0]["after"]["name"]) == (None, "Model")
    assert (revisions[-1]["before"]["name"], revisions[-1]["after"]) == ("New", None)
    named = [(revision["fields"], revision["before"], revision["after"]) for revision in revisions[1:-1]]
    # What differs, and always the owner.
    owner = {"user_id": "owner"}
    grants = revisions[0]["after"]["access_grants"]
    assert named == [
        (["name"], {**owner, "name": "Model"}, {**owner, "name": "New"}),
        (["is_active"], {**owner, "is_active": True}, {**owner, "is_active": False}),
        (["access_grants"], {**owner, "access_grants": grants}, {**owner, "access_grants": []}),
    ]
