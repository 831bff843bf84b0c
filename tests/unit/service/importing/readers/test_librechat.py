"""LibreChat's configuration: the models that it composes and those that its endpoints offer, and never a key."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.importing.formats import SourceFormat, recognise
from service.importing.readers.librechat import read_librechat
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.catalogue_sources import LIBRECHAT
from tests.support.every_case import repetitions
from tests.support.memory_sources import source_of

KEY = "sk-planted0000000000000001"
PRESET = {"endpoint": "openAI", "model": "gpt-4o"}


def read(content: Any) -> list[Item]:
    return list(read_librechat(source_of(content if isinstance(content, str) else json.dumps(content))))


def spec(**fields: Any) -> Item:
    [item] = read({"modelSpecs": {"list": [{"name": "m", "preset": PRESET, **fields}]}})
    return item


@pytest.mark.parametrize("name", LIBRECHAT)
def test_every_configuration_is_recognised_and_read(name: str) -> None:
    content = LIBRECHAT[name]
    text = content if isinstance(content, str) else json.dumps(content)
    assert recognise(source_of(text)).format is SourceFormat.LIBRECHAT
    for item in read(text):
        assert item.problem is None
        if item.kind == "model":
            assert ImportedModel.model_validate(item.value).access_grants == []


def test_a_composed_model_has_its_base_its_prompt_and_its_parameters() -> None:
    item = read(LIBRECHAT["everything"])[0]
    assert item.position == "modelSpecs.list[0] (line 27)"
    assert item.value == {
        "id": "sql-helper",
        "base_model_id": "mistral-large-latest",
        "name": "SQL Helper",
        "params": {"temperature": 0.1, "top_p": 0.9, "max_tokens": 500, "system": "You write SQL."},
        "meta": {
            "description": "Writes queries.",
            "default": True,
            "group": "Data",
            "provider": "Mistral",
            "greeting": "Hello",
            "profile_image_url": "https://images.example/sql.png",
        },
    }


def test_the_models_of_endpoints_are_base_models_each_once() -> None:
    items = read(LIBRECHAT["everything"])
    bases = {item.value["id"]: item.value["meta"] for item in items if item.kind == "model"}
    del bases["sql-helper"]
    assert bases == {
        "gpt-4o": {"provider": "azureOpenAI", "group": "eu", "deploymentName": "gpt-4o-eu", "version": "2024-08-06"},
        "gpt-4o-mini": {"provider": "azureOpenAI", "group": "eu"},
        "mistral-large-latest": {"provider": "Mistral"},
        "codestral": {"provider": "Mistral", "description": "For code."},
    }
    notes = [note for item in items for note in item.notes]
    assert notes == [
        "preset.agent_id: runs what is stored elsewhere and names no model, so it is left out",
        "fetch: the models that the endpoint lists itself are not in this file",
        "has the id of endpoints.custom[0].models.default[0], which is the one that is imported",
        "interface: left out; only models are read",
    ]
    assert "API_KEY" not in str(items)


@pytest.mark.parametrize("name", ["promptPrefix", "system", "instructions"])
def test_each_kind_of_system_prompt_is_one(name: str) -> None:
    assert spec(preset={**PRESET, name: "Be brief."}).value["params"] == {"system": "Be brief."}


@pytest.mark.parametrize("icon", ["openAI", "http://x.example/a.png", "/images/a.png", "javascript:alert(1)"])
def test_an_icon_that_no_model_may_have_is_left_out(icon: str) -> None:
    for item in (spec(iconURL=icon), spec(preset={**PRESET, "iconURL": icon})):
        assert "profile_image_url" not in item.value["meta"]
        assert item.notes[0].startswith("iconURL: left out; must be")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"preset": PRESET}, "name: must be text"),
        ({"name": 5, "preset": PRESET}, "name: must be text"),
        ({"name": "", "preset": PRESET}, "name: must be text"),
        ({"name": "m"}, "preset: must be a mapping"),
        ({"name": "m", "preset": "gpt-4o"}, "preset: must be a mapping"),
        ({"name": "m", "preset": {"endpoint": "openAI"}}, "preset.model: must be text"),
        ({"name": "m", "preset": {"model": ["gpt-4o"]}}, "preset.model: must be text"),
        ({"name": KEY, "preset": PRESET}, "name: must be text"),
        ("m", "must be a JSON object"),
    ],
)
def test_what_is_no_model_is_rejected_and_the_rest_is_read(entry: Any, problem: str) -> None:
    bad, good = read({"modelSpecs": {"list": [entry, {"name": "n", "preset": PRESET}]}})
    assert bad.problem == problem
    assert KEY not in str(bad)
    assert good.value["id"] == "n"


def test_one_entry_that_yaml_cannot_hold_does_not_spoil_the_others() -> None:
    text = "modelSpecs:\n  list:\n    - {name: a, name: b}\n    - {name: c, preset: {model: d}}\n"
    bad, good = read(text)
    assert (bad.problem, good.value["id"]) == ("line 3, column 17: the key is given twice", "c")


def test_a_model_of_the_name_of_a_base_is_the_one_that_is_imported() -> None:
    model, note = read(
        {
            "modelSpecs": {"list": [{"name": "gpt-4o", "preset": PRESET}]},
            "endpoints": {"openAI": {"models": {"default": ["gpt-4o"]}}},
        }
    )
    assert (model.kind, note.kind) == ("model", "note")
    assert ImportedModel.model_validate(model.value).base_model_id is None


@pytest.mark.parametrize(
    ("endpoints", "ids"),
    [
        ({"openAI": {"models": ["a", "b"]}}, ["a", "b"]),
        ({"bedrock": {"models": {"default": ["a"]}}}, ["a"]),
        ({"anthropic": {"vertex": {"models": {"a": {"deploymentName": "b"}, "c": True}}}}, ["a", "c"]),
        ({"custom": [{"models": {"fetch": False}}]}, []),
        ({"custom": None, "agents": [5, "x"]}, []),
    ],
)
def test_the_lists_of_all_endpoints_are_read(endpoints: Any, ids: list[str]) -> None:
    assert [item.value["id"] for item in read({"endpoints": endpoints})] == ids


@pytest.mark.parametrize(
    "endpoints",
    ["x", {"custom": [{"models": "a"}]}, {"custom": [{"models": {"default": [5]}}]}, {"custom": [{"models": [""]}]}],
)
def test_endpoints_of_a_wrong_shape_are_named(endpoints: Any) -> None:
    [item] = read({"endpoints": endpoints})
    assert item.problem


def test_no_secret_is_kept_in_any_field() -> None:
    fields = ("label", "description", "group", "iconURL", "order", "other")
    in_preset = ("promptPrefix", "greeting", "modelLabel", "temperature", "stop", "apiKey", "other")
    for planted in (KEY, f"call it with {KEY}", [KEY], {"apiKey": "hush-hush"}):
        for name in fields:
            assert not any(word in str(spec(**{name: planted})) for word in (KEY, "hush-hush")), name
        for name in in_preset:
            item = spec(preset={**PRESET, name: planted})
            assert not any(word in str(item) for word in (KEY, "hush-hush")), name
    endpoint = {
        "name": "x",
        "apiKey": "hush-hush",
        "headers": {"Authorization": "hush-hush"},
        "baseURL": "https://ann:hush-hush@x.example",
        "models": {"default": [KEY, {"name": "m", "description": KEY}]},
    }
    items = read({"endpoints": {"custom": [endpoint]}})
    assert not any(word in str(items) for word in (KEY, "hush-hush"))
    assert any("left out, since it is or may be a secret" in note for item in items for note in item.notes)


@pytest.mark.parametrize(
    "content",
    [
        "version: '3'\nservices: {web: {image: x}}\n",
        "endpoints: {custom: []}\n",
        "endpoints:\n  - port: 80\n",
        "version: 1\nendpoints: {api: {url: x}}\n",
        "modelSpecs: 5\n",
        "version: 1\n---\nmodelSpecs: {list: []}\n",
    ],
)
def test_other_files_are_not_recognised(content: str) -> None:
    with pytest.raises(SourceError, match="not recognised"):
        recognise(source_of(content))


@pytest.mark.parametrize("content", ["", "[]", "a: b", "5", "modelSpecs: {list: [}", "a: 1\n---\nb: 2\n"])
def test_a_file_of_something_else_is_refused(content: str) -> None:
    with pytest.raises(SourceError):
        read(content)


def test_what_is_wrong_with_a_broken_file_is_said_by_its_line() -> None:
    text = "version: 1\nmodelSpecs:\n  list:\n    - {name: a\n    - b\n"
    assert recognise(source_of(text)).format is SourceFormat.LIBRECHAT
    with pytest.raises(SourceError, match="line 6"):
        read(text)


def test_long_files_take_no_long_time() -> None:
    began = time.thread_time()
    many = repetitions(2000, 10_000)
    entries = [{"name": f"m{n}", "preset": PRESET} for n in range(many)]
    assert len(read({"modelSpecs": {"list": entries}})) == many
    assert len(read({"endpoints": {"openAI": {"models": [f"m{n}" for n in range(5 * many)]}}})) == 5 * many
    assert time.thread_time() - began < 10


NAMES = (
    "modelSpecs",
    "list",
    "name",
    "preset",
    "model",
    "endpoints",
    "custom",
    "models",
    "default",
    "groups",
    "vertex",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.sampled_from(NAMES), values),
)


@given(JSON)
def test_nothing_but_an_error_of_the_source_is_raised(value: Any) -> None:
    for content in (value, {"modelSpecs": value, "endpoints": value}, {"modelSpecs": {"list": [value]}}):
        for tried in (lambda content: recognise(source_of(json.dumps(content))), read):
            with suppress(SourceError):
                tried(content)
