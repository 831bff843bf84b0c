"""A source and a directory, edited at random for ten rounds, are what a naive model of the rules says."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.doctor import examine
from service.importing import ImportOutcome
from service.importing.plan import OnConflict, Prune
from service.importing.report import ImportResult, Report
from tests.support.directory import Directory
from tests.support.import_samples import Raw, dump, imported, write_source
from tests.support.keeping import (
    DELETE,
    OWNER,
    Circumstances,
    Editor,
    NaiveImport,
    Parts,
    entry_of,
    parts_of,
    store_by_hand,
)

ROUNDS = 10
SOURCE = "litellm-prod"
# A group that some runs don't find.
SOMETIMES = "ops"


def _bundle(file: dict[str, Parts]) -> dict[str, Any]:
    return {"models": [{"id": model_id, **entry_of(parts)} for model_id, parts in file.items()]}


def _problems(report: Report) -> set[tuple[str, str]]:
    found = {(result.id or "", _part(result)) for result in report.faults()}
    return found | ({("", "")} if report.not_pruned else set())


def _part(result: ImportResult) -> str:
    """Return the part that a conflict names, in the naive model's way."""
    part, _, rest = result.reason.partition(": changed here and in the source; kept")
    return part.replace(".", "/", 1) if rest else ""


def _stored(raw: Raw) -> dict[str, Parts]:
    return {record["_id"]: parts_of(record) for record in raw["models"].find()}


async def _edit_by_hand(directory: Directory, chance: random.Random, naive: NaiveImport) -> None:
    editor = Editor(chance)
    for model_id in [one for one in naive.records if chance.random() < 0.5]:
        if chance.random() < 0.1:
            assert (await directory.post(DELETE, OWNER, {"id": model_id})).status_code == 200
            del naive.records[model_id]
            naive.deleted.add(model_id)
            continue
        for _ in range(chance.randrange(1, 4)):
            editor.edit(naive.records[model_id].now)
        await store_by_hand(directory, model_id, naive.records[model_id].now)


async def _circumstances(directory: Directory, chance: random.Random, naive: NaiveImport) -> Circumstances:
    """Delete a group or make it again, which revokes its grants, and know users of the source or not."""
    if chance.random() < 0.3:
        assert (await directory.post("/api/groups/delete", OWNER, {"id": SOMETIMES})).status_code == 200
        for record in naive.records.values():
            for permission in ("read", "write"):
                record.now.pop(f"grant/group:{SOMETIMES}/{permission}", None)
        absent = frozenset({f"group:{SOMETIMES}"})
    else:
        absent = frozenset()
    return Circumstances(absent, {"ext-ben": "ben"} if chance.random() < 0.6 else {})


def _edit_source(chance: random.Random, file: dict[str, Parts], lost: dict[str, Parts], number: int) -> None:
    editor = Editor(chance, source=True)
    for model_id in list(file):
        if chance.random() < 0.15 and len(file) > 1:
            lost[model_id] = file.pop(model_id)
        elif chance.random() < 0.5:
            for _ in range(chance.randrange(1, 4)):
                editor.edit(file[model_id])
    if lost and chance.random() < 0.5:
        model_id = chance.choice(sorted(lost))
        file[model_id] = lost.pop(model_id)
    file[f"new-{number}"] = editor.new()


@pytest.mark.sampled(24)
@pytest.mark.parametrize("seed", range(24))
async def test_ten_rounds_of_edits_on_both_sides(directory: Directory, raw: Raw, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for user in ("ann", "ben"):
        await directory.user(user)
    for group in ("team", SOMETIMES):
        await directory.group(group)
    await directory.user(OWNER, role=Role.ADMIN)
    naive, lost = NaiveImport(), dict[str, Parts]()
    file = {f"team/model-{number}": Editor(chance, source=True).new() for number in range(6)}
    for number in range(ROUNDS):
        policy = chance.choice([*OnConflict, OnConflict.MERGE, OnConflict.MERGE, OnConflict.MERGE])
        prune = chance.choice([None, None, "retire", "retire", "delete"])
        limit = chance.choice([0, 1, 100])
        options = {
            "source": SOURCE,
            "owner_id": OWNER,
            "on_conflict": policy,
            "prune": prune and Prune(prune == "delete", limit),
            "whole_report": True,
        }
        circumstances = await _circumstances(directory, chance, naive)
        options["user_map"] = circumstances.users
        path = write_source(tmp_path, json.dumps(_bundle(file)))
        expected = naive.run(file, policy, prune, limit, circumstances)

        before = dump(raw)
        async with imported(directory, path, **options, dry_run=True) as planned:
            plan = list(planned.results()), planned.not_pruned
        assert dump(raw) == before
        async with imported(directory, path, **options) as report:
            assert (list(report.results()), report.not_pruned) == plan
            assert _problems(report) == expected, (number, policy, prune)
            assert report.clean == (not expected)
            skipped = report.total[ImportOutcome.SKIPPED]
        assert _stored(raw) == {one: kept.now for one, kept in naive.records.items()}, (number, policy, prune)

        before = dump(raw)
        async with imported(directory, path, **options) as again:
            assert again.changes == 0
            assert (again.clean, again.total[ImportOutcome.SKIPPED]) == (
                not naive.run(file, policy, prune, limit, circumstances),
                skipped,
            )
        assert dump(raw) == before
        if circumstances.absent:
            await directory.group(SOMETIMES)
        await _edit_by_hand(directory, chance, naive)
        _edit_source(chance, file, lost, number)
    assert (await examine(directory.database, repair=False)).problems == 0
