"""Files of other systems, sent over HTTP: the same engine as on the command line, with the caller's rights."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.importing.writers import models as model_writer
from service.models import store
from tests.conftest import Commands
from tests.support.directory import Directory, grant, model
from tests.support.import_samples import CONFIGURATION, PRICES, SECRETS, WRITES, dump
from tests.support.meanwhile import after

IMPORT = "/api/models/import"
OLD = {
    "id": "old/one",
    "user_id": "someone-there",
    "base_model_id": "llama3",
    "name": "Old",
    "params": {"system": "x"},
    "meta": {"tags": [{"name": "t"}]},
    "access_control": {"read": {"group_ids": [], "user_ids": ["ann"]}},
    "created_at": 1_600_000_000,
    "updated_at": 1_600_000_001,
}

Raw = SyncDatabase[dict[str, Any]]


async def filled(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("writable", "ann", params={"system": "one"}, access_grants=[grant("user:bob", "write")]),
        model("readable", "ann", params={"system": "two"}, access_grants=[grant("user:bob")]),
        model("hidden", "ann"),
        model("own", "bob", name="Bee", params={"a": 1}, access_grants=[grant("user:ann")]),
    ]
    await directory.load({"models": models}, tmp_path)


async def send(directory: Directory, as_user: str, content: Any, **parameters: Any) -> httpx.Response:
    """Send a file, or a value as JSON, to be imported."""
    body = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
    headers = {"Authorization": f"Bearer {await directory.key(as_user)}"}
    return await directory.client.post(
        IMPORT,
        content=json.dumps(content).encode() if body is None else body,
        params={"format": "auto", **parameters},
        headers=headers,
    )


def steps(answer: httpx.Response) -> dict[str, tuple[str, str]]:
    """Return the outcome and the reason of each result in a response, by id."""
    return {step["id"]: (step["outcome"], step["reason"]) for step in answer.json()["steps"]}


async def test_an_old_export_becomes_the_callers(directory: Directory, tmp_path: Path) -> None:
    await filled(directory, tmp_path)
    plan = await send(directory, "bob", [OLD], mine=True, dry_run=True)
    assert plan.status_code == 200, plan.text
    report = plan.json()
    assert (report["format"], report["dry_run"], report["clean"], report["changes"]) == ("openwebui", True, True, 1)
    assert "access_control" in report["reason"]
    [created] = [step for step in report["steps"] if step["outcome"] == "created"]
    assert {name: created[name] for name in ("position", "kind", "id")} == {
        "position": "[0]",
        "kind": "model",
        "id": "old/one",
    }
    assert (await directory.get("/api/models/model", "bob", id="old/one")).status_code == 404

    done = await send(directory, "bob", [OLD], mine=True)
    assert done.json() | {"steps": [], "left_out": 0} == report | {"dry_run": False, "steps": [], "left_out": 0}
    shown = (await directory.get("/api/models/model", "ann", id="old/one")).json()
    assert (shown["user_id"], shown["version"], shown["meta"]["tags"]) == ("bob", 1, [{"name": "t"}])
    # The time of creation in a source is trusted only when an admin sends it.
    assert shown["created_at"] > OLD["created_at"]
    history = (await directory.get("/api/models/model/history", "bob", id="old/one")).json()["items"]
    assert [(one["change"], one["by"]) for one in history] == [("create", "bob")]
    assert (await send(directory, "bob", [OLD], mine=True)).json()["changes"] == 0


@pytest.mark.parametrize("atomic", [True, False])
async def test_nobody_overwrites_or_shares_what_is_not_theirs(
    directory: Directory, tmp_path: Path, raw: Raw, atomic: bool
) -> None:
    await filled(directory, tmp_path)
    before = dump(raw, "api_keys")
    refused: dict[str, dict[str, Any]] = {
        "hidden": {"name": "Mine"},
        "readable": {"name": "Mine"},
        "writable": {"name": "W", "access_grants": [grant("user:*")]},
        "own": {"name": "Bee", "user_id": "ann", "access_grants": [grant("user:ann")], "params": {"a": 1}},
        "new": {"name": "N", "user_id": "ann"},
        "shared with nobody": {"name": "N", "access_grants": [grant("user:nobody")]},
    }
    models = [{"id": model_id.replace(" ", "-"), **content} for model_id, content in refused.items()]
    answer = await send(directory, "bob", {"models": [*models, {"id": "fine", "name": "Fine"}]}, atomic=atomic)
    reasons = {
        "hidden": "id: This model id is taken.",
        "readable": "id: You may read this model, but not change it.",
        "writable": "access_grants: Only the owner of this model and admins may do this.",
        "own": "user_id: only admins may change the owner",
        "new": "user_id: only admins may create models for others",
        "shared-with-nobody": "access_grants: there is no user 'nobody'",
    }
    if atomic:
        assert answer.status_code == 422
        report = {error["loc"][1]: error["msg"] for error in answer.json()["errors"]}
        assert report == {
            f"models[{at}]": f"model {model_id!r}: {reason}" for at, (model_id, reason) in enumerate(reasons.items())
        }
        assert dump(raw, "api_keys") == before
        return
    assert answer.status_code == 200, answer.text
    assert {model_id: reason for model_id, (_, reason) in steps(answer).items()} == reasons
    assert answer.json()["counts"]["model"] == {"created": 2, "rejected": 5}
    # What could not be shared is private.
    assert (await directory.ids("bob", query="N", order_by="name"))[-1] != "hidden"
    stored = {record["_id"]: record for record in raw["models"].find()}
    assert {record["_id"] for record in raw["models"].find({"user_id": "bob"})} == {"own", "fine", "shared-with-nobody"}
    assert stored["shared-with-nobody"]["access_grants"] == []
    assert [stored[model_id]["version"] for model_id in ("hidden", "readable", "writable", "own")] == [1, 1, 1, 1]


async def test_a_write_grantee_updates_and_the_rest_stays(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await filled(directory, tmp_path)
    grants = [grant("user:bob", "write")]
    sent = {
        "models": [
            {"id": "writable", "name": "Changed", "params": {"system": "one"}, "access_grants": grants, "version": 99}
        ]
    }
    answer = await send(directory, "bob", sent)
    assert answer.status_code == 200, answer.text
    stored = raw["models"].find_one({"_id": "writable"}) or {}
    assert (stored["name"], stored["user_id"], stored["version"]) == ("Changed", "ann", 2)
    assert int(stored["created_at"].timestamp()) == 1_700_000_000


async def test_the_answer_does_not_say_whether_a_hidden_record_differs(directory: Directory, tmp_path: Path) -> None:
    # A caller who guesses a prompt must not learn that it is right.
    await filled(directory, tmp_path)
    held = model("readable", "ann", params={"system": "two"}, access_grants=[grant("user:bob")])
    for record in (held, {**held, "params": {"system": "guess"}}):
        answer = await send(directory, "bob", {"models": [record]}, dry_run=True)
        assert steps(answer) == {"readable": ("rejected", "id: You may read this model, but not change it.")}


async def test_an_admin_imports_all_that_a_bundle_holds(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await filled(directory, tmp_path)
    bundle = {
        "users": [{"id": "cy", "name": "Cy", "email": "cy@x.org"}],
        "groups": [{"id": "team", "name": "Team", "member_ids": ["cy"]}],
        "models": [model("m", "cy", access_grants=[grant("group:team")], version=4)],
    }
    packed = gzip.compress(json.dumps(bundle).encode(), mtime=0)
    refused = await send(directory, "bob", packed)
    assert refused.status_code == 422
    assert [error["msg"].split(": ")[1] for error in refused.json()["errors"][:2]] == [
        "only admins may import users and groups"
    ] * 2
    assert raw["users"].count_documents({"_id": "cy"}) == 0

    answer = await send(directory, "root", packed)
    assert answer.status_code == 200, answer.text
    counts = {"created": 1}
    assert answer.json()["counts"] == {"group": counts, "model": counts, "user": counts}
    stored = raw["models"].find_one({"_id": "m"}) or {}
    assert (stored["version"], int(stored["created_at"].timestamp())) == (4, 1_700_000_000)
    assert (raw["users"].find_one({"_id": "cy"}) or {})["group_ids"] == ["team"]
    # An import must not demote a user, since an admin must remain.
    demoting = {"users": [{"id": "root", "name": "Name of root", "email": "root@example.com", "role": "user"}]}
    assert (await send(directory, "root", demoting)).status_code == 422
    assert (raw["users"].find_one({"_id": "root"}) or {})["role"] == "admin"


async def test_groups_are_made_when_an_admin_asks_for_it(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await filled(directory, tmp_path)
    assert (await send(directory, "bob", CONFIGURATION, create_groups=True)).status_code == 403
    answer = await send(directory, "root", CONFIGURATION, create_groups=True, atomic=False)
    assert (answer.status_code, answer.json()["format"], answer.json()["clean"]) == (200, "litellm", False)
    assert raw["groups"].count_documents({"_id": "beta"}) == 1
    for secret in SECRETS:
        assert secret not in answer.text
        assert secret not in dump(raw)


async def test_a_price_map(directory: Directory, tmp_path: Path) -> None:
    await filled(directory, tmp_path)
    answer = await send(directory, "bob", PRICES)
    assert (answer.json()["format"], answer.json()["changes"]) == ("litellm-prices", 2)
    assert await directory.ids("bob", kind="base", query="voyage") == ["voyage-3"]


@pytest.mark.parametrize("on_conflict", ["skip", "fail"])
async def test_what_exists_can_be_left_alone(directory: Directory, tmp_path: Path, raw: Raw, on_conflict: str) -> None:
    await filled(directory, tmp_path)
    answer = await send(directory, "bob", {"models": [{"id": "own", "name": "B"}]}, on_conflict=on_conflict)
    assert (raw["models"].find_one({"_id": "own"}) or {})["name"] == "Bee"
    if on_conflict == "skip":
        assert answer.json()["counts"] == {"model": {"skipped": 1}}
    else:
        assert answer.status_code == 422
        assert "exists and differs: name, access_grants" in answer.json()["errors"][0]["msg"]


async def test_a_rehearsal_sends_no_write(directory: Directory, tmp_path: Path, commands: Commands, raw: Raw) -> None:
    await filled(directory, tmp_path)
    before = dump(raw, "api_keys")
    bundle = {
        "users": [{"id": "cy", "name": "Cy", "email": "cy@x.org"}],
        "models": [model("m", "cy"), model("own", "cy")],
    }
    commands.clear()
    assert (await send(directory, "root", bundle, dry_run=True)).json()["changes"] == 3
    sent = {event.command_name: event.command for event in commands.started_events if event.command_name in WRITES}
    # Except the time at which the API key was used.
    assert [command["update"] for command in sent.values()] in ([], ["api_keys"])
    assert dump(raw, "api_keys") == before


@pytest.mark.parametrize(
    ("content", "parameters", "loc", "message"),
    [
        (b"\xff\xfe{}", {}, ["body"], "It is not UTF-8 text"),
        (b"\xff\xfe{}", {"format": "modeldeck"}, ["body"], "can't be read"),
        (b'{"models": [{"id": "m", "name": "M"}', {}, ["body"], "can't be read to its end"),
        (b"nonsense", {}, ["body"], "not recognised"),
        (b'[{"id": "t", "content": "", "specs": []}]', {}, ["body"], "this is an export of tools"),
        (gzip.compress(b"", mtime=0), {}, ["body"], "the file is empty"),
        (b"nonsense", {"format": "modeldeck"}, ["body"], "a bundle is a JSON object"),
        (b"SQLite format 3\0" + b"\0" * 100, {}, ["body"], "only imported by the command"),
        (
            gzip.compress(b" " * 70_000_000, 1, mtime=0),
            {"format": "modeldeck"},
            ["body"],
            "more than 64,000,000 bytes when it is decompressed",
        ),
        (b"{}", {"format": "xml"}, ["query", "format"], "'openwebui'"),
        (b"{}", {"format": "openwebui-db"}, ["query", "format"], "'openwebui'"),
        (b"{}", {"dry_run": "maybe"}, ["query", "dry_run"], "boolean"),
        (b"{}", {"formatted": "x"}, ["query", "formatted"], "unknown query parameter"),
    ],
)
async def test_what_cant_be_imported(
    directory: Directory, content: bytes, parameters: dict[str, str], loc: list[str], message: str
) -> None:
    await directory.user("ann")
    for dry_run in ({}, {"dry_run": "true"}):
        answer = await send(directory, "ann", content, **{**dry_run, **parameters})
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert (error["loc"], message in error["msg"]) == (loc, True), error


async def test_sources_have_bounds(directory: Directory) -> None:
    await directory.user("ann")
    assert (await send(directory, "ann", b" " * 64_000_001)).status_code == 413
    configuration = CONFIGURATION.encode() + b"# " + b"x" * 1_000_000
    prices = json.dumps({**PRICES, "sample_spec": "x" * 4_000_000}).encode()
    for content, kind, limit in ((configuration, "litellm", "1,000,000"), (prices, "litellm-prices", "4,000,000")):
        answer = await send(directory, "ann", content, format=kind)
        assert (answer.status_code, f"{kind} may have {limit} bytes" in answer.json()["detail"]) == (413, True)
    reader = await directory.key("ann", scope="read")
    answer = await directory.client.post(
        IMPORT, content=b"{}", params={"format": "auto"}, headers={"Authorization": f"Bearer {reader}"}
    )
    assert answer.status_code == 403


async def test_an_export_without_its_format_is_refused_with_a_hint(directory: Directory) -> None:
    await directory.user("ann")
    for body in ([OLD], {"models": [OLD]}):
        answer = await directory.post(IMPORT, "ann", body)
        assert answer.status_code == 422
        hint = answer.json()["errors"][-1]
        assert (hint["loc"], "openwebui" in hint["allowed"]) == (["query", "format"], True)
    # Also when there are more errors than a response lists.
    answer = await directory.post(IMPORT, "ann", {"models": [OLD] * 200})
    assert answer.json()["errors"][-1]["loc"] == ["query", "format"]
    answer = await directory.post(IMPORT, "ann", {"models": [{"id": "m", "nmae": "M"}]})
    assert [error["loc"][-1] for error in answer.json()["errors"]] == ["nmae"]
    answer = await directory.post(IMPORT, "ann", {"models": []}, dry_run=True, mine=True)
    assert answer.json()["errors"][0]["msg"].endswith("mine: counts only together with a format")


async def test_what_others_change_during_an_import_as_a_whole_counts_after_its_commit(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.group("team")
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", name="Before")

    async def change() -> None:
        renamed = await directory.post("/api/users/update", "root", {"id": "ann", "name": "Afterwards"})
        assert renamed.status_code == 200
        assert (await directory.post("/api/groups/delete", "root", {"id": "team"})).status_code == 200

    monkeypatch.setattr(model_writer, "store_planned", after(1, store.store_planned, change))
    line = json.dumps({"kind": "model", "id": "m", "name": "M", "access_grants": [grant("group:team")]}).encode()
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    path = "/api/models/import?format=modeldeck&atomic=true"
    answer = await directory.client.post(path, content=line, headers=headers)
    assert answer.status_code == 200
    assert await directory.ids("ann", query="afterwards") == ["m"]
    assert (await directory.page("ann"))["items"][0]["access_grants"] == []
    assert (await examine(directory.database, repair=False)).problems == 0
