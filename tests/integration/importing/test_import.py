"""Importing bundles: only new and differing records are written, whatever the order of records in the file."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.derived_keys import user_derived_keys
from service.doctor import examine
from service.importing.plan import OnConflict
from service.importing.report import ImportOutcome, Report
from tests.conftest import Commands
from tests.support.directory import Directory, grant, model

WRITES = {"insert", "update", "delete", "findAndModify", "bulkWrite", "create", "createIndexes", "drop", "dropIndexes"}
PEOPLE: dict[str, Any] = {
    "users": [
        {"id": "ann", "name": "Ann Archer", "email": "ann@x.org", "username": "annie"},
        {"id": "bob", "name": "Bob", "email": "bob@x.org", "role": "admin"},
    ],
    "groups": [
        {"id": "team", "name": "Team", "parent_id": "company", "member_ids": ["bob"]},
        {"id": "company", "name": "Company"},
    ],
}
BUNDLE: dict[str, Any] = {
    **PEOPLE,
    "models": [
        model("m1", "ann", params={"a": 1, "b": 2}, access_grants=[grant("group:team", "write")]),
        model("m2", "bob", meta={"tags": ["fast", {"name": "small"}], "description": "d"}),
        model("gone", "somebody-else", base_model_id="gpt-4o"),
    ],
}

Raw = SyncDatabase[dict[str, Any]]


def writes(commands: Commands) -> list[str]:
    return [event.command_name for event in commands.started_events if event.command_name in WRITES]


def one(stored: Raw, model_id: str) -> dict[str, Any]:
    record = stored["models"].find_one({"_id": model_id})
    assert record is not None
    return record


def counts(report: Report) -> dict[str, Any]:
    return {kind: {str(name): count for name, count in found.items()} for kind, found in report.summary().items()}


async def healthy(directory: Directory) -> bool:
    return (await examine(directory.database, repair=False)).problems == 0


async def test_a_second_run_changes_nothing_and_writes_nothing(
    directory: Directory, raw: Raw, commands: Commands, tmp_path: Path
) -> None:
    first = await directory.load(BUNDLE, tmp_path)
    assert first.clean
    assert counts(first) == {"group": {"created": 2}, "model": {"created": 3}, "user": {"created": 2}}
    before = {name: list(raw[name].find()) for name in ("users", "groups", "models")}
    commands.clear()

    second = await directory.load(BUNDLE, tmp_path)
    assert second.changes == 0
    assert counts(second) == {"group": {"unchanged": 2}, "model": {"unchanged": 3}, "user": {"unchanged": 2}}
    assert writes(commands) == []
    assert {name: list(raw[name].find()) for name in before} == before
    assert await healthy(directory)


async def test_an_update_raises_the_version_by_one_and_keeps_what_the_file_does_not_say(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    original = model("m", "ann", version=7, created_at=1_500_000_000)
    await directory.load({**PEOPLE, "models": [original]}, tmp_path)
    changed = {"id": "m", "user_id": "ann", "name": "Another name"}
    assert counts(await directory.load({"models": [changed]}, tmp_path)) == {"model": {"updated": 1}}

    record = one(raw, "m")
    assert (record["version"], record["name"]) == (8, "Another name")
    assert record["created_at"] == datetime.fromtimestamp(1_500_000_000, UTC)
    assert record["updated_at"] > datetime(2026, 1, 1, tzinfo=UTC)
    assert await healthy(directory)


@pytest.mark.parametrize(
    "params",
    [
        {"b": 2, "a": 1},
        {"a": 1.0, "b": 2},
        {"a": True, "b": 2},
        {"a": "1", "b": 2},
        {"a": 1},
        {"a": 1, "b": 2, "c": None},
    ],
    ids=["order of names", "1.0", "true", "text", "one less", "one more"],
)
async def test_whatever_differs_in_params_is_a_change(
    directory: Directory, raw: Raw, tmp_path: Path, params: dict[str, Any]
) -> None:
    await directory.load({"models": [model("m", "ann", params={"a": 1, "b": 2})]}, tmp_path)
    assert (await directory.load({"models": [model("m", "ann", params=params)]}, tmp_path)).changes == 1
    stored = one(raw, "m")["params"]
    assert [(name, type(value), value) for name, value in stored.items()] == [
        (name, type(value), value) for name, value in params.items()
    ]


async def test_free_form_values_come_back_exactly_through_the_list(directory: Directory, tmp_path: Path) -> None:
    odd = {
        "z": {"$ref": "x", "$id": 1, "z": 2},
        "$ref": "x",
        "$id": {"$id": 1, "$ref": [{"$ref": 1, "$id": 2, "$db": 3}]},
        "$set": {"$where": "1"},
        "a.b": {".": 1, "$": 2, "": {"": None}},
        "_id": 1,
        "numbers": [2**63 - 1, -(2**63), 0, -0.0, 1.0, 1e308, 5e-324, 0.1],
        "nul": "a\0b",
        "a": [[], {}, [[None, True, False]]],
    }
    meta = {"profile_image_url": None, "description": None, "capabilities": None, **odd}
    await directory.user("ann")
    report = await directory.load({"models": [model("m", "ann", params=odd, meta=meta)]}, tmp_path)
    assert report.clean, list(report.faults())
    [item] = (await directory.page("ann"))["items"]
    assert repr(item["params"]) == repr(odd)
    assert repr(item["meta"]) == repr(meta)
    again = await directory.load({"models": [model("m", "ann", params=odd, meta=meta)]}, tmp_path)
    assert again.changes == 0


async def test_a_dry_run_writes_nothing_and_counts_what_a_real_run_does(
    directory: Directory, raw: Raw, commands: Commands, tmp_path: Path
) -> None:
    await directory.load(BUNDLE, tmp_path)
    mixed = {
        "users": [{**PEOPLE["users"][0], "name": "Ann Baker"}, {"id": "new", "name": "New", "email": "new@x.org"}],
        "groups": [
            {"id": "team", "name": "Team", "parent_id": "company", "member_ids": ["ann", "new", "nobody"]},
            {"id": "lost", "name": "Lost", "parent_id": "nowhere"},
        ],
        "models": [
            *BUNDLE["models"][:1],
            model("m2", "new", access_grants=[grant("user:new"), grant("user:nobody"), grant("group:lost")]),
            model("m3", "ann"),
            model("m 4", "ann"),
        ],
    }
    commands.clear()
    dry = await directory.load(mixed, tmp_path, dry_run=True)
    assert writes(commands) == []
    assert raw["models"].count_documents({"_id": "m3"}) == 0
    real = await directory.load(mixed, tmp_path)
    assert counts(dry) == counts(real)
    assert list(dry.faults()) == list(real.faults())
    assert real.total[ImportOutcome.KEPT_OUT] == 3
    assert counts(real) == {
        "group": {"updated": 1, "rejected": 1},
        "model": {"created": 1, "updated": 1, "unchanged": 1, "rejected": 1},
        "user": {"created": 1, "updated": 1},
    }
    assert await healthy(directory)


@pytest.mark.parametrize("on_conflict", [OnConflict.SKIP, OnConflict.FAIL])
async def test_what_exists_and_differs_can_be_left_alone(
    directory: Directory, raw: Raw, tmp_path: Path, on_conflict: OnConflict
) -> None:
    await directory.load(BUNDLE, tmp_path)
    before = {name: list(raw[name].find()) for name in ("users", "groups", "models")}
    other = {
        "users": [{**PEOPLE["users"][0], "name": "Ann Baker"}],
        "groups": [{"id": "company", "name": "Concern", "member_ids": ["ann"]}],
        "models": [model("m1", "bob"), BUNDLE["models"][1], model("new", "ann")],
    }
    report = await directory.load(other, tmp_path, on_conflict=on_conflict)
    raw["models"].delete_one({"_id": "new"})
    assert {name: list(raw[name].find()) for name in before} == before
    left = "skipped" if on_conflict is OnConflict.SKIP else "conflict"
    assert counts(report) == {
        "group": {left: 1},
        "model": {"created": 1, "unchanged": 1, left: 1},
        "user": {left: 1},
    }
    faults = [(result.outcome, result.reason) for result in report.faults()]
    differing = ["name", "name", "user_id, access_grants"]
    expected = [("conflict", f"exists and differs: {fields}") for fields in differing]
    assert faults == ([] if left == "skipped" else expected)


async def test_models_may_come_before_their_people_in_the_file(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    backwards = {"models": BUNDLE["models"], "groups": PEOPLE["groups"], "users": PEOPLE["users"]}
    assert (await directory.load(backwards, tmp_path)).clean
    assert "group:team" in one(raw, "m1")["keys"]["writers"]
    assert await directory.ids("bob", query="archer") == ["m1"]
    assert await healthy(directory)


async def test_a_model_is_found_by_an_owner_who_came_later(directory: Directory, tmp_path: Path) -> None:
    await directory.load({"models": [model("m1", "ann"), model("m2", "cy")]}, tmp_path)
    await directory.load({"users": PEOPLE["users"]}, tmp_path)
    await directory.user("cy", name="Cyrus Late")
    assert await directory.ids("bob", query="ANNIE") == ["m1"]
    assert await directory.ids("bob", query="late") == ["m2"]
    assert await healthy(directory)


async def test_search_follows_a_user_who_is_renamed(directory: Directory, tmp_path: Path) -> None:
    await directory.load(BUNDLE, tmp_path)
    renamed = {"users": [{"id": "ann", "name": "Ann Baker", "email": "ann@y.org"}]}
    assert counts(await directory.load(renamed, tmp_path)) == {"user": {"updated": 1}}
    for word, found in {"baker": ["m1"], "y.org": ["m1"], "archer": [], "annie": []}.items():
        assert await directory.ids("bob", query=word) == found
    assert await healthy(directory)


@pytest.mark.parametrize("by", ["doctor", "import"])
async def test_an_interrupted_renaming_is_finished(directory: Directory, raw: Raw, tmp_path: Path, by: str) -> None:
    await directory.load(BUNDLE, tmp_path)
    keys = user_derived_keys(email="ann@x.org", name="Ann Baker", username="annie").model_dump()
    raw["users"].update_one({"_id": "ann"}, {"$set": {"name": "Ann Baker", "keys": keys, "rekey_pending": True}})
    assert (await examine(directory.database, repair=False)).problems == 2
    if by == "doctor":
        diagnosis = await examine(directory.database, repair=True)
        assert diagnosis.problems == diagnosis.repaired
    else:
        users = [{**PEOPLE["users"][0], "name": "Ann Baker"}]
        assert (await directory.load({"users": users}, tmp_path)).changes == 0
    assert await healthy(directory)
    assert await directory.ids("bob", query="baker") == ["m1"]
    assert await directory.ids("bob", query="archer") == []


@pytest.mark.usefixtures("several_batches")
async def test_two_imports_of_one_file_at_the_same_time_end_with_its_content(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    people = [{"id": f"u{n}", "name": f"User {n}", "email": f"u{n}@x.org"} for n in range(50)]
    teams = [{"id": f"g{n}", "name": f"Group {n}", "member_ids": [f"u{n}"]} for n in range(20)]
    for name in ("first", "second"):
        models = [model(f"m{n}", f"u{n % 50}", name=f"{name} {n}") for n in range(250)]
        bundle = {"users": people, "groups": teams, "models": models}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(bundle))
        reports = await asyncio.gather(directory.load_file(file), directory.load_file(file))
        assert [report.clean for report in reports] == [True, True]
        assert [counts(report)["model"].get("rejected", 0) for report in reports] == [0, 0]
        assert raw["models"].count_documents({"name": {"$regex": f"^{name} "}}) == 250
        assert raw["users"].count_documents({}) == 50
        assert raw["groups"].count_documents({}) == 20
        assert raw["users"].count_documents({"group_ids": "g7"}) == 1
        assert (await directory.load(bundle, tmp_path)).changes == 0
    assert set(raw["models"].distinct("version")) <= {2, 3}
    assert await healthy(directory)


async def test_people_whose_id_or_email_is_taken_in_between_are_looked_at_again(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    one_file, other_file = tmp_path / "one", tmp_path / "other"
    for folder in (one_file, other_file):
        folder.mkdir()
    for turn in range(5):
        same = [{"id": f"{turn}-same-{n}", "name": "N", "email": f"{turn}-same-{n}@x.org"} for n in range(20)]
        rivals = [[{"id": f"{turn}-{name}", "name": "N", "email": f"{turn}@x.org"}] for name in ("one", "other")]
        reports = await asyncio.gather(
            directory.load({"users": same + rivals[0]}, one_file),
            directory.load({"users": same + rivals[1]}, other_file),
        )
        rejected = [item for report in reports for item in report.faults()]
        assert [item.reason for item in rejected] == ["email: is taken by another user"]
        assert raw["users"].count_documents({"email": f"{turn}@x.org"}) == 1
    assert raw["users"].count_documents({}) == 5 * 21
