"""Exports of models from all versions of Open WebUI: what is read, what is not, and that nobody gains access."""

import gzip
import json
from typing import Any

import pytest

from service.importing.readers.openwebui import read_openwebui
from service.importing.readers.openwebui_models import PRIVATE, Notes, model_item
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.directory import grant
from tests.support.memory_sources import source_of

EARLY: dict[str, Any] = {
    "id": "team/sql",
    "user_id": "ann",
    "base_model_id": "gpt-4o",
    "name": "SQL",
    "params": {"system": "Read the plan.", "temperature": 0.1},
    "meta": {"description": "d", "profile_image_url": "", "tags": [{"name": "sql"}, "fast"], "odd": None},
    "created_at": 1_700_000_000,
    "updated_at": 1_700_000_001,
}
READERS = {"group_ids": ["g1", "g2"], "user_ids": ["ben"]}
EVERYONE = grant("user:*")


def read(content: Any) -> list[Item]:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return list(read_openwebui(source_of(text)))


def one(record: Any) -> Item:
    [item] = read([record])
    assert item.kind == "model"
    return item


def listed(principal: str, **fields: Any) -> dict[str, Any]:
    resource = {"id": "a1", "resource_type": "model", "resource_id": EARLY["id"], "created_at": 1_700_000_000}
    return {**resource, **grant(principal), **fields}


@pytest.mark.parametrize(
    ("content", "positions"),
    [
        ([EARLY, EARLY], ["[0]", "[1]"]),
        ({"models": [EARLY, EARLY], "version": 1}, ["models[0]", "models[1]"]),
        ({"exported": {"at": [1]}, "models": [EARLY]}, ["models[0]"]),
        (EARLY, ["the only model"]),
        ([], []),
        ({"models": []}, []),
        (gzip.compress(json.dumps([EARLY]).encode(), mtime=0), ["[0]"]),
        (json.dumps(EARLY, indent=4).encode("utf-8-sig"), ["the only model"]),
    ],
    ids=["list", "models", "models last", "one", "empty", "no models", "gzip", "one with a BOM"],
)
def test_every_shape_of_an_export_is_read(content: Any, positions: list[str]) -> None:
    items = read(content)
    assert [item.position for item in items] == positions
    assert [item.value for item in items] == [{**EARLY, "access_grants": []}] * len(items)


def test_the_users_of_a_bundle_are_not_lost_unnoticed() -> None:
    items = read({"users": [{"id": "ann"}], "models": [EARLY]})
    assert [(item.position, "from a bundle" in (item.problem or "")) for item in items] == [
        ("users", True),
        ("models[0]", False),
    ]


def test_a_record_is_read_as_it_is() -> None:
    item = one({**EARLY, "access_grants": []})
    assert (item.problem, item.notes) == (None, ())
    assert list(item.value["params"]) == list(EARLY["params"])
    assert item.value == {**EARLY, "access_grants": []}
    assert ImportedModel.model_validate(item.value).is_active


@pytest.mark.parametrize("name", ["params", "meta", "is_active", "base_model_id", "created_at", "updated_at"])
def test_what_is_null_is_as_if_it_were_absent(name: str) -> None:
    item = one({**EARLY, name: None})
    assert name not in item.value
    ImportedModel.model_validate(item.value)


def test_a_model_without_an_owner_is_left_to_the_one_who_imports() -> None:
    assert "user_id" not in one({**EARLY, "user_id": ""}).value


def test_what_is_left_out_is_noted_once_for_the_file() -> None:
    late = {**EARLY, "access_grants": [], "version_id": "v", "background_image_data": None, "write_access": True}
    first, second = read([late, {**late, "background_image_data": "data:", "two words": 1}])
    assert first.notes == ("version_id: left out", "write_access: left out")
    assert second.notes == ("background_image_data: left out", "'two words': left out")
    assert first.value == second.value == {**EARLY, "access_grants": []}


def test_the_number_of_notes_is_bounded() -> None:
    notes = [note for item in read([{f"k{number}": 1} for number in range(3000)]) for note in item.notes]
    assert len(notes) == len(set(notes)) == 1000


@pytest.mark.parametrize(
    ("access", "given"),
    [
        ({}, []),
        ({"access_control": None}, [EVERYONE]),
        ({"access_control": {}}, []),
        ({"access_control": {"read": READERS}}, [grant("user:ben"), grant("group:g1"), grant("group:g2")]),
        ({"access_control": {"read": {}, "write": {"user_ids": ["ben"]}}}, [grant("user:ben", "write")]),
        ({"access_control": {"read": None, "write": {"user_ids": None, "group_ids": []}}}, []),
        ({"access_grants": []}, []),
        ({"access_grants": None, "access_control": None}, []),
        ({"access_grants": [], "access_control": None}, []),
        ({"access_grants": [listed("user:*")]}, [{"id": "a1", **EVERYONE}]),
        ({"access_grants": [grant("group:g1", "write")]}, [grant("group:g1", "write")]),
    ],
    ids=[
        "absent",
        "null",
        "{}",
        "readers",
        "a writer",
        "nobody",
        "no grants",
        "null grants",
        "grants come first",
        "a grant",
        "a bare grant",
    ],
)
def test_access_settings_become_grants(access: dict[str, Any], given: list[dict[str, Any]]) -> None:
    item = one({**EARLY, **access})
    assert item.value["access_grants"] == given
    assert item.notes == (() if access else (PRIVATE,))
    ImportedModel.model_validate(item.value)


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"access_control": ""}, "access_control: must be null or an object; left out"),
    "false": ({"access_control": False}, "access_control: must be null or an object; left out"),
    "a list": ({"access_control": []}, "access_control: must be null or an object; left out"),
    "a flag to read": ({"access_control": {"read": True}}, "access_control.read: must be an object; left out"),
    "ids as text": (
        {"access_control": {"write": {"group_ids": "g"}}},
        "access_control.write.group_ids: must be a list; left out",
    ),
    "everyone by name": (
        {"access_control": {"read": {"user_ids": ["*"]}}},
        "access_control.read.user_ids.0: must not be *, which stands for everyone; left out",
    ),
    "an id that is a number": (
        {"access_control": {"read": {"user_ids": [5]}}},
        "access_control.read.user_ids.0: Input should be a valid string; left out",
    ),
    "grants as an object": ({"access_grants": {}}, "access_grants: must be a list; left out"),
    "a grant that is null": ({"access_grants": [None]}, "access_grants.0: must be an object; left out"),
    "another kind": (
        {"access_grants": [listed("user:*", resource_type="knowledge")]},
        "access_grants.0: is not for a model; left out",
    ),
    "another model": (
        {"access_grants": [listed("user:*", resource_id="team/sql-2")]},
        "access_grants.0: is for another model; left out",
    ),
    "a model that is null": (
        {"access_grants": [listed("user:*", resource_id=None)]},
        "access_grants.0: is for another model; left out",
    ),
    "an unknown permission": (
        {"access_grants": [listed("user:*", permission="own")]},
        "access_grants.0.permission: Input should be 'read' or 'write'; left out",
    ),
    "an unknown principal": (
        {"access_grants": [listed("role:*")]},
        "access_grants.0.principal_type: Input should be 'user' or 'group'; left out",
    ),
    "an id of a grant": (
        {"access_grants": [listed("user:*", id=7)]},
        "access_grants.0.id: Input should be a valid string; left out",
    ),
}


@pytest.mark.parametrize(("access", "note"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_grant_is_left_out_and_noted(access: dict[str, Any], note: str) -> None:
    item = one({**EARLY, **access})
    assert (item.value["access_grants"], item.notes, item.problem) == ([], (note,), None)


def test_the_good_grants_next_to_bad_ones_count() -> None:
    control = {"read": {"user_ids": [None, "ben"], "group_ids": 1}, "write": {"group_ids": ["g1"]}}
    item = one({**EARLY, "access_control": control})
    assert item.value["access_grants"] == [grant("user:ben"), grant("group:g1", "write")]
    assert len(item.notes) == 2


def test_a_source_has_a_bound_on_grants_that_are_not_valid() -> None:
    notes = Notes(2)
    model_item({**EARLY, "access_grants": [{}, {}, 5]}, "[0]", notes)
    with pytest.raises(SourceError, match="more than 2 grants are not valid"):
        model_item({**EARLY, "access_grants": [{}]}, "[1]", notes)


def test_only_some_of_very_many_bad_grants_are_noted() -> None:
    item = one({**EARLY, "access_grants": [5] * 10_000})
    assert len(item.notes) == 11
    assert item.notes[-1] == "9,990 more grants left out"


def test_the_record_of_a_running_model_is_its_info() -> None:
    running = {"id": "x", "name": "X", "object": "model", "owned_by": "openai", "access_control": {"read": READERS}}
    item = one({**running, "info": {**EARLY, "access_control": {}}})
    assert item.value == {**EARLY, "access_grants": []}
    assert set(item.notes) == {f"{name}: left out" for name in ("object", "owned_by", "access_control")}
    named_outside = one({**running, "info": {"meta": {"description": "d"}}})
    assert named_outside.value == {"id": "x", "name": "X", "meta": {"description": "d"}, "access_grants": []}


@pytest.mark.parametrize("info", [{}, {"info": None}], ids=["no info", "null"])
def test_a_running_model_without_info_is_a_base_model(info: dict[str, Any]) -> None:
    item = one({"id": "llama3.3:70b", "object": "model", "owned_by": "ollama", "created": 1, **info})
    assert item.value == {"id": "llama3.3:70b", "name": "llama3.3:70b", "access_grants": []}
    assert ImportedModel.model_validate(item.value).base_model_id is None


def test_what_is_no_model_is_left_to_the_engine_to_refuse() -> None:
    items = read([None, 5, "m", ["m"], {"info": 5}])
    assert [item.value for item in items[:4]] == [None, 5, "m", ["m"]]
    assert items[4].problem == "info: must be an object"
    [part] = read({"models": {"a": 1}})
    assert (part.kind, part.position, part.problem) == ("unknown", "models", "must be a list")
