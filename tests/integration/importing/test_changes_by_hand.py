"""What people changed is told apart from what the source changed, whatever the source mentions and a run can bring."""

import json
from typing import Any

import pytest

from tests.support.directory import grant
from tests.support.keeping import ACCESS, TRANSFER, UPDATE
from tests.support.team import Team

DELETE_GONE = ("--prune", "--delete", "--max-deletions", "100%")
PROTECTED = "is gone from the source, but was changed here; --on-conflict update deletes it"


def _readers(team: Team, model_id: str = "fast") -> list[str]:
    return sorted(given["principal_id"] for given in team.stored(model_id)["access_grants"])


def _give(team: Team, *principals: str) -> None:
    team.entries["fast"] = {**team.entries["fast"], "access_grants": [grant(principal) for principal in principals]}


async def _transfer(team: Team, model_id: str, user_id: str) -> None:
    await team.by_hand(TRANSFER, {"from_user_id": "root", "to_user_id": user_id, "ids": [model_id]})
    assert team.stored(model_id)["user_id"] == user_id


async def test_a_revoked_grant_stays_revoked_after_a_run_that_could_not_bring_it(team: Team) -> None:
    (team.shell.folder / "map.csv").write_text("ext-ann,ann\n")
    mapped = ("--map-users", "map.csv")
    _give(team, "user:ext-ann", "group:ops")
    team.keep(*mapped)
    assert _readers(team) == ["ann", "ops"]
    await team.by_hand(ACCESS, {"id": "fast", "access_grants": [grant("group:ops")]})
    assert team.keep()[:2] == (1, "0 changes")
    assert team.keep(*mapped)[:2] == (0, "0 changes")
    assert _readers(team) == ["ops"]


@pytest.mark.parametrize("policy", ["merge", "update", "skip", "fail"])
async def test_a_grant_that_one_run_can_not_bring_stays_as_it_is_here(team: Team, policy: str) -> None:
    await team.directory.user("ben")
    (team.shell.folder / "map.csv").write_text("ext-ann,ann\next-ben,ben\n")
    _give(team, "user:ext-ann", "user:ext-ben")
    team.keep("--map-users", "map.csv")
    _give(team, "user:ext-ann")
    assert team.keep("--on-conflict", policy)[0] == 1
    assert _readers(team) == ["ann"]
    # Once the source does not say it any more, it goes, also in a run without the map.
    _give(team)
    assert team.keep("--on-conflict", policy)[0] == 0
    assert _readers(team) == []


async def test_a_grant_to_a_group_that_is_made_again_does_not_return(team: Team) -> None:
    team.keep()
    await team.by_hand(ACCESS, {"id": "fast", "access_grants": [grant("user:ann")]})
    await team.by_hand("/api/groups/delete", {"id": "ops"})
    assert team.keep()[:2] == (1, "0 changes")
    await team.directory.group("ops")
    assert team.keep()[:2] == (0, "0 changes")
    assert _readers(team) == ["ann"]


async def test_a_grant_that_was_never_brought_is_given_as_soon_as_it_can_be(team: Team) -> None:
    _give(team, "group:later")
    for _ in range(2):
        assert team.keep()[0] == 1
    await team.directory.group("later")
    assert team.keep()[:2] == (0, "1 changes")
    assert _readers(team) == ["later"]


@pytest.mark.parametrize("named", [False, True], ids=["never named", "named at first"])
async def test_what_people_put_where_the_source_says_nothing_protects_from_deletion(team: Team, named: bool) -> None:
    told: dict[str, Any] = {"name": "Told", "user_id": "root", "params": {"system": "of the source"}}
    silent = {"name": "Told", "params": {"system": "of the source"}}
    team.entries |= {"owned": told if named else silent, "prompted": told if named else {"name": "Told"}}
    team.keep()
    team.entries |= {"owned": silent, "prompted": {"name": "Told"}}
    await _transfer(team, "owned", "ann")
    await team.by_hand(UPDATE, {"id": "prompted", "params": {"system": "hours of work"}})
    # It is not forgotten by a run in between.
    team.keep()
    del team.entries["owned"], team.entries["prompted"]
    status, last, lines = team.keep(*DELETE_GONE)
    assert (status, last) == (1, "0 changes")
    assert [line for line in lines if "source prod" in line] == [
        f"conflict source prod model '{model_id}': {PROTECTED}" for model_id in ("owned", "prompted")
    ]
    assert team.keep(*DELETE_GONE, "--on-conflict", "update")[:2] == (0, "2 changes")


async def test_what_nobody_changed_where_the_source_says_nothing_is_deleted(team: Team) -> None:
    team.entries |= {"bare": {"name": "Bare"}, "dropped": {"name": "Dropped", "params": {"top_p": 1}}}
    team.keep()
    team.entries["dropped"] = {"name": "Dropped"}
    team.keep()
    del team.entries["bare"], team.entries["dropped"]
    assert team.keep(*DELETE_GONE)[:2] == (0, "2 changes")


async def test_an_owner_or_params_that_the_source_names_later_are_brought(team: Team) -> None:
    team.entries["fast"] = {"name": "Fast"}
    team.keep()
    team.entries["fast"] |= {"user_id": "ann", "params": {"top_p": 1}}
    assert team.keep()[:2] == (0, "1 changes")
    assert (team.stored("fast")["user_id"], team.stored("fast")["params"]) == ("ann", {"top_p": 1})


def _nested(turned: bool) -> dict[str, Any]:
    inner = {"type": "object", "properties": {"a": 1, "b": 2}}
    names = {"response_format": inner, "seed": 1}
    return {"seed": 1, "response_format": {"properties": {"b": 2, "a": 1}, "type": "object"}} if turned else names


async def test_the_order_of_names_is_no_change_by_people(team: Team) -> None:
    team.entries |= {"saved": {"name": "N", "params": _nested(False)}, "both": {"name": "N", "params": {"t": 1}}}
    team.keep()
    # A client saved it with its own order; and both sides made the same edit.
    await team.by_hand(UPDATE, {"id": "saved", "params": _nested(True)})
    await team.by_hand(UPDATE, {"id": "both", "params": {"t": 2}})
    team.entries["both"]["params"] = {"s": 1, "t": 2}
    team.keep()
    for model_id in ("saved", "both"):
        team.entries[model_id] = {**team.entries[model_id], "name": "Renamed"}
    assert team.keep("--on-conflict", "fail")[:2] == (0, "2 changes")
    del team.entries["saved"], team.entries["both"]
    assert team.keep(*DELETE_GONE)[:2] == (0, "2 changes")


async def test_what_is_here_with_another_order_of_names_is_remembered(team: Team) -> None:
    await team.by_hand("/api/models/create", {"id": "here", "name": "N", "params": _nested(True)})
    team.entries["here"] = {"name": "N", "params": _nested(False)}
    before = team.stored("here")
    assert team.keep()[:2] == (0, "2 changes")
    after = team.stored("here")
    assert after.pop("origin")["source"] == "prod"
    assert after == before


def _notes(team: Team) -> list[str]:
    steps = json.loads((team.shell.folder / "done.json").read_text())["steps"]
    return [step["reason"] for step in steps if step["outcome"] == "note"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("source", [True, False], ids=["in step", "without a source"])
@pytest.mark.parametrize("here", [("--unknown-owner", "owner"), ("--map-users", "map.csv")], ids=["given", "mapped"])
async def test_a_run_without_an_option_takes_no_model_from_its_owner(
    team: Team, source: bool, here: tuple[str, str]
) -> None:
    (team.shell.folder / "map.csv").write_text("ghost,root\n")
    team.entries["fast"] = {**team.entries["fast"], "user_id": "ghost"}
    options = ("--source", "prod", "--owner", "root") if source else ("--owner", "root")
    team.run(*options, *here)
    for more in ((), here, ()):
        done, plan = team.run(*options, *more)
        assert (done.status, done.stdout.splitlines()[-1]) == (0, "0 changes"), plan
        assert team.stored("fast")["user_id"] == "root"
    assert _notes(team) == ["user_id: there is no user 'ghost' here; 'root' owns it"]

    # Who got it here keeps it, and that is a change by people.
    await _transfer(team, "fast", "ann")
    for more in ((), here, ()):
        team.run(*options, *(() if more and not source and here[0] == "--map-users" else more))
        assert team.stored("fast")["user_id"] == "ann"
    if source:
        del team.entries["fast"]
        assert team.keep(*DELETE_GONE)[2][-1] == f"conflict source prod model 'fast': {PROTECTED}"


@pytest.mark.parametrize("source", [True, False], ids=["in step", "without a source"])
async def test_a_model_of_nobody_stays_as_it_is(team: Team, source: bool) -> None:
    team.entries["fast"] = {**team.entries["fast"], "user_id": "ghost"}
    options = ("--source", "prod", "--owner", "root") if source else ("--owner", "root")
    for changes in (2, 0):
        done, _ = team.run(*options)
        assert (done.status, done.stdout.splitlines()[-1]) == (0, f"{changes} changes")
        assert team.stored("fast")["user_id"] == "ghost"
    assert _notes(team) == ["user_id: there is no user 'ghost' here; kept (see --map-users and --unknown-owner)"]
    # When the user comes, or somebody else is given it, that counts.
    await team.directory.user("ghost")
    assert team.run(*options)[0].stdout.splitlines()[-1] == "0 changes"


@pytest.mark.parametrize("owner", [None, "ann", "ghost"], ids=["no owner", "an owner", "an owner who is not here"])
async def test_the_equal_model_of_somebody_else_is_not_taken(team: Team, owner: str | None) -> None:
    await team.directory.user("ben")
    entry = {"name": "Mine", "params": {"top_p": 1}, "meta": {}, "access_grants": []}
    answer = await team.directory.post("/api/models/create", "ben", {"id": "mine", **entry})
    assert answer.status_code == 200, answer.text
    team.entries = {"mine": entry if owner is None else {**entry, "user_id": owner}}
    refused = "conflict models[0] model 'mine': exists and did not come from the source prod; --adopt takes it over"
    assert team.keep() == (1, "0 changes", [refused])
    team.entries["mine"]["params"] = {"top_p": 1, "system": "of the source"}
    assert team.keep()[:2] == (1, "0 changes")
    assert team.stored("mine")["params"] == {"top_p": 1}
    assert team.keep("--adopt")[:2] == (0, "1 changes")
    assert team.stored("mine")["user_id"] == ("ann" if owner == "ann" else "ben")


async def test_a_real_run_too_says_what_it_remembers(team: Team) -> None:
    team.write()
    team.shell.ok("import", "models.json", "--owner", "root")
    remembered = "is now remembered as a model of the source"
    done, plan = team.run("--source", "prod", "--owner", "root")
    assert done.stdout.splitlines()[:2] == [
        f"note models[{at}] model '{one}': {remembered}" for at, one in enumerate(("fast", "slow"))
    ]
    assert "unchanged models[0] model 'fast'" in plan
    assert team.run("--source", "prod", "--owner", "root")[0].stdout.splitlines() == [
        "models: 2 unchanged",
        "0 changes",
    ]


async def test_taking_over_does_not_set_the_times_of_a_model_back(team: Team) -> None:
    await team.by_hand("/api/models/create", {"id": "slow", "name": "Made here"})
    before = team.stored("slow")
    team.entries["slow"] |= {"created_at": 1_600_000_000, "updated_at": 1_600_000_001}
    assert team.keep("--adopt")[2][1] == "updated models[1] model 'slow': taken over (name)"
    after = team.stored("slow")
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] >= before["updated_at"]
    assert team.keep()[:2] == (0, "0 changes")
