"""Exports over HTTP: what each caller gets."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from tests.support.directory import Directory
from tests.support.export_samples import BUNDLE, EXPORT, MODELS, USERS, ordered


async def loaded(directory: Directory, tmp_path: Path) -> Directory:
    """A directory with the records of the bundle, and the admin `root`."""
    await directory.load(BUNDLE, tmp_path)
    await directory.user("root", role=Role.ADMIN)
    return directory


async def test_an_admin_gets_by_http_what_the_command_line_gives(directory: Directory, tmp_path: Path) -> None:
    directory = await loaded(directory, tmp_path)
    answer = await directory.get(EXPORT, "root", format="modeldeck")
    assert answer.headers["content-disposition"] == 'attachment; filename="models.json"'
    exported = answer.json()
    assert [user["id"] for user in exported["users"]] == ["ann", "ben", "cy", "root"]
    assert json.dumps({**exported, "users": USERS}) == json.dumps(ordered(BUNDLE))
    some = (await directory.get(EXPORT, "root", format="modeldeck", id="gpt-4o")).json()
    assert ([*some], [shown["id"] for shown in some["models"]]) == (["models"], ["gpt-4o"])


async def test_what_a_reader_exported_takes_no_prompt_away(directory: Directory, tmp_path: Path) -> None:
    directory = await loaded(directory, tmp_path)
    await directory.load({"models": [{**MODELS[0], "params": {"system": "x"}}]}, tmp_path)
    await directory.user("eve")
    exported = (await directory.get(EXPORT, "eve", format="modeldeck")).json()
    report = await directory.load(exported, tmp_path)
    assert (report.clean, report.changes) == (True, 0)
    shown = (await directory.get("/api/models/model", "root", id="gpt-4o")).json()
    assert shown["params"] == {"system": "x"}


LISTED: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "modeldeck": lambda text: json.loads(text)["models"],
    "openwebui": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: list(csv.DictReader(io.StringIO(text, newline=""))),
}


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
@pytest.mark.parametrize("kind", LISTED)
async def test_others_get_what_they_may_read_and_no_people(
    directory: Directory, tmp_path: Path, kind: str, prefix: str
) -> None:
    directory = await loaded(directory, tmp_path)
    path = f"{prefix}/models/export"
    await directory.user("eve")
    seen = {user: (await directory.get(path, user, format=kind)).text for user in ("ben", "eve")}
    ids = {user: [shown["id"] for shown in LISTED[kind](text)] for user, text in seen.items()}
    # An inactive user gets nothing.
    assert (await directory.get(path, "cy", format=kind)).status_code == 401
    assert ids["ben"] == ["gpt-4o", "team/ß"]
    assert ids["eve"] == ["gpt-4o"]
    assert not ("benny" in seen["ben"] or "benny" in seen["eve"])
    # Of the base model, which they may only read.
    assert not LISTED[kind](seen["eve"])[0].get("params")
    assert LISTED[kind](seen["ben"])[1]["params"]
    hidden = await directory.get(path, "eve", format=kind, id="team/ß")
    absent = await directory.get(path, "eve", format=kind, id="absent")
    assert hidden.status_code == absent.status_code == 404


async def test_an_unknown_format_is_refused(directory: Directory) -> None:
    await directory.user("ann")
    answer = await directory.get(EXPORT, "ann", format="parquet")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "format"]
    assert "'csv'" in answer.json()["errors"][0]["msg"]
