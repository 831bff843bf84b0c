"""Facets of the list."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from indexes.ensure import ensure
from service.auth.authentication import Authenticator
from service.listing.facet_pipelines import facet_pipelines
from service.listing.facets import facet_match
from service.listing.params import FacetName, ListParams
from service.listing.pipeline import Resolved
from tests.conftest import Commands
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.random_directory import RandomDirectory

NAMES: list[FacetName] = ["tag", "owner", "base_model_id", "capability", "kind", "is_active"]
# The derived keys that earlier versions did not have.
NEW_KEYS = ("keys.rows", "keys.readable", "keys.tag_line", "keys.capability_line")
PUBLIC = [grant("user:*")]


async def _facets(directory: Directory, user: str, **parameters: Any) -> dict[str, Any]:
    facets: dict[str, Any] = (await directory.page(user, **parameters))["facets"]
    return facets


async def test_a_facet_counts_what_the_caller_may_read_under_the_same_filters(
    directory: Directory, tmp_path: Path
) -> None:
    await directory.user("ann", name="Ann")
    await directory.user("bob", name="Bob")
    able = {"capabilities": {"vision": True, "a.b": True, "off": False}}
    models = [
        model("a", "ann", base_model_id="x", access_grants=PUBLIC, meta={"tags": ["SQL", "EU"], **able}),
        model("b", "ann", base_model_id="y", access_grants=PUBLIC, meta={"tags": ["SQL", "sql"]}),
        model("c", "bob", is_active=False, access_grants=PUBLIC, meta={"tags": ["sql"], **able}),
        model("d", "gone", access_grants=PUBLIC),
        model("secret", "ann", base_model_id="z", meta={"tags": ["sql", "secret"]}),
    ]
    await directory.load({"models": models}, tmp_path)

    assert "facets" not in await directory.page("bob")
    assert await _facets(directory, "bob", facets=",".join(NAMES)) == {
        "tag": [{"value": "sql", "label": "SQL", "count": 3}, {"value": "eu", "label": "EU", "count": 1}],
        "owner": [
            {"value": "ann", "label": "Ann", "count": 2},
            {"value": "bob", "label": "Bob", "count": 1},
            {"value": "gone", "count": 1},
        ],
        "base_model_id": [{"value": "x", "count": 1}, {"value": "y", "count": 1}],
        "capability": [{"value": "a.b", "count": 2}, {"value": "vision", "count": 2}],
        "kind": [{"value": "base", "count": 2}, {"value": "custom", "count": 2}],
        "is_active": [{"value": True, "count": 3}, {"value": False, "count": 1}],
    }
    filtered = {"owner": "ann", "kind": "custom", "tag": "sql"}
    assert await _facets(directory, "bob", facets="kind, owner,tag", **filtered) == {
        "tag": [{"value": "sql", "label": "SQL", "count": 2}, {"value": "eu", "label": "EU", "count": 1}],
        "owner": [{"value": "ann", "label": "Ann", "count": 2}],
        "kind": [{"value": "custom", "count": 2}],
    }
    nothing = await _facets(directory, "bob", facets=",".join(NAMES), id="secret")
    assert nothing == {name: [] for name in NAMES}


@pytest.mark.parametrize("apart", [False, True], ids=["together", "at the same time"])
async def test_random_facets_are_what_the_contract_says(
    random_directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch, *, apart: bool
) -> None:
    if apart:
        monkeypatch.setattr("service.listing.facets.KEYS_OF_A_CALL", -1)
    made = random_directory.generator
    for _ in range(repetitions(20, 1000)):
        user, parameters = made.random.choice(random_directory.callers), made.parameters()
        names = [name for name in NAMES if made.random.random() < 0.5] or NAMES
        answer = await random_directory.directory.get(LIST, user, **parameters, facets=",".join(names))
        expected = random_directory.oracle.facets(user, parameters, names)
        assert answer.json()["facets"] == expected, (user, parameters, names)


async def test_only_the_most_frequent_values_are_named(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    models = [model(f"m{at}", "ann", meta={"tags": [f"t{at:02}", f"u{at % 7}"]}) for at in range(60)]
    await directory.load({"models": models}, tmp_path)
    [tags] = (await _facets(directory, "ann", facets="tag", page_size=1)).values()
    assert len(tags) == 50
    assert [(tag["value"], tag["count"]) for tag in tags[:8]] == [
        *((f"u{at}", 9 - (at > 3)) for at in range(7)),
        ("t00", 1),
    ]


@pytest.mark.parametrize("facets", ["", "tags", "tag,", "tag,surprise", "name"])
async def test_unknown_facets_are_refused_with_those_that_exist(directory: Directory, facets: str) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", facets=facets)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["loc"][:2] == ["query", "facets"]
    assert all(name in error["msg"] for name in NAMES)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("user", ["ann", "root"])
async def test_facets_are_counted_on_index_keys_alone(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]], user: str, *, apart: bool
) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    models = [model(f"m{at}", "ann", meta={"tags": ["SQL"], "capabilities": {"vision": True}}) for at in range(200)]
    await directory.load({"models": models}, tmp_path)
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(user)}")
    params = ListParams.model_validate({"is_active": "true"})
    pipelines, hint = facet_pipelines(NAMES, facet_match("tag", params, caller, Resolved()), apart=apart)
    # Owners, lines of tags, and the combinations of the rest.
    assert len(pipelines) == (3 if apart else 1)
    for pipeline in pipelines:
        command: dict[str, Any] = {"aggregate": "models", "pipeline": pipeline, "hint": hint, "cursor": {}}
        explained = raw.command("explain", command, verbosity="executionStats")
        statistics = explained["stages"][0]["$cursor"]["executionStats"]
        assert statistics["totalDocsExamined"] == 0
        assert 200 <= statistics["totalKeysExamined"] <= 210


async def test_facets_of_a_search_read_only_what_the_rows_find(
    directory: Directory,
    tmp_path: Path,
    raw: SyncDatabase[dict[str, Any]],
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.listing.facets.KEYS_OF_A_CALL", -1)
    await directory.user("ann")
    models = [
        model(f"m{at:03}", "ann", name="red" if at % 40 == 0 else "blue", meta={"tags": ["SQL"]}) for at in range(200)
    ]
    await directory.load({"models": models}, tmp_path)
    await directory.app.state.search_statistics.renew()
    await directory.key("ann")
    commands.clear()
    assert await _facets(directory, "ann", query="re", facets="tag,kind") == {
        "tag": [{"value": "sql", "label": "SQL", "count": 5}],
        "kind": [{"value": "base", "count": 5}],
    }
    sent = [command["pipeline"] for name, command in commands.on("models") if name == "aggregate"]
    [pipeline] = [one for one in sent if "$facet" in one[-1]]
    explained = raw.command(
        "explain", {"aggregate": "models", "pipeline": pipeline, "cursor": {}}, verbosity="executionStats"
    )
    cursor = explained["stages"][0]["$cursor"]
    assert cursor["executionStats"]["totalDocsExamined"] == 5
    assert "readable_text" in str(cursor["queryPlanner"]["winningPlan"])


async def test_facets_count_records_whose_derived_keys_are_those_of_an_earlier_version(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    able = {"capabilities": {"vision": True}}
    models = [model(f"m{at}", "ann", meta={"tags": ["SQL", "eu"][: 1 + at % 2], **able}) for at in range(4)]
    await directory.load({"models": models}, tmp_path)
    raw.models.update_one({"_id": "m1"}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    assert await _facets(directory, "ann", facets="tag,capability,kind") == {
        "tag": [{"value": "sql", "label": "SQL", "count": 4}, {"value": "eu", "label": "eu", "count": 2}],
        "capability": [{"value": "vision", "count": 4}],
        "kind": [{"value": "base", "count": 4}],
    }


async def test_a_facet_has_no_value_that_is_no_text(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("root", role=Role.ADMIN)
    models = [model(f"m{at}", "root", base_model_id="x") for at in range(3)]
    await directory.load({"models": models}, tmp_path)
    # Only without derived keys do the indexes take a list.
    for model_id, lists in (
        ("m0", {"user_id": ["root"]}),
        ("m1", {"base_model_id": ["x"]}),
        ("m2", {"is_active": [True]}),
    ):
        raw.models.update_one({"_id": model_id}, {"$set": lists, "$unset": {"keys": ""}})
    found = await _facets(directory, "root", facets="owner,base_model_id,is_active")
    # An index that has held a list sorts less from then on, which other tests would notice.
    raw.models.delete_many({})
    raw.models.drop_indexes()
    assert await ensure(directory.database) == []
    assert found == {
        "owner": [{"value": "root", "label": "Name of root", "count": 2}],
        "base_model_id": [{"value": "x", "count": 2}],
        "is_active": [{"value": True, "count": 2}],
    }
