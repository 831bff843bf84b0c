"""Moving in from a LiteLLM proxy: an edited file changes the models that it made, and nobody gains access by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import CommandLine, Done
from tests.support.import_samples import Raw, write_source


@pytest.fixture
def ann(shell: CommandLine) -> CommandLine:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    return shell


def rehearsed(shell: CommandLine, tmp_path: Path, content: Any, *options: str) -> Done:
    """Import a file as its owner would: a rehearsal, the import, and once more, which changes nothing."""
    name = write_source(tmp_path, content, "config.yaml").name
    steps = ("import", name, "--owner", "ann", "--create-groups", "--report", "report.json", *options)
    plan, planned = shell.run(*steps, "--dry-run"), outcomes(tmp_path)
    done, made = shell.run(*steps), outcomes(tmp_path)
    again = shell.run(*steps)
    assert planned == made
    assert (plan.status, again.status) == (done.status, done.status)
    assert "\n0 changes" in again.stdout
    return done


def outcomes(tmp_path: Path) -> list[Any]:
    report = json.loads((tmp_path / "report.json").read_text())
    return [report["changes"], *report["steps"]]


def entry(**fields: Any) -> dict[str, Any]:
    params = {"model": "openai/gpt-4o", **fields.pop("params", {})}
    return {"model_name": "gpt-4o", "litellm_params": params, **fields}


def test_an_entry_whose_groups_were_revoked_is_edited_and_loses_them(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    before = entry(params={"temperature": 0.2}, model_info={"access_groups": ["beta", "sales"]})
    after = entry(params={"temperature": 0.7}, model_info={"access_groups": ["sales"], "mode": "chat"}, rpm=5)
    assert rehearsed(ann, tmp_path, {"model_list": [before]}).status == 0
    assert rehearsed(ann, tmp_path, {"model_list": [after]}).status == 0
    [found] = store["models"].find()
    assert found["params"] == {"rpm": 5, "temperature": 0.7}
    assert [grant["principal_id"] for grant in found["access_grants"]] == ["sales"]


def test_every_field_of_an_entry_can_be_edited(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    whole: dict[str, Any] = entry(
        params={"temperature": 0.2, "api_version": "2025-04-01", "api_base": "https://a.example", "api_key": "sk-aaaa"},
        model_info={"access_groups": ["beta"], "mode": "chat", "supports_vision": True, "max_tokens": 5},
    )
    rehearsed(ann, tmp_path, {"model_list": [whole]})
    ids = {record["_id"] for record in store["models"].find()}
    for part in ("litellm_params", "model_info"):
        # The name, the model and the endpoint are what makes an entry itself.
        for at, name in enumerate(name for name in whole[part] if name not in ("model", "api_base")):
            changed = {**whole, part: {**whole[part], name: ("other", None)[at % 2]}}
            rehearsed(ann, tmp_path, {"model_list": [changed]})
    assert {record["_id"] for record in store["models"].find()} == ids
    [found] = store["models"].find()
    assert "sk-aaaa" not in str(found)


def test_a_group_gets_a_valid_id_and_keeps_its_name_and_a_star_is_refused(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    groups = entry(model_info={"id": "m", "access_groups": ["Beta Models", "*", "beta"]})
    done = rehearsed(ann, tmp_path, {"model_list": [groups]})
    assert done.status == 1
    assert (
        "kept out model_list[0] (line 1) model 'm': model_info.access_groups.1: * names no group"
        in done.stdout.replace("model_list[0] model", "model_list[0] (line 1) model")
    )
    named = {group["name"]: group["_id"] for group in store["groups"].find()}
    assert set(named) == {"Beta Models", "beta"}
    [found] = store["models"].find()
    assert {grant["principal_id"] for grant in found["access_grants"]} == set(named.values())


def test_included_files_are_read_on_request_and_missed_until_then(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    write_source(tmp_path, {"model_list": [entry(params={"model": "openai/o"})]}, "more.yaml")
    configuration = {"include": ["more.yaml"], "litellm_settings": {}, "model_list": [entry()]}
    done = rehearsed(ann, tmp_path, configuration)
    assert done.status == 1
    assert "rejected include more.yaml file: was not read; modeldeck import --follow-includes reads it" in done.stdout
    assert store["models"].count_documents({}) == 1
    assert rehearsed(ann, tmp_path, configuration, "--follow-includes").status == 0
    assert sorted(store["models"].distinct("base_model_id")) == ["openai/gpt-4o", "openai/o"]


def test_deployments_that_differ_in_secrets_only_are_one_model(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    entries = [entry(params={"api_key": f"sk-test-{letter * 16}"}) for letter in "ab"]
    regions = [entry(model_name="r", params={"model": "vertex_ai/g", "vertex_location": at}) for at in ("eu", "us")]
    done = rehearsed(ann, tmp_path, {"model_list": [*entries, *regions]})
    assert done.status == 0
    assert "equals model_list[0] apart from secrets; both are one model" in done.stdout
    assert store["models"].count_documents({"name": "gpt-4o"}) == 1
    assert store["models"].count_documents({"name": "r"}) == 2


# --- Entries that nothing but their content tells apart


def regional(region: str, *groups: str, **params: Any) -> dict[str, Any]:
    return entry(params={"vertex_location": region, **params}, model_info={"access_groups": list(groups)})


def stored(store: Raw) -> dict[str, tuple[str, set[str]]]:
    """Return, for each model, its region and the groups that can read it."""
    return {
        found["_id"]: (
            found["params"].get("vertex_location", ""),
            {grant["principal_id"] for grant in found["access_grants"]},
        )
        for found in store["models"].find()
    }


def test_each_of_several_entries_keeps_its_record_when_others_go_come_or_move(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    us, eu, asia = regional("us", "us-team"), regional("eu", "eu-team"), regional("asia")
    rehearsed(ann, tmp_path, {"model_list": [us, eu]})
    before = {region: record_id for record_id, (region, _) in stored(store).items()}

    rehearsed(ann, tmp_path, {"model_list": [asia, eu, us]})
    assert {region: record_id for record_id, (region, _) in stored(store).items() if region != "asia"} == before

    revoked = regional("eu", temperature=0.1)
    rehearsed(ann, tmp_path, {"model_list": [revoked]})
    now = stored(store)
    assert now[before["eu"]] == ("eu", set())
    assert now[before["us"]] == ("us", {"us-team"})


def test_an_entry_that_is_edited_to_equal_another_one_keeps_its_record_and_loses_its_groups(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    first, second = regional("eu", "staff"), regional("eu", "staff", "contractors", rpm=10)
    rehearsed(ann, tmp_path, {"model_list": [first, second]})
    assert len(stored(store)) == 2
    rehearsed(ann, tmp_path, {"model_list": [first, first]})
    assert [groups for _, groups in stored(store).values()] == [{"staff"}] * 2


def test_equal_entries_of_which_one_is_edited_become_two_models(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    equal, other = regional("eu", "staff"), regional("us", "us-team")
    rehearsed(ann, tmp_path, {"model_list": [equal, equal, other]})
    before = stored(store)
    assert len(before) == 2
    rehearsed(ann, tmp_path, {"model_list": [regional("eu", temperature=1), equal, other]})
    after = stored(store)
    assert {record_id: after[record_id] for record_id in before} == before
    assert len(after) == 3


def test_an_answer_of_the_proxy_and_its_configuration_give_the_same_model(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    rehearsed(ann, tmp_path, {"model_list": [regional("eu", "beta")]})
    for made, groups in (("0a" * 32, ["beta"]), ("0b" * 32, [])):
        answer = regional("eu", *groups)
        answer["model_info"] |= {"id": made, "db_model": False}
        rehearsed(ann, tmp_path, {"data": [answer]})
    assert list(stored(store).values()) == [("eu", set())]


def test_each_of_many_entries_that_only_a_number_tells_apart_keeps_its_record(
    ann: CommandLine, store: Raw, tmp_path: Path
) -> None:
    entries = [entry(params={"rpm": number}) for number in range(250)]
    rehearsed(ann, tmp_path, {"model_list": entries})
    rehearsed(ann, tmp_path, {"model_list": [*entries[:100], *entries[101:], entry(params={"rpm": 1000})]})
    assert store["models"].count_documents({}) == 250
    assert store["models"].count_documents({"params.rpm": 100}) == 0


def test_what_the_other_pages_of_an_answer_have_is_not_retired(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    kept, gone = regional("eu"), entry(model_name="gone")
    rehearsed(ann, tmp_path, {"data": [kept, gone]}, "--source", "prod")
    page = {"data": [kept], "total_count": 2, "current_page": 1, "total_pages": 2}
    assert rehearsed(ann, tmp_path, page, "--source", "prod", "--prune").status == 1
    assert store["models"].count_documents({"is_active": True}) == 2


# --- Owners who are not here

EXPORTED = [
    {"id": name, "user_id": owner, "name": name, "params": {}, "meta": {}, "base_model_id": "b", "access_control": {}}
    for name, owner in (("a", "u-old"), ("b", "u-old"), ("c", "ann"), ("d", "u-gone"))
]


def test_owners_who_are_not_here_are_named_with_a_way_on(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    done = rehearsed(ann, tmp_path, EXPORTED)
    assert done.status == 0
    for name, owner in (("a", "u-old"), ("b", "u-old"), ("d", "u-gone")):
        assert f"model '{name}': user_id: there is no user '{owner}' here; kept (see --map-users" in done.stdout
    assert "models of owners who are not here (see --map-users): 2 of 'u-old', 1 of 'u-gone'" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["unknown_owners"] == [{"user_id": "u-old", "models": 2}, {"user_id": "u-gone", "models": 1}]
    assert {record["_id"]: record["user_id"] for record in store["models"].find()}["d"] == "u-gone"


def test_models_of_unknown_owners_go_to_the_owner_only_on_request(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    rehearsed(ann, tmp_path, EXPORTED[:1])
    ann.ok("user", "add", "--id", "ben", "--email", "ben@x.org", "--name", "Ben")
    store["models"].update_one({"_id": "c"}, {"$set": {"user_id": "ben"}})
    assert rehearsed(ann, tmp_path, EXPORTED, "--unknown-owner", "owner").status == 0
    assert store["models"].distinct("user_id") == ["ann"]
    # Somebody who is here keeps what was given to them since.
    changed = [{**EXPORTED[3], "name": "D"}]
    ann.ok("import", write_source(tmp_path, [{**EXPORTED[3], "user_id": "ben"}]).name)
    assert rehearsed(ann, tmp_path, changed, "--unknown-owner", "owner").status == 0
    assert store["models"].find_one({"_id": "d"})["user_id"] == "ben"  # type: ignore[index]


def test_models_of_unknown_owners_are_rejected_on_request(ann: CommandLine, store: Raw, tmp_path: Path) -> None:
    done = rehearsed(ann, tmp_path, EXPORTED, "--unknown-owner", "reject")
    assert done.status == 1
    assert done.stdout.count("rejected") == 4
    assert store["models"].distinct("_id") == ["c"]


def test_an_owner_for_models_of_unknown_owners_must_be_given(shell: CommandLine, tmp_path: Path) -> None:
    name = write_source(tmp_path, EXPORTED).name
    done = shell.run("import", name, "--unknown-owner", "owner")
    assert (done.status, "--unknown-owner" in done.stderr) == (2, True)
