"""Taking over what an earlier version imported under ids that entries no longer have: `modeldeck import --adopt`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bson.json_util import dumps

from service.importing.plan import OnConflict, Prune
from service.importing.readers.bundle import read_bundle
from service.importing.source import Item, Source
from tests.conftest import Commands
from tests.support.directory import grant
from tests.support.import_samples import dump, imported, write_source
from tests.support.keeping import ACCESS, DELETE, UPDATE
from tests.support.team import Team

OWNER = {"owner_id": "root", "whole_report": True}
OLD, OTHER_OLD = "gpt-4o-0123456789ab", "gpt-4o-ba9876543210"


def _entry(model_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": model_id,
        "name": "gpt-4o",
        "base_model_id": "openai/gpt-4o",
        "params": {"api_base": "https://a.example", "temperature": 0.5},
        "meta": {},
        "access_grants": [grant("group:ops")],
        **fields,
    }


NAMELESS = "was taken over without a name for its source; --adopt gives it this one"


def _read_with_former_ids(source: Source) -> Iterator[Item]:
    for item in read_bundle(source):
        yield Item(item.kind, item.position, item.value, former_id=r"gpt\-4o\-[0-9a-f]{12}")


@pytest.fixture
def derived_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles are read as a source whose entries had other ids in an earlier version."""
    monkeypatch.setattr("service.importing.open_source.reader_of", lambda _: _read_with_former_ids)


async def _import(team: Team, entries: list[dict[str, Any]], **options: Any) -> list[str]:
    """Import entries, first as a dry run, which must tell exactly what follows; return the results."""
    path = write_source(team.shell.folder, json.dumps({"models": entries}))
    lines: list[list[str]] = []
    before = dump(team.raw)
    for dry_run in (True, False):
        assert dump(team.raw) == before
        async with imported(team.directory, path, **OWNER, **options, dry_run=dry_run) as report:
            lines.append([str(result) for result in report.results()])
    assert lines[0] == lines[1]
    return lines[0]


async def _there(team: Team, *entries: dict[str, Any]) -> None:
    """Store models as an import without a source does."""
    await team.directory.load({"models": [{**entry, "user_id": "root"} for entry in entries]}, team.shell.folder)


def _ids(team: Team) -> list[str]:
    return sorted(team.raw["models"].distinct("_id"))


@pytest.mark.usefixtures("derived_ids")
@pytest.mark.parametrize("source", [None, "prod"])
async def test_a_model_keeps_the_id_that_others_refer_to(team: Team, source: str | None) -> None:
    await _there(team, _entry(OLD, access_grants=[grant("user:*", "write")]))
    named = {"source": source, "on_conflict": OnConflict.MERGE} if source else {}
    [line] = await _import(team, [_entry("gpt-4o-new")], adopt=True, **named)
    assert line == (f"updated models[0] model '{OLD}': taken over; was imported under this id before (access_grants)")
    assert _ids(team) == [OLD]
    # Not wider than the source says.
    assert [given["principal_id"] for given in team.stored(OLD)["access_grants"]] == ["ops"]
    origin = team.stored(OLD)["origin"]
    assert (origin["source"], origin["key"]) == (source or "format:modeldeck", "gpt-4o-new")

    # It lasts, also without the option; entries that are edited still find their records.
    assert await _import(team, [_entry("gpt-4o-new")], **named) == [f"unchanged models[0] model '{OLD}'"]
    edited = _entry("gpt-4o-new", name="GPT-4o", access_grants=[])
    [line] = await _import(team, [edited], **named)
    assert line == f"updated models[0] model '{OLD}': name, access_grants"
    assert (_ids(team), team.stored(OLD)["access_grants"]) == ([OLD], [])
    assert team.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.usefixtures("derived_ids")
async def test_without_being_asked_nothing_is_taken_over(team: Team) -> None:
    await _there(team, _entry(OLD))
    refused = f"an earlier version imported it as '{OLD}'; --adopt takes that over"
    assert await _import(team, [_entry("gpt-4o-new")]) == [f"conflict models[0] model 'gpt-4o-new': {refused}"]
    assert await _import(team, [_entry("gpt-4o-new")], source="prod") == [
        f"conflict models[0] model 'gpt-4o-new': {refused}"
    ]


@pytest.mark.usefixtures("derived_ids")
async def test_what_was_taken_over_without_a_name_can_get_one(team: Team) -> None:
    await _there(team, _entry(OLD))
    await _import(team, [_entry("gpt-4o-new")], adopt=True)
    [refused] = await _import(team, [_entry("gpt-4o-new")], source="prod")
    assert refused == f"conflict models[0] model '{OLD}': {NAMELESS}"
    assert await _import(team, [_entry("gpt-4o-new")], source="prod", adopt=True) == [
        f"unchanged models[0] model '{OLD}'"
    ]
    assert await _import(team, [_entry("gpt-4o-new", name="Newer")], source="prod") == [
        f"updated models[0] model '{OLD}': name"
    ]


@pytest.mark.usefixtures("derived_ids")
async def test_what_was_taken_over_under_a_name_is_not_made_again_without_it(team: Team) -> None:
    await _there(team, _entry(OLD))
    await _import(team, [_entry("gpt-4o-new")], source="prod", adopt=True)
    refused = f"conflict models[0] model '{OLD}': came from the source 'prod'"
    assert await _import(team, [_entry("gpt-4o-new", name="Newer")]) == [refused]


async def test_a_model_of_the_key_of_another_source_is_a_model_of_its_own(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("service.importing.open_source.reader_of", lambda _: _read_with_former_ids)
        await _there(team, _entry(OLD))
        await _import(team, [_entry("gpt-4o-new")], source="prod", adopt=True)
    # Ids that stand in the file itself mean the records under these ids.
    public = _entry("gpt-4o-new", name="Mine", access_grants=[grant("user:*")])
    assert await _import(team, [public]) == ["created models[0] model 'gpt-4o-new'"]
    assert team.stored(OLD)["name"] != "Mine"


@pytest.mark.usefixtures("derived_ids")
async def test_a_source_that_is_named_like_a_format_is_a_source_like_others(team: Team) -> None:
    await _import(team, [_entry("gpt-4o-new")], source="modeldeck")
    refused = "conflict models[0] model 'gpt-4o-new': came from the source 'modeldeck'"
    assert await _import(team, [_entry("gpt-4o-new", name="Newer")], source="prod", adopt=True) == [refused]


@pytest.mark.usefixtures("derived_ids")
@pytest.mark.parametrize(
    "other",
    [
        _entry(OLD, name="Another"),
        _entry(OLD, base_model_id="azure/gpt-4o"),
        _entry(OLD, params={"api_base": "https://b.example"}),
        _entry(OLD, params={}),
        _entry("gpt-4o-0123456789a"),
        _entry("gpt-4o-0123456789abc"),
        _entry("my-gpt-4o-0123456789ab"),
    ],
    ids=["name", "base", "endpoint", "no endpoint", "shorter id", "longer id", "another id"],
)
async def test_what_is_another_model_is_not_taken_over(team: Team, other: dict[str, Any]) -> None:
    await _there(team, other)
    assert await _import(team, [_entry("gpt-4o-new")], adopt=True) == ["created models[0] model 'gpt-4o-new'"]


@pytest.mark.usefixtures("derived_ids")
async def test_of_several_the_most_alike_is_taken_and_each_only_once(team: Team) -> None:
    params = {"api_base": "https://a.example"}
    await _there(team, _entry(OLD, params={**params, "rpm": 1}), _entry(OTHER_OLD, params={**params, "rpm": 2}))
    entries = [_entry(f"new-{number}", params={**params, "rpm": number}) for number in (2, 1, 3)]
    assert await _import(team, entries, adopt=True, source="prod", on_conflict=OnConflict.MERGE) == [
        f"unchanged models[0] model '{OTHER_OLD}': taken over; was imported under this id before",
        f"unchanged models[1] model '{OLD}': taken over; was imported under this id before",
        "created models[2] model 'new-3'",
    ]


@pytest.mark.usefixtures("derived_ids")
async def test_a_record_whose_id_the_source_has_belongs_to_that_entry(team: Team) -> None:
    await _there(team, _entry(OLD))
    entries = [_entry("gpt-4o-new"), _entry(OLD)]
    assert await _import(team, entries, adopt=True) == [
        "created models[0] model 'gpt-4o-new'",
        f"unchanged models[1] model '{OLD}'",
    ]


@pytest.mark.usefixtures("derived_ids")
async def test_what_one_entry_has_taken_over_no_other_gets_by_its_id(team: Team) -> None:
    await _there(team, _entry(OLD))
    await _import(team, [_entry("gpt-4o-new")], adopt=True)
    [line] = await _import(team, [_entry(OLD, name="Mine")])
    assert line == f"conflict models[0] model '{OLD}': belongs to another model of the source: 'gpt-4o-new'"


@pytest.mark.usefixtures("derived_ids")
async def test_a_name_that_is_given_later_does_not_make_it_twice(team: Team) -> None:
    await _there(team, _entry(OLD))
    await _import(team, [_entry("gpt-4o-new")], adopt=True)
    [line] = await _import(team, [_entry("gpt-4o-new")], source="prod", on_conflict=OnConflict.MERGE)
    assert line == f"conflict models[0] model '{OLD}': {NAMELESS}"
    assert _ids(team) == [OLD]


@pytest.mark.usefixtures("derived_ids")
async def test_what_people_change_after_that_is_merged(team: Team) -> None:
    named = {"source": "prod", "on_conflict": OnConflict.MERGE}
    await _there(team, _entry(OLD))
    await _import(team, [_entry("gpt-4o-new")], adopt=True, **named)
    await team.by_hand(UPDATE, {"id": OLD, "name": "Ours"})
    await team.by_hand(ACCESS, {"id": OLD, "access_grants": [grant("group:legal")]})
    params = {"api_base": "https://b.example"}
    [line] = await _import(team, [_entry("gpt-4o-new", params=params)], **named)
    assert line.startswith(f"updated models[0] model '{OLD}': kept as changed here: name, ")
    record = team.stored(OLD)
    assert (record["name"], record["params"]) == ("Ours", params)
    assert [given["principal_id"] for given in record["access_grants"]] == ["legal"]
    await team.by_hand(DELETE, {"id": OLD})
    assert _ids(team) == []


@pytest.mark.usefixtures("derived_ids")
async def test_many_are_looked_for_in_batches_and_by_indexes(
    team: Team, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.importing.adoption.BATCH", 2)
    olds = [f"gpt-4o-{number:012x}" for number in range(5)]
    await _there(team, *(_entry(old, name=f"n{number}") for number, old in enumerate(olds)))
    await _there(team, *(_entry(f"zz-{number}") for number in range(200)))
    entries = [_entry(f"new-{number}", name=f"n{number}") for number in range(5)]
    commands.clear()
    assert await _import(team, entries, adopt=True, source="prod", prune=Prune()) == [
        f"unchanged models[{number}] model '{old}': taken over; was imported under this id before"
        for number, old in enumerate(olds)
    ]
    reads = [command for name, command in commands.on("models") if name in ("find", "aggregate")]
    reads = [command for command in reads if "origin" in dumps(command)]
    assert {next(iter(command)) for command in reads} == {"find", "aggregate"}
    for command in reads:
        explained = team.raw.command("explain", _plain(command), verbosity="executionStats")
        stats = explained.get("executionStats") or explained["stages"][0]["$cursor"]["executionStats"]
        assert stats["totalKeysExamined"] <= 20, command


def _plain(command: dict[str, Any]) -> dict[str, Any]:
    sent = {"lsid", "txnNumber", "$db", "$clusterTime", "$readPreference", "readConcern", "autocommit", "maxTimeMS"}
    return {name: value for name, value in command.items() if name not in sent}
