"""A team keeps a directory in step with a source that others edit: `modeldeck import --source NAME`."""

import json
from shutil import copy
from typing import Any

import pytest

from tests.integration.importing.test_import_sent import send
from tests.support.directory import grant
from tests.support.documentation import ROOT, blocks
from tests.support.import_samples import MODEL, dump
from tests.support.keeping import ACCESS, DELETE, TOGGLE, UPDATE
from tests.support.team import SOURCE, Team


async def test_both_sides_edit_and_neither_loses_what_it_did(team: Team) -> None:
    assert team.keep()[:2] == (0, "2 changes")
    assert team.keep() == (
        0,
        "0 changes",
        ["unchanged models[0] model 'fast'", "unchanged models[1] model 'slow'"],
    )
    await team.by_hand(UPDATE, {"id": "fast", "name": "Our fast one", "params": {"temperature": 0.1, "top_p": 1}})
    grants = [grant("group:ops"), grant("group:legal", "write")]
    await team.by_hand(ACCESS, {"id": "fast", "access_grants": grants})
    team.entries["fast"] |= {
        "params": {"temperature": 0.9, "max_tokens": 5},
        "meta": {"description": "e"},
        "access_grants": [grant("user:ann")],
    }
    status, last, lines = team.keep()
    assert (status, last) == (1, "1 changes")
    assert lines == [
        "conflict models[0] model 'fast': params.temperature: changed here and in the source; kept as it is here",
        "updated models[0] model 'fast': kept as changed here: name, access_grants: write of group legal, "
        "access_grants: read of user ann (params, meta, access_grants)",
        "unchanged models[1] model 'slow'",
    ]
    fast = team.stored("fast")
    assert (fast["name"], fast["params"], fast["meta"]) == (
        "Our fast one",
        {"temperature": 0.1, "max_tokens": 5},
        {"description": "e"},
    )
    # The source revoked ops, somebody here revoked ann and added legal.
    held = [(given["principal_id"], given["permission"]) for given in fast["access_grants"]]
    assert held == [("legal", "write")]
    assert await team.directory.ids("ann") == []

    # What was in conflict is settled: the source has not changed it since.
    assert team.keep()[:2] == (0, "0 changes")
    assert team.keep("--on-conflict", "update")[:2] == (0, "1 changes")
    assert (team.stored("fast")["name"], team.stored("fast")["params"]["temperature"]) == ("Fast", 0.9)
    assert [given["principal_id"] for given in team.stored("fast")["access_grants"]] == ["ann"]


async def test_the_everyday_run_is_quiet(team: Team) -> None:
    team.keep()
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    done = team.shell.run("import", "models.json", *SOURCE)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout == "models: 2 unchanged\n0 changes\n"


@pytest.mark.parametrize(("policy", "status", "outcome"), [("skip", 0, "skipped"), ("fail", 1, "conflict")])
async def test_a_model_that_both_changed_can_be_left_alone(team: Team, policy: str, status: int, outcome: str) -> None:
    team.keep()
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    team.entries["fast"]["params"] = {}
    team.entries["slow"]["name"] = "Slower"
    before = team.stored("fast")
    for changes in ("1 changes", "0 changes"):
        found = team.keep("--on-conflict", policy)
        assert found[:2] == (status, changes)
        assert found[2][0] == f"{outcome} models[0] model 'fast': was changed here and in the source: name, params"
    assert team.stored("fast") == before
    assert team.stored("slow")["name"] == "Slower"


async def test_what_has_gone_from_the_source_becomes_inactive_and_comes_back(team: Team) -> None:
    team.keep()
    slow = team.entries.pop("slow")
    assert team.keep()[:2] == (0, "0 changes")
    status, last, lines = team.keep("--prune")
    assert (status, last) == (0, "1 changes")
    assert lines[1:] == ["updated source prod model 'slow': retired: is gone from the source (is_active)"]
    assert team.stored("slow")["is_active"] is False
    assert team.keep("--prune")[:2] == (0, "0 changes")

    team.entries["slow"] = slow
    assert team.keep("--prune")[:2] == (0, "1 changes")
    assert team.stored("slow")["is_active"] is True


@pytest.mark.parametrize("toggles", [1, 2], ids=["made active here", "and inactive again"])
async def test_whoever_makes_a_retired_model_active_decides_on_it_from_then_on(team: Team, toggles: int) -> None:
    team.keep()
    slow = team.entries.pop("slow")
    team.keep("--prune")
    for number in range(1, toggles + 1):
        await team.by_hand(TOGGLE, id="slow")
        for _ in range(2):
            assert team.keep("--prune")[:2] == (0, "0 changes")
            assert team.stored("slow")["is_active"] is (number == 1)
    team.entries["slow"] = slow
    assert team.keep("--prune")[:2] == (0, "0 changes")
    assert team.stored("slow")["is_active"] is (toggles == 1)


async def test_what_was_made_inactive_here_stays_so_when_it_goes_and_comes_back(team: Team) -> None:
    team.keep()
    await team.by_hand(TOGGLE, id="slow")
    slow = team.entries.pop("slow")
    assert team.keep("--prune")[:2] == (0, "0 changes")
    team.entries["slow"] = slow
    assert team.keep("--prune")[:2] == (0, "0 changes")
    assert team.stored("slow")["is_active"] is False


async def test_what_has_gone_is_deleted_only_when_asked_and_within_bounds(team: Team) -> None:
    team.entries |= {f"m{number}": {"name": "M", "params": {}, "meta": {}} for number in range(8)}
    team.keep()
    kept = {name: team.entries.pop(name) for name in ("m0", "m1", "m2")}
    await team.by_hand(UPDATE, {"id": "m2", "name": "Ours"})
    deleting = ("--prune", "--delete")
    before = dump(team.raw)
    done, _ = team.run(*SOURCE, *deleting)
    assert (done.status, dump(team.raw)) == (1, before)
    assert done.stderr == (
        "modeldeck: nothing was deleted: 2 of 10 models of the source would be; at most 10% may be (--max-deletions)\n"
    )
    status, last, lines = team.keep(*deleting, "--max-deletions", "2")
    assert (status, last) == (1, "2 changes")
    assert lines[-3:] == [
        "deleted source prod model 'm0': is gone from the source",
        "deleted source prod model 'm1': is gone from the source",
        "conflict source prod model 'm2': is gone from the source, but was changed here; "
        "--on-conflict update deletes it",
    ]
    assert team.keep(*deleting, "--max-deletions", "1", "--on-conflict", "update")[:2] == (0, "1 changes")
    # The import deleted them, and nobody here: they may come back.
    team.entries |= kept
    assert team.keep(*deleting)[:2] == (0, "3 changes")
    assert team.shell.ok("doctor").endswith(" 0 problems")


async def test_what_was_deleted_here_stays_deleted(team: Team) -> None:
    team.keep()
    await team.by_hand(DELETE, {"id": "slow"})
    status, last, lines = team.keep("--prune")
    assert (status, last) == (0, "0 changes")
    assert lines[1] == "skipped models[1] model 'slow': was deleted here; --on-conflict update brings it back"
    assert team.keep("--on-conflict", "update")[:2] == (0, "1 changes")
    assert team.keep()[:2] == (0, "0 changes")


def _broken(entries: dict[str, Any], what: str) -> Any:
    models = [{"id": model_id, **entry} for model_id, entry in entries.items()]
    return {
        "no models": {"models": []},
        "an entry without an id": {"models": [models[0], {"name": "Slow"}]},
        "cut off": json.dumps({"models": models})[:-40],
    }[what]


@pytest.mark.parametrize("what", ["no models", "an entry without an id", "cut off"])
async def test_nothing_is_retired_on_the_word_of_half_a_source(team: Team, what: str) -> None:
    team.keep()
    before = dump(team.raw)
    team.write(_broken(team.entries, what), "broken.json")
    for options in (("--prune",), ("--prune", "--delete", "--max-deletions", "100%"), ("--prune", "--atomic")):
        done, _ = team.run("--format", "modeldeck", *SOURCE, *options, name="broken.json")
        assert (done.status, dump(team.raw)) == (1, before)
        assert "nothing was retired, since " in done.stderr


async def test_an_entry_that_is_rejected_has_not_gone(team: Team) -> None:
    team.keep()
    team.entries["slow"]["name"] = ""
    status, last, lines = team.keep("--prune")
    assert (status, last) == (1, "0 changes")
    assert sorted(line.split(":")[0] for line in lines) == [
        "rejected models[1] model 'slow'",
        "unchanged models[0] model 'fast'",
    ]


async def test_atomic_retires_and_updates_together_or_not_at_all(team: Team) -> None:
    team.keep()
    team.entries = {"fast": {**team.entries["fast"], "name": "Faster"}, "bad": {"name": ""}}
    before = dump(team.raw)
    assert team.keep("--prune", "--atomic")[0] == 1
    assert dump(team.raw) == before
    del team.entries["bad"]
    assert team.keep("--prune", "--atomic")[:2] == (0, "2 changes")
    assert (team.stored("fast")["name"], team.stored("slow")["is_active"]) == ("Faster", False)


async def test_a_model_from_elsewhere_is_taken_over_only_when_asked(team: Team) -> None:
    await team.by_hand("/api/models/create", {"id": "fast", "name": "Made here", "base_model_id": None})
    await team.by_hand(ACCESS, {"id": "fast", "access_grants": [grant("user:*", "write")]})
    status, last, lines = team.keep()
    assert (status, last) == (1, "1 changes")
    exists = "exists and did not come from the source prod; --adopt takes it over"
    assert lines[0] == f"conflict models[0] model 'fast': {exists}"
    assert team.stored("fast")["name"] == "Made here"

    status, last, lines = team.keep("--adopt")
    assert (status, last) == (0, "1 changes")
    assert lines[0].startswith("updated models[0] model 'fast': taken over (base_model_id, name, ")
    assert {given["principal_id"] for given in team.stored("fast")["access_grants"]} == {"ops", "ann"}
    assert team.keep()[:2] == (0, "0 changes")


async def test_what_is_equal_is_remembered_without_a_version(team: Team) -> None:
    team.write()
    team.shell.ok("import", "models.json", "--owner", "root")
    before = team.stored("fast")
    status, last, lines = team.keep()
    assert (status, last) == (0, "0 changes")
    assert lines[0] == "unchanged models[0] model 'fast'"
    after = team.stored("fast")
    assert after.pop("origin")["source"] == "prod"
    assert after == before
    # From now on, changes of the source are its own.
    team.entries["fast"]["name"] = "Faster"
    assert team.keep()[:2] == (0, "1 changes")


async def test_a_model_of_another_source_is_left_alone(team: Team) -> None:
    team.keep()
    team.entries["fast"]["name"] = "Faster"
    for options in ((), ("--adopt",), ("--on-conflict", "update")):
        done, plan = team.run("--source", "other", "--owner", "root", "--prune", *options)
        assert done.status == 1
        assert "conflict models[0] model 'fast': came from the source 'prod'" in plan
    assert team.stored("fast")["name"] == "Fast"


async def test_an_import_without_a_source_is_as_ever(team: Team) -> None:
    team.keep()
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    team.shell.ok("import", "models.json", "--owner", "root")
    assert team.stored("fast")["name"] == "Fast"
    assert team.keep()[:2] == (0, "0 changes")


async def test_the_origin_is_no_content(team: Team) -> None:
    team.keep()
    assert team.stored("fast")["origin"].keys() == {"source", "key", "at", "digest"}
    item = (await team.directory.get(MODEL, "root", id="fast")).json()
    assert "origin" not in item
    assert "origin" not in team.shell.ok("export")
    assert all("origin" not in (revision["after"] or {}) for revision in team.raw["revisions"].find())
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    assert team.stored("fast")["origin"]["source"] == "prod"
    assert team.shell.ok("doctor").endswith(" 0 problems")


async def test_the_commands_of_the_documentation_run(team: Team) -> None:
    [commands] = [block for block in blocks(ROOT / "docs/importing.md", "sh") if "--source" in block]
    (team.shell.folder / "docs").mkdir()
    copy(ROOT / "docs/example-bundle.json", team.shell.folder / "docs")
    ended = [team.shell.ok(*line.split()[1:]).splitlines()[-1] for line in commands.splitlines()]
    assert ended == ["3 changes, had this not been a dry run", "3 changes", "0 changes"]


async def test_over_http_there_is_no_merging(team: Team) -> None:
    for options in ({"on_conflict": "merge"}, {"source": "prod"}, {"prune": True}, {"adopt": True}):
        answer = await send(team.directory, "root", {"models": []}, **options)
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--on-conflict", "merge"], "--on-conflict: merge needs --source NAME"),
        (["--prune"], "--prune: needs --source NAME"),
        (["--source", "a b"], "--source: must have 1 to 64 letters"),
        (["--source", ""], "--source: must have 1 to 64 letters"),
        (["--source", "a", "--delete"], "--delete: needs --prune"),
        (["--source", "a", "--prune", "--max-deletions", "3"], "--max-deletions: needs --prune --delete"),
        (["--source", "a", "--prune", "--delete", "--max-deletions", "101%"], "--max-deletions: must be a number"),
    ],
)
async def test_options_that_do_not_go_together_are_refused(team: Team, options: list[str], reason: str) -> None:
    team.write()
    done = team.shell.run("import", "models.json", "--owner", "root", *options)
    assert (done.status, done.stdout) == (2, "")
    assert reason in done.stderr
    assert team.raw["models"].count_documents({}) == 0
