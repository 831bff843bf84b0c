"""Bulk changes over REST."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from documents import ModelRecord, Revision
from documents.user import Role
from service.doctor import examine
from tests.support.directory import Directory, grant, model

ACCESS, STATE = "/api/models/bulk/access", "/api/models/bulk/state"


async def _filled(directory: Directory, tmp_path: Path) -> None:
    await directory.group("team")
    for user in ("ann", "bob", "eve"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("a1", "ann", name="Alpha"),
        model("a2", "ann", name="Beta", access_grants=[grant("user:bob", "write"), grant("group:team")]),
        model("b1", "bob", name="Alphabet"),
        model("hidden", "eve"),
        model("readable", "eve", access_grants=[grant("user:*")]),
    ]
    await directory.load({"models": models}, tmp_path)


async def _statuses(directory: Directory, path: str, user: str, body: dict[str, Any]) -> dict[str, str]:
    answer = await directory.post(path, user, body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    counts = answer.json()["counts"]
    assert counts == {status: [r["status"] for r in results].count(status) for status in counts}
    return {result["id"]: result["status"] for result in results}


async def _grants(directory: Directory, model_id: str) -> set[tuple[str, str]]:
    found = (await directory.get("/api/models/model", "root", id=model_id)).json()["access_grants"]
    return {(f"{one['principal_type']}:{one['principal_id']}", one["permission"]) for one in found}


async def test_state_of_named_models(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    body = {"ids": ["b1", "a2", "absent", "hidden", "readable", "a1", "b1"], "is_active": False}
    expected = {"b1": "changed", "a2": "changed", **dict.fromkeys(["absent", "hidden", "readable", "a1"], "not_found")}
    assert await _statuses(directory, STATE, "bob", body) == expected
    assert sorted(await directory.ids("root", is_active="false")) == ["a2", "b1"]
    assert (await _statuses(directory, STATE, "bob", body))["b1"] == "unchanged"


async def test_results_tell_the_version_and_each_change_is_remembered(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    answer = await directory.post(STATE, "bob", {"ids": ["b1", "a1"], "is_active": False})
    assert answer.json()["results"] == [
        {"id": "b1", "status": "changed", "version": 2, "detail": None},
        {"id": "a1", "status": "not_found", "version": None, "detail": None},
    ]
    history = (await directory.get("/api/models/model/history", "bob", id="b1")).json()["items"]
    assert (history[0]["change"], history[0]["by"], history[0]["fields"]) == ("toggle", "bob", ["is_active"])


@pytest.mark.parametrize(
    ("user", "selected", "changed"),
    [
        ("root", {}, ["a1", "a2", "b1", "hidden", "readable"]),
        ("root", {"query": "ALPHA"}, ["a1", "b1"]),
        ("bob", {}, ["a2", "b1"]),
        ("bob", {"view_option": "shared"}, ["a2"]),
        ("ann", {"query": "eta", "is_active": True, "kind": "base"}, ["a2"]),
        ("eve", {"query": "nothing"}, []),
        ("root", {"owner": ["ann@EXAMPLE.com", "bob"], "id": ["a1", "b1", "hidden"]}, ["a1", "b1"]),
        ("bob", {"owner": "ann"}, ["a2"]),
        ("root", {"owner": []}, ["a1", "a2", "b1", "hidden", "readable"]),
        ("root", {"owner": ["nobody"]}, []),
        ("root", {"created_since": 1_700_000_001}, []),
        ("root", {"updated_since": "2023-11-14T22:13:20Z", "id": "a1", "tag": None}, ["a1"]),
        ("root", {"tag": "x", "capability": ["y"], "base_model_id": ["z"]}, []),
    ],
)
async def test_state_of_all_that_a_filter_selects(
    directory: Directory, tmp_path: Path, user: str, selected: dict[str, Any], changed: list[str]
) -> None:
    await _filled(directory, tmp_path)
    body = {"filter": selected, "is_active": False}
    assert await _statuses(directory, STATE, user, body) == dict.fromkeys(changed, "changed")
    assert sorted(await directory.ids("root", is_active="false")) == changed


@pytest.mark.parametrize("user", ["root", "ann", "bob"])
@pytest.mark.parametrize(
    ("path", "change"),
    [
        (STATE, {"is_active": False}),
        (STATE, {"is_active": True}),
        (ACCESS, {"add": [grant("user:bob", "write")]}),
        (ACCESS, {"replace": []}),
    ],
)
async def test_a_dry_run_answers_what_the_change_would_and_changes_nothing(
    directory: Directory, tmp_path: Path, user: str, path: str, change: dict[str, Any]
) -> None:
    await _filled(directory, tmp_path)
    before = (await directory.get("/api/models/export", "root")).json()
    revisions = await directory.database.count(Revision, {})

    for selection in ({"ids": ["a2", "b1", "hidden", "absent"]}, {"filter": {"query": "a"}}):
        dry = await directory.post(path, user, {**selection, **change, "dry_run": True})
        assert (await directory.get("/api/models/export", "root")).json() == before
        assert await directory.database.count(Revision, {}) == revisions
        real = await directory.post(path, user, {**selection, **change})
        assert (dry.status_code, dry.json()) == (200, real.json())
        before = (await directory.get("/api/models/export", "root")).json()
        revisions = await directory.database.count(Revision, {})


async def test_grants_are_added_removed_and_replaced(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    added = {"ids": ["a1", "a2"], "add": [grant("user:eve"), grant("group:team")]}
    assert await _statuses(directory, ACCESS, "ann", added) == {"a1": "changed", "a2": "changed"}
    assert await _grants(directory, "a1") == {("user:eve", "read"), ("group:team", "read")}
    removed = {
        "filter": {},
        "remove": [{"principal_type": "user", "principal_id": "bob"}, grant("user:eve", "write")],
        "add": [grant("user:bob")],
    }
    assert await _statuses(directory, ACCESS, "ann", removed) == {"a1": "changed", "a2": "changed"}
    assert await _grants(directory, "a2") == {("user:bob", "read"), ("group:team", "read"), ("user:eve", "read")}
    replaced: dict[str, Any] = {"ids": ["a2"], "replace": []}
    assert await _statuses(directory, ACCESS, "root", replaced) == {"a2": "changed"}
    assert await _grants(directory, "a2") == set()
    assert await directory.ids("eve", query="alpha") == ["a1"]


async def test_grants_are_for_owners_and_admins_to_change(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    body = {"ids": ["a2", "hidden", "b1"], "add": [grant("user:*")]}
    expected = {"a2": "not_found", "hidden": "not_found", "b1": "changed"}
    assert await _statuses(directory, ACCESS, "bob", body) == expected
    assert ("user:*", "read") not in await _grants(directory, "a2")


async def test_an_unknown_principal_stops_everything(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    body = {"filter": {}, "add": [grant("user:bob"), grant("user:nobody"), grant("group:none")]}
    answer = await directory.post(ACCESS, "ann", body)
    assert answer.status_code == 422
    assert [error["msg"] for error in answer.json()["errors"]] == [
        "there is no group 'none'",
        "there is no user 'nobody'",
    ]
    assert await _grants(directory, "a1") == set()
    # Grants to principals that no longer exist can still be removed.
    gone = {"ids": ["a1"], "remove": [grant("user:nobody")]}
    assert await _statuses(directory, ACCESS, "ann", gone) == {"a1": "unchanged"}


@pytest.mark.parametrize(
    ("path", "body", "loc"),
    [
        (STATE, {"is_active": True}, ["body"]),
        (STATE, {"ids": ["a"], "filter": {}, "is_active": True}, ["body"]),
        (STATE, {"ids": [], "is_active": True}, ["body", "ids"]),
        (STATE, {"ids": ["x"] * 1001, "is_active": True}, ["body", "ids"]),
        (STATE, {"ids": ["a"]}, ["body", "is_active"]),
        (STATE, {"ids": ["a"], "is_active": 1}, ["body", "is_active"]),
        (STATE, {"filter": {"page": 1}, "is_active": True}, ["body", "filter", "page"]),
        (STATE, {"filter": {"is_active": []}, "is_active": True}, ["body", "filter", "is_active"]),
        (STATE, {"filter": {"query": {"$ne": 1}}, "is_active": True}, ["body", "filter", "query"]),
        (ACCESS, {"ids": ["a"]}, ["body"]),
        (ACCESS, {"ids": ["a"], "replace": [], "add": []}, ["body"]),
        (ACCESS, {"ids": ["a"], "add": [{"principal_type": "user"}]}, ["body", "add", 0, "principal_id"]),
        (ACCESS, {"ids": ["a"], "add": [grant("user:bob", "own")]}, ["body", "add", 0, "permission"]),
    ],
)
async def test_bad_bodies_are_named(
    directory: Directory, path: str, body: dict[str, Any], loc: list[str | int]
) -> None:
    await directory.user("ann")
    answer = await directory.post(path, "ann", body)
    assert answer.status_code == 422, answer.text
    assert loc in [error["loc"] for error in answer.json()["errors"]]


async def test_many_at_once_and_others_beside_them(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    ids = [f"m{number:03}" for number in range(110)]
    await directory.load({"models": [model(model_id, "ann") for model_id in ids]}, tmp_path)
    rivals = [
        directory.post("/api/models/model/update", "root", {"id": model_id, "name": f"New {model_id}"})
        for model_id in ids[::10]
    ]
    both = await asyncio.gather(
        directory.post(STATE, "ann", {"filter": {}, "is_active": False}),
        directory.post(ACCESS, "ann", {"ids": ids, "add": [grant("user:*")]}),
        *rivals,
    )
    assert {answer.status_code for answer in both} == {200}
    assert [answer.json()["counts"]["changed"] for answer in both[:2]] == [110, 110]
    assert (await directory.page("ann", is_active="false", query="New"))["total"] == 11
    await _holds(directory)


async def _holds(directory: Directory) -> None:
    diagnosis = await examine(directory.database, repair=False)
    assert diagnosis.problems == 0, diagnosis.examples
    versions = {
        record["_id"]: record["version"]
        for record in await directory.database.find(ModelRecord, {}, fields=["version"])
    }
    for revision in await directory.database.find(Revision, {}, fields=["model_id", "version"]):
        assert revision["version"] <= versions[revision["model_id"]]
    assert await directory.database.count(Revision, {}) == sum(versions.values())


async def test_a_malformed_record_fails_alone(directory: Directory, tmp_path: Path, raw: Any) -> None:
    await _filled(directory, tmp_path)
    raw.models.update_one({"_id": "a1"}, {"$set": {"name": 7}})
    answer = await directory.post(STATE, "ann", {"ids": ["a1", "a2"], "is_active": False})
    results = {result["id"]: result for result in answer.json()["results"]}
    assert (results["a1"]["status"], results["a2"]["status"]) == ("failed", "changed")
    assert "name" in results["a1"]["detail"]
