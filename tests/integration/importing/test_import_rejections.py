"""Importing invalid records: each is reported with its position and the reason, and the others are imported."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.model import MAX_RECORD_BYTES
from service.doctor import examine
from service.importing.report import ImportOutcome, ImportResult
from tests.support.directory import Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]

ANN = {"id": "ann", "name": "Ann", "email": "ann@x.org"}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


# An invalid field of a model, and a part of the reason.
BAD_MODELS: dict[str, tuple[Mapping[str, Any], str]] = {
    "empty id": ({"id": ""}, "id: "),
    "long id": ({"id": "x" * 257}, "id: "),
    "id with a space": ({"id": "a b"}, "id: must not contain whitespace"),
    "id with a no-break space": ({"id": "a\u00a0b"}, "id: must not contain whitespace"),
    "id with a control character": ({"id": "a\x7fb"}, "id: must not contain whitespace or control"),
    "id that is no text": ({"id": 5}, "id: "),
    "owner who is everyone": ({"user_id": "*"}, "user_id: must not be *"),
    "no name": ({"name": None}, "name: "),
    "blank name": ({"name": " \u3000"}, "name: must not be blank"),
    "NUL in the name": ({"name": "a\0b"}, "name: must not contain the NUL"),
    "lone surrogate in the name": ({"name": "a\ud800"}, "name: "),
    "lone surrogate in params": ({"params": {"p": ["\udfff"]}}, "params: p.0: must not contain lone surrogates"),
    "lone surrogate in a name in params": ({"params": {"\ud800": 1}}, "params: has a name that must not"),
    "NUL in a name in meta": ({"meta": {"a": {"b\0": 1}}}, "meta: a: has a name that must not contain the NUL"),
    "NaN": ({"params": {"temperature": float("nan")}}, "params: temperature: is not a finite number"),
    "infinity": ({"meta": {"x": float("-inf")}}, "meta: x: is not a finite number"),
    "2**63": ({"params": {"n": 2**63}}, "params: n: is an integer beyond 64 bits"),
    "-2**63-1": ({"params": {"n": -(2**63) - 1}}, "params: n: is an integer beyond 64 bits"),
    "nested 500 deep": ({"params": nested(500)}, "params: is nested more than 80 levels deep"),
    "too large": ({"params": {"p": "x" * MAX_RECORD_BYTES}}, "can't be stored: The record has 500,"),
    "unknown field": ({"keys": {"readers": ["user:*"]}}, "keys: "),
    "unknown field with a lone surrogate": ({"\ud800": 1}, "valid string"),
    "params that are a list": ({"params": []}, "params: "),
    "meta that is text": ({"meta": "m"}, "meta: "),
    "tags that are numbers": ({"meta": {"tags": [1]}}, "meta: tags must be"),
    "grants that are an object": ({"access_grants": {}}, "access_grants: "),
    "grant without a principal": ({"access_grants": [{"permission": "read"}]}, "access_grants.0.principal_type: "),
    "grant of an unknown permission": ({"access_grants": [grant("user:ann", "own")]}, "access_grants.0.permission: "),
    "grant to an unknown kind": ({"access_grants": [grant("role:ann")]}, "access_grants.0.principal_type: "),
    "is_active that is no flag": ({"is_active": "maybe"}, "is_active: "),
    "version that is a flag": ({"version": True}, "version: must be a whole number"),
    "version 0": ({"version": 0}, "version: "),
    "version that can't go up": ({"version": 2**63 - 1}, "version: "),
    "date as text": ({"created_at": "2024-01-01"}, "created_at: must be a number of seconds"),
    "date in milliseconds": ({"updated_at": 1_700_000_000_000}, "updated_at: must be seconds since 1970 within"),
}


async def rejections(directory: Directory, tmp_path: Path, bundle: Mapping[str, Any]) -> list[ImportResult]:
    report = await directory.load(bundle, tmp_path)
    assert not report.clean
    return list(report.faults())


async def test_every_bad_model_is_named_and_the_good_ones_are_imported(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    models = [model("first", "ann")]
    for at, (change, _) in enumerate(BAD_MODELS.values()):
        models.append({**model(f"bad-{at}", "ann"), **change})
    models.append(model("last", "ann"))
    found = await rejections(directory, tmp_path, {"users": [ANN], "models": models})

    assert [item.position for item in found] == [f"models[{at}]" for at in range(1, len(BAD_MODELS) + 1)]
    wrong = {
        name: item.reason
        for (name, (_, words)), item in zip(BAD_MODELS.items(), found, strict=True)
        if words not in item.reason
    }
    assert wrong == {}
    lines = [str(item) for item in found]
    assert all(line.isprintable() and line.encode() for line in lines)
    assert {record["_id"] for record in raw["models"].find()} == {"first", "last"}


async def test_what_is_no_model_is_named(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    found = await rejections(directory, tmp_path, {"models": [None, 5, "m", ["m"], model("m", "ann")]})
    assert [(item.position, item.reason) for item in found] == [
        (f"models[{at}]", "must be a JSON object") for at in range(4)
    ]
    assert raw["models"].count_documents({}) == 1


async def test_a_repeated_id_counts_once_and_the_first_one_wins(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    bundle = {
        "users": [ANN, {**ANN, "name": "Other"}],
        "groups": [{"id": "g", "name": "First"}, {"id": "g", "name": "Other"}],
        "models": [model("m", "ann", name="First"), model("m", "ann", name="Other")],
    }
    found = await rejections(directory, tmp_path, bundle)
    assert [item.position for item in found] == ["users[1]", "groups[1]", "models[1]"]
    assert all("the id is given twice" in item.reason for item in found)
    assert [raw[kind].find_one({}, {"name": 1, "_id": 0}) for kind in ("users", "groups", "models")] == [
        {"name": "Ann"},
        {"name": "First"},
        {"name": "First"},
    ]


async def test_a_model_without_an_owner_needs_one_given(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    bundle = {"users": [ANN], "models": [model("m", None)]}
    [item] = await rejections(directory, tmp_path, bundle)
    assert (item.position, item.id) == ("models[0]", "m")
    assert "user_id: missing" in item.reason
    assert (await directory.load(bundle, tmp_path, owner_id="ann")).clean
    assert [record["user_id"] for record in raw["models"].find()] == ["ann"]


async def test_a_grant_to_an_absent_principal_is_not_imported(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    grants = [grant("user:ann"), grant("user:nobody", "write"), grant("group:ann"), grant("group:*", "write")]
    bundle = {"users": [ANN], "models": [model("m", "ann", access_grants=grants)]}
    found = await rejections(directory, tmp_path, bundle)
    assert [item.reason for item in found] == [
        "access_grants: there is no user 'nobody'",
        "access_grants: there is no group 'ann'",
        "access_grants: there is no group '*'",
    ]
    record = raw["models"].find_one({"_id": "m"})
    assert record is not None
    assert [item["principal_id"] for item in record["access_grants"]] == ["ann"]
    assert record["keys"]["readers"] == record["keys"]["writers"] == ["user:ann"]


BAD_IMAGES: list[tuple[Any, str]] = [
    ("javascript:alert(1)", "must be one of /static/…; https://…; data:image/png;base64,…"),
    ("http://images.example/a.png", "must be one of "),
    ("/static/../secret", "must be one of "),
    ("data:image/svg+xml;base64,PHN2Zy8+", "must be one of "),
    ("data:image/svg+xml;base64," + "A" * MAX_RECORD_BYTES, "must be one of "),
    ("data:image/png;base64,PHN2Zy8+", "is not a png image, although it is declared as one"),
    ("data:image/png;base64," + "A" * MAX_RECORD_BYTES, "has 375,000 bytes; at most 262,144 are allowed"),
    (5, "must be text"),
    ({"url": "/static/a.png"}, "must be text"),
]


@pytest.mark.parametrize(("image", "words"), BAD_IMAGES, ids=lambda value: str(value)[:40])
async def test_an_unsafe_image_is_not_imported_and_the_rest_is(
    directory: Directory, raw: Raw, tmp_path: Path, image: Any, words: str
) -> None:
    meta = {"a": 1, "profile_image_url": image, "tags": ["t"], "$b": 2}
    bundle = {"users": [ANN], "models": [model("m", "ann", meta=meta)]}
    [item] = await rejections(directory, tmp_path, bundle)
    assert (item.position, item.kind, item.id) == ("models[0]", "model", "m")
    assert item.reason.startswith(f"meta.profile_image_url: {words}")
    assert item.outcome == "kept out"
    assert len(item.reason) < 200
    record = raw["models"].find_one({"_id": "m"})
    assert record is not None
    assert list(record["meta"].items()) == [("a", 1), ("tags", [{"name": "t"}]), ("$b", 2)]

    again = await directory.load(bundle, tmp_path)
    assert again.changes == 0
    assert again.total[ImportOutcome.KEPT_OUT] == 1


async def test_a_stored_bad_image_is_removed_by_the_next_import(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    bundle = {"users": [ANN], "models": [model("m", "ann", meta={"profile_image_url": "http://images.example/a.png"})]}
    await directory.load(bundle, tmp_path)
    raw["models"].update_one({"_id": "m"}, {"$set": {"meta": bundle["models"][0]["meta"]}})
    assert (await directory.load(bundle, tmp_path)).changes == 1
    assert [record["meta"] for record in raw["models"].find()] == [{}]


@pytest.mark.parametrize("image", [None, "", "/static/a.png", "https://images.example/a.png"], ids=repr)
async def test_a_safe_image_is_imported(directory: Directory, raw: Raw, tmp_path: Path, image: Any) -> None:
    bundle = {"users": [ANN], "models": [model("m", "ann", meta={"profile_image_url": image})]}
    assert (await directory.load(bundle, tmp_path)).clean
    assert [record["meta"] for record in raw["models"].find()] == [{"profile_image_url": image}]


async def test_bad_users_are_named(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await directory.user("old", email="taken@x.org")
    users = [
        {**ANN, "email": "nobody"},
        {**ANN, "id": "*"},
        {**ANN, "id": "u 1"},
        {**ANN, "id": "u2", "role": "owner"},
        {**ANN, "id": "u3", "keys": {}},
        {**ANN, "id": "u4", "name": 4},
        {**ANN, "id": "u5", "email": "TAKEN@x.org"},
        {**ANN, "id": "u6"},
        {**ANN, "id": "u7", "email": "ANN@X.ORG"},
        {**ANN, "id": "old"},
    ]
    found = await rejections(directory, tmp_path, {"users": users})
    reasons = {item.position: item.reason.partition(":")[0] for item in found}
    fields = ["email", "id", "id", "role", "keys", "name", "email", "email", "email"]
    assert reasons == {f"users[{at}]": field for at, field in zip([*range(7), 8, 9], fields, strict=True)}
    assert {user["_id"] for user in raw["users"].find()} == {"old", "u6"}


async def test_bad_groups_and_unknown_members_are_named(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await directory.group("root")
    await directory.group("branch", parent="root")
    groups = [
        {"id": "a", "name": "A", "parent_id": "b"},
        {"id": "b", "name": "B", "parent_id": "a"},
        {"id": "own", "name": "Own", "parent_id": "own"},
        {"id": "lost", "name": "Lost", "parent_id": "nowhere"},
        {"id": "child-of-lost", "name": "Child", "parent_id": "lost"},
        {"id": "root", "name": "Root", "parent_id": "branch"},
        {"id": "good", "name": "Good", "parent_id": "branch", "member_ids": ["ann", "nobody", 5, None]},
        {"id": "bad", "name": "Bad", "member_ids": "ann"},
    ]
    found = await rejections(directory, tmp_path, {"users": [ANN], "groups": groups})
    reasons = sorted((item.position, item.reason) for item in found)
    cycle = "parent_id: the group would be its own ancestor"
    assert [reason for reason in reasons if not reason[1].startswith("member_ids")] == [
        ("groups[0]", cycle),
        ("groups[1]", cycle),
        ("groups[2]", cycle),
        ("groups[3]", "parent_id: there is no group 'nowhere'"),
        ("groups[4]", "parent_id: there is no group 'lost'"),
        ("groups[5]", cycle),
    ]
    members = [(position, reason) for position, reason in reasons if reason.startswith("member_ids")]
    assert members[:3] == [
        ("groups[6]", "member_ids: a user id must be text"),
        ("groups[6]", "member_ids: a user id must be text"),
        ("groups[6]", "member_ids: there is no user 'nobody'"),
    ]
    assert [position for position, _ in members[3:]] == ["groups[7]"]
    assert {group["_id"]: group["parent_id"] for group in raw["groups"].find()} == {
        "root": None,
        "branch": "root",
        "good": "branch",
    }
    assert [user["group_ids"] for user in raw["users"].find()] == [["good"]]


async def test_lines_that_are_no_records_are_named_and_the_others_are_imported(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"kind": "model", **model("first", "ann")}),
        "",
        '{"kind": "model", "id": ',
        '{"kind": "robot", "id": "r"}',
        '{"id": "m"}',
        "[1]",
        "null",
        '{"kind": "model", "id": "deep", "params": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        '{"kind": "model", "id": "digits", "user_id": "ann", "name": "N", "params": {"n": ' + "9" * 5000 + "}}",
        json.dumps({"kind": "model", **model("last", "ann")}),
    ]
    path = tmp_path / "lines"
    path.write_text("\n".join(lines))
    report = await directory.load_file(path)
    found = {item.position: item.reason for item in report.faults()}
    assert {position: reason.partition(":")[0] for position, reason in found.items()} == {
        "line 3": "not valid JSON",
        "line 4": "kind",
        "line 5": "kind",
        "line 6": "must be a JSON object",
        "line 7": "must be a JSON object",
        "line 8": "nested too deeply",
        "line 9": "params",
    }
    assert "is an integer beyond 64 bits" in found["line 9"]
    assert report.fatal is None
    assert {record["_id"] for record in raw["models"].find()} == {"first", "last"}


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1" + "0" * 19, "1e400", "NaN", "-Infinity"])
async def test_a_number_that_cannot_be_kept_costs_its_record_only(
    directory: Directory, raw: Raw, tmp_path: Path, number: str
) -> None:
    path = tmp_path / "bundle.json"
    good = json.dumps(model("good", "ann"))
    path.write_text(
        f'{{"models": [{{"id": "m", "user_id": "ann", "name": "N", "params": {{"n": {number}}}}}, {good}]}}'
    )
    report = await directory.load_file(path)
    [item] = report.faults()
    assert (item.position, item.id) == ("models[0]", "m")
    assert item.reason.startswith("params: n: is ")
    assert [record["_id"] for record in raw["models"].find()] == ["good"]


async def test_parts_that_a_bundle_does_not_have_are_named(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    bundle = {"version": 1, "prompts": [{"a": []}], "\ud800": 0, "groups": None, "models": [model("m", "ann")]}
    found = await rejections(directory, tmp_path, bundle)
    assert [item.position for item in found] == ["version", "prompts", r"\ud800", "groups"]
    assert [item.reason.partition(";")[0] for item in found] == ["unknown part"] * 3 + ["must be a list"]
    assert all(str(item).encode() for item in found)
    assert raw["models"].count_documents({}) == 1


async def test_a_rejected_record_leaves_what_is_stored_as_it_is(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await directory.load({"users": [ANN], "models": [model("m", "ann", params={"a": 1})]}, tmp_path)
    before = list(raw["models"].find())
    await rejections(directory, tmp_path, {"models": [{**model("m", "ann"), "params": {"n": 2**63}}]})
    assert list(raw["models"].find()) == before
    assert (await examine(directory.database, repair=False)).problems == 0
