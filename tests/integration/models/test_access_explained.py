"""The explanation of access over REST: who may read and write a model, and why."""

from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.conftest import Commands
from tests.support.access_explanation import (
    ACCESS,
    PEOPLE,
    add_model_shared_each_way,
    add_people,
    add_shared_model,
    explanation,
    path_summaries,
    permissions,
    readers,
)
from tests.support.directory import Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]

MODEL = "/api/models/model"


async def test_every_kind_of_path_is_reported(directory: Directory, tmp_path: Path) -> None:
    await add_people(directory)
    await add_model_shared_each_way(directory, tmp_path)

    everyone = await readers(directory)

    assert everyone["total"] == 5
    assert [(item["user"]["id"], item["permission"], path_summaries(item["paths"])) for item in everyone["items"]] == [
        ("heir", "write", [("ancestor_group", "write", ("low", "mid", "top"))]),
        ("member", "write", [("group", "write", ("top",))]),
        ("named", "read", [("user", "read", ())]),
        ("owner", "write", [("owner", "write", ())]),
        ("root", "write", [("admin", "write", ())]),
    ]
    assert everyone["items"][0]["user"] == {"id": "heir", "name": "Name of heir", "email": None}
    by_ancestor, by_group, by_name, by_owning, _ = (item["paths"][0]["grant_id"] for item in everyone["items"])
    grants = (await directory.get(MODEL, "owner", id="m")).json()["access_grants"]
    assert [by_name, by_group] == [granted["id"] for granted in grants]
    assert (by_ancestor, by_owning) == (by_group, None)


@pytest.mark.parametrize(
    ("user", "may", "reason"),
    [
        ("owner", "write", "This user may write the model, since they own it."),
        ("root", "write", "This user may write the model, since they are an admin."),
        ("named", "read", "This user may read the model, since it is shared with them."),
        ("member", "write", "This user may write the model, since it is shared with their group top."),
        (
            "heir",
            "write",
            "This user may write the model, since it is shared with the group top, an ancestor of their group low.",
        ),
        (
            "stranger",
            None,
            "This user may not read the model: it is neither theirs nor shared with them, their groups or everyone.",
        ),
    ],
)
async def test_the_explanation_for_one_user_agrees_with_the_page(
    directory: Directory, tmp_path: Path, user: str, may: str | None, reason: str
) -> None:
    await add_people(directory)
    await add_model_shared_each_way(directory, tmp_path)

    found = await explanation(directory, user)

    assert (found["can_read"], found["can_write"], found["reason"]) == (may is not None, may == "write", reason)
    items = {item["user"]["id"]: item for item in (await readers(directory))["items"]}
    assert found["paths"] == (items[user]["paths"] if user in items else [])
    paged = await directory.get(ACCESS, "owner", id="m", user_id=user, page=7, page_size=1)
    assert paged.json() == found


async def test_a_public_model_is_read_by_all_and_says_so(directory: Directory, tmp_path: Path) -> None:
    await add_people(directory)
    await add_shared_model(directory, tmp_path, grant("user:*"))
    assert list(await permissions(directory)) == PEOPLE
    stranger = await explanation(directory, "stranger")
    assert path_summaries(stranger["paths"]) == [("public", "read", ())]
    assert stranger["reason"] == "This user may read the model, since it is shared with everyone."


async def test_all_paths_are_reported_in_a_fixed_order_and_the_best_one_as_the_reason(
    directory: Directory, tmp_path: Path
) -> None:
    await add_people(directory)
    await directory.user("many", role=Role.ADMIN, groups=["top", "low"])
    grants = [grant("user:*"), grant("group:mid"), grant("group:top"), grant("group:low", "write"), grant("user:many")]
    await directory.load({"models": [model("m", "many", access_grants=grants)]}, tmp_path)
    assert path_summaries((await explanation(directory, "many", "many"))["paths"]) == [
        ("owner", "write", ()),
        ("admin", "write", ()),
        ("user", "read", ()),
        ("group", "read", ("top",)),
        ("group", "write", ("low",)),
        ("ancestor_group", "read", ("low", "mid")),
        ("public", "read", ()),
    ]
    heir = await explanation(directory, "heir", "many")
    assert [path["kind"] for path in heir["paths"]] == ["group", "ancestor_group", "ancestor_group", "public"]
    assert (heir["can_write"], heir["reason"].rpartition(" ")[2]) == (True, "low.")


async def test_pages_together_are_everyone_once_and_in_order(directory: Directory, tmp_path: Path) -> None:
    await add_people(directory)
    await add_shared_model(directory, tmp_path, grant("user:*"))
    pages = [await readers(directory, page=page, page_size=4) for page in (1, 2, 3)]
    assert [item["user"]["id"] for page in pages for item in page["items"]] == PEOPLE
    assert [page["total"] for page in pages] == [6, 6, 6]
    assert (await readers(directory, page=10**20))["items"] == []


@pytest.mark.parametrize(
    ("caller", "statuses"),
    [("owner", [200, 200, 200]), ("root", [200, 200, 200]), ("heir", [403, 403, 200]), ("stranger", [404, 404, 404])],
)
async def test_who_manages_a_model_asks_about_all_and_who_reads_it_about_themselves(
    directory: Directory, tmp_path: Path, caller: str, statuses: list[int]
) -> None:
    await add_people(directory)
    await add_model_shared_each_way(directory, tmp_path)
    questions: list[dict[str, str]] = [{}, {"user_id": "named"}, {"user_id": caller}]
    answers = [await directory.get(ACCESS, caller, id="m", **question) for question in questions]
    assert [answer.status_code for answer in answers] == statuses


async def test_nobody_learns_of_models_and_users_that_are_not_theirs_to_know(
    directory: Directory, tmp_path: Path
) -> None:
    await add_people(directory)
    await add_model_shared_each_way(directory, tmp_path)
    for question in ({}, {"user_id": "named"}, {"user_id": "stranger"}):
        hidden = await directory.get(ACCESS, "stranger", id="m", **question)
        absent = await directory.get(ACCESS, "stranger", id="absent", **question)
        assert (hidden.status_code, hidden.content) == (404, absent.content)
    known, unknown = [await directory.get(ACCESS, "heir", id="m", user_id=user) for user in ("named", "nobody")]
    assert (known.status_code, known.content) == (403, unknown.content)
    for user in ("nobody", "*"):
        answer = await directory.get(ACCESS, "owner", id="m", user_id=user)
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no user with this id.")


async def test_the_inactive_may_do_nothing(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await add_people(directory)
    await add_shared_model(directory, tmp_path, grant("user:*"), grant("user:named", "write"))
    raw.users.update_one({"_id": "named"}, {"$set": {"is_active": False}})
    assert "named" not in await permissions(directory)
    found = await explanation(directory, "named")
    assert (found["can_read"], found["can_write"], found["paths"]) == (False, False, [])
    assert found["reason"] == "This user is inactive and may do nothing."


@pytest.mark.parametrize("field", ["name", "email"])
async def test_malformed_users_break_no_page(directory: Directory, raw: Raw, tmp_path: Path, field: str) -> None:
    await add_people(directory)
    await add_shared_model(directory, tmp_path, grant("user:*"))
    raw.users.update_many({}, {"$unset": {field: 1}})
    raw.users.insert_one({"_id": ObjectId(), "is_active": True, "role": "admin", "keys": {"email": "foreign"}})
    answer = await directory.get(ACCESS, "root", id="m")
    assert [item["user"]["id"] for item in answer.json()["items"]] == PEOPLE
    assert {item["user"][field] for item in answer.json()["items"]} == {None}
    assert answer.json()["total"] == len(PEOPLE)


NAMED = grant("user:named")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "grants",
    [
        None,
        "user:named",
        NAMED,
        [None, 5, [NAMED], {}],
        [{**NAMED, "permission": "all"}, {**NAMED, "permission": ["write"]}],
        [{**NAMED, "principal_type": "robot"}, {**NAMED, "principal_id": 5}, {**NAMED, "principal_id": ["named"]}],
    ],
    ids=str,
)
async def test_malformed_grants_and_owners_give_no_right(
    directory: Directory, raw: Raw, tmp_path: Path, grants: Any
) -> None:
    await add_people(directory)
    await add_shared_model(directory, tmp_path)
    raw.models.update_one({"_id": "m"}, {"$set": {"access_grants": grants}})
    assert await permissions(directory) == {"owner": "write", "root": "write"}
    assert (await explanation(directory, "named"))["can_read"] is False
    raw.users.insert_one({"_id": "*", "is_active": True, "keys": {"email": "*"}})
    for owner in ("*", 5, None):
        raw.models.update_one({"_id": "m"}, {"$set": {"user_id": owner}})
        assert await permissions(directory, "root") == {"root": "write"}
    raw.models.update_one({"_id": "m"}, {"$unset": {"access_grants": 1, "user_id": 1}})
    assert await permissions(directory, "root") == {"root": "write"}


def _stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return {plan["stage"]}.union(*map(_stages, inner))


@pytest.mark.parametrize("shared", ["user:*", "user:named", "group:top"])
async def test_a_page_reads_few_users_however_many_there_are(
    directory: Directory, raw: Raw, tmp_path: Path, commands: Commands, shared: str
) -> None:
    await add_people(directory)
    others = [{"_id": f"u{at:04}", "is_active": True, "role": "user", "keys": {"email": str(at)}} for at in range(1000)]
    raw.users.insert_many([{**other, "name": "Other", "email": "other@example.com"} for other in others])
    await add_shared_model(directory, tmp_path, grant(shared))
    commands.clear()

    await readers(directory, page_size=5)

    [sent] = [command for name, command in commands.on("users") if name == "find"]
    query = {name: sent[name] for name in ("find", "filter", "sort", "limit", "projection")}
    explained = raw.command("explain", query, verbosity="executionStats")
    # A membership is checked twice: by the index, and that group_ids is a list.
    assert explained["executionStats"]["totalDocsExamined"] <= 10
    assert "COLLSCAN" not in _stages(explained["queryPlanner"]["winningPlan"])
