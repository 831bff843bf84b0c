"""Sources of several formats are kept in step, with the options that any import has, and others at work meanwhile."""

from typing import Any

import pytest

from service.importing.operations import find_existing
from service.importing.plan import OnConflict, Prune
from service.models.store import store_planned
from tests.support.directory import grant, model
from tests.support.import_samples import IMPORTABLE, imported, write_source
from tests.support.keeping import ACCESS, DELETE, UPDATE
from tests.support.meanwhile import after
from tests.support.openwebui_databases import insert, make_database
from tests.support.team import SOURCE, Team

CONFIGURATION = """\
model_list:
  - model_name: Fast chat
    litellm_params: {{model: openai/gpt-4o, api_key: os.environ/KEY, temperature: {temperature}}}
    model_info: {{id: fast, access_groups: [{group}]}}
  - model_name: "openai/*"
    litellm_params: {{model: "openai/*"}}
"""
MERGING = {"source": "prod", "owner_id": "root", "on_conflict": OnConflict.MERGE}


async def test_a_configuration_of_litellm(team: Team) -> None:
    write_source(team.shell.folder, CONFIGURATION.format(temperature=0.1, group="ops"), "config.yaml")
    # A route to any number of models is no model, and has not gone from anywhere.
    assert team.run(*SOURCE, "--prune", name="config.yaml")[0].stdout.endswith("\n1 changes\n")
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours", "params": {"temperature": 0.1, "top_p": 1}})
    write_source(team.shell.folder, CONFIGURATION.format(temperature=0.9, group="legal"), "config.yaml")
    assert team.run(*SOURCE, "--prune", name="config.yaml")[0].stdout.endswith("\n1 changes\n")
    fast = team.stored("fast")
    assert (fast["name"], fast["params"]["temperature"], fast["params"]["top_p"]) == ("Ours", 0.9, 1)
    assert [given["principal_id"] for given in fast["access_grants"]] == ["legal"]
    assert team.run(*SOURCE, "--prune", name="config.yaml")[0].stdout.endswith("\n0 changes\n")


def _without_times(**fields: Any) -> dict[str, Any]:
    return model("m", "ann", meta={}, params={"a": 1}, access_grants=[], **fields)


async def test_an_export_of_open_webui_whose_times_are_its_own(team: Team) -> None:
    write_source(team.shell.folder, [_without_times(version_id="v1")], "export.json")
    assert team.run(*SOURCE, name="export.json")[0].status == 0
    # There, every save is a new time; here, it would be a new version of what is the same.
    write_source(team.shell.folder, [_without_times(version_id="v2", updated_at=1_800_000_000)], "export.json")
    assert team.run(*SOURCE, name="export.json")[0].stdout.endswith("\n0 changes\n")
    assert team.stored("m")["version"] == 1
    write_source(team.shell.folder, [_without_times(version_id="v2", name="M2")], "export.json")
    assert team.run(*SOURCE, name="export.json")[0].stdout.endswith("\n1 changes\n")
    assert team.stored("m")["updated_at"].timestamp() > 1_800_000_000 - 100_000_000


async def test_the_history_of_what_was_deleted_here_is_left_out_too(team: Team) -> None:
    path = make_database(team.shell.folder / "webui.db", *IMPORTABLE)
    async with imported(team.directory, path, **MERGING) as report:
        assert report.clean, list(report.faults())
    await team.by_hand(DELETE, {"id": "m"})
    insert(path, "model_history", [("h4", "m", "h3", '{"name": "M4"}', "ben", None, 8)])
    for dry_run in (True, False):
        async with imported(team.directory, path, **MERGING, dry_run=dry_run) as report:
            assert (report.clean, report.changes) == (True, 0), list(report.faults())


async def test_ids_of_users_are_mapped_before_anything_is_compared(team: Team) -> None:
    (team.shell.folder / "map.csv").write_text("their-ann,ann\n")
    team.entries["fast"] |= {"user_id": "their-ann", "access_grants": [grant("user:their-ann")]}
    mapped = ("--map-users", "map.csv", "--prune")
    assert team.keep(*mapped)[:2] == (0, "2 changes")
    assert team.stored("fast")["user_id"] == "ann"
    assert team.keep(*mapped)[:2] == (0, "0 changes")
    await team.by_hand(ACCESS, {"id": "fast", "access_grants": []})
    assert team.keep(*mapped)[:2] == (0, "0 changes")
    team.entries["fast"]["user_id"] = "root"
    assert team.keep(*mapped)[:2] == (0, "1 changes")
    assert (team.stored("fast")["user_id"], team.stored("fast")["access_grants"]) == ("root", [])


async def test_a_grant_to_a_group_that_comes_later_is_given_then(team: Team) -> None:
    team.entries["fast"]["access_grants"] = [grant("group:ops"), grant("group:later")]
    assert team.keep()[0] == 1
    assert [given["principal_id"] for given in team.stored("fast")["access_grants"]] == ["ops"]
    assert team.keep("--create-groups")[:2] == (0, "2 changes")
    assert [given["principal_id"] for given in team.stored("fast")["access_grants"]] == ["ops", "later"]


async def test_an_edit_in_the_middle_of_an_import_is_not_overwritten(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.keep()
    team.entries["fast"] |= {"name": "Theirs", "meta": {"description": "new"}}
    team.write()

    async def edit() -> None:
        await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})

    monkeypatch.setattr("service.importing.writers.models.find_existing", after(1, find_existing, edit))
    async with imported(team.directory, team.shell.folder / "models.json", **MERGING) as report:
        assert [str(fault) for fault in report.faults()] == [
            "conflict models[0] model 'fast': name: changed here and in the source; kept as it is here"
        ]
    fast = team.stored("fast")
    assert (fast["name"], fast["meta"], fast["version"]) == ("Ours", {"description": "new"}, 3)


async def test_an_import_that_ends_too_early_leaves_no_model_without_its_origin(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.write()
    path = team.shell.folder / "models.json"
    stored: list[Any] = []

    async def store_once(*arguments: Any, **options: Any) -> list[int]:
        if stored:
            raise RuntimeError("the process is gone")
        stored.append(arguments[1])
        return await store_planned(*arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr("service.importing.writers.models.BATCH_RECORDS", 1)
        broken.setattr("service.importing.writers.models.store_planned", store_once)
        with pytest.raises(RuntimeError):
            async with imported(team.directory, path, **MERGING):
                pass
    assert [record["origin"]["key"] for record in team.raw["models"].find()] == ["fast"]
    async with imported(team.directory, path, **MERGING) as report:
        assert (report.clean, report.changes) == (True, 1)
    assert team.keep("--prune")[:2] == (0, "0 changes")


async def test_an_edit_in_the_middle_of_a_deletion_saves_the_model(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.keep()
    del team.entries["slow"]
    team.write()

    decided: list[Any] = []

    async def store_after_an_edit(*arguments: Any, **options: Any) -> list[int]:
        decided.append(arguments[1])
        if len(decided) == 1:
            await team.by_hand(UPDATE, {"id": "slow", "name": "Ours"})
        return await store_planned(*arguments, **options)

    monkeypatch.setattr("service.importing.writers.pruning.store_planned", store_after_an_edit)
    deleting = {**MERGING, "prune": Prune(delete=True, max_deletions=1)}
    async with imported(team.directory, team.shell.folder / "models.json", **deleting) as report:
        [fault] = report.faults()
    assert fault.reason.startswith("is gone from the source, but was changed here")
    assert [item.content for item in decided[0]] == [None]
    assert team.stored("slow")["name"] == "Ours"
