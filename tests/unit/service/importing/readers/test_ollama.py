"""What Ollama answers of its models: each becomes a base model, or the child of the model that it was made of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.importing.formats import SourceFormat, recognise
from service.importing.readers.ollama import read_ollama
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.memory_sources import source_of
from tests.support.model_answers import LLAMA_CPP, OLLAMA, OLLAMA_NEW, OLLAMA_PS, OLLAMA_SHOW, OLLAMA_TAGS

KEY = "sk-planted0000000000000001"
TAG = OLLAMA_TAGS["models"][0]


def read(content: Any) -> list[Item]:
    return list(read_ollama(source_of(content if isinstance(content, str) else json.dumps(content))))


@pytest.mark.parametrize("name", OLLAMA)
def test_every_answer_is_recognised_and_read(name: str) -> None:
    assert recognise(source_of(json.dumps(OLLAMA[name]))).format is SourceFormat.OLLAMA
    items = read(OLLAMA[name])
    assert items
    for item in items:
        assert item.problem is None
        assert ImportedModel.model_validate(item.value).access_grants == []


def test_an_installed_model_is_a_base_model_with_its_facts() -> None:
    [item] = read(OLLAMA_TAGS)
    assert item.value == {
        "id": "llama3.2:3b",
        "base_model_id": None,
        "name": "llama3.2:3b",
        "meta": {
            "provider": "ollama",
            "family": "llama",
            "families": ["llama"],
            "format": "gguf",
            "parameter_size": "3.2B",
            "quantization_level": "Q4_K_M",
            "size": 2019393189,
            "digest": "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
        },
        "updated_at": 1735689600,
    }


def test_a_model_made_of_another_one_has_it_as_base_and_a_file_is_no_base() -> None:
    tutor, cloud = read(OLLAMA_NEW)
    assert tutor.value["base_model_id"] == "llama3.2:3b"
    assert tutor.value["meta"]["capabilities"] == {"completion": True, "function_calling": True, "vision": True}
    assert (cloud.value["base_model_id"], cloud.value["meta"]["remote_model"]) == (None, "gpt-oss:120b")
    for parent in ("/root/.ollama/models/blobs/sha256-dde5", "sha256:dde5", "llama3.2:3b", 5, None):
        [item] = read([{**TAG, "details": {"parent_model": parent}}])
        assert item.value["base_model_id"] is None


def test_a_running_model_has_its_context_and_not_its_state() -> None:
    [item] = read(OLLAMA_PS)
    assert item.value["meta"]["limits"] == {"max_context_length": 8192}
    assert item.notes == ("expires_at: left out", "size_vram: left out")
    assert not {"expires_at", "size_vram"} & set(item.value["meta"])


def test_a_model_that_is_shown_has_parameters_and_a_system_prompt() -> None:
    [item] = read(OLLAMA_SHOW)
    assert (item.value["id"], item.value["base_model_id"]) == ("tutor:latest", "llama3.2:3b")
    assert item.value["params"] == {"system": "Teach.", "temperature": 0.7}
    assert item.value["meta"]["limits"] == {"max_context_length": 131072}
    assert (item.value["meta"]["architecture"], item.value["meta"]["parameter_count"]) == ("llama", 3212749888)
    assert item.notes == ("license: left out", "template: left out")
    [unnamed] = read({**OLLAMA_SHOW, "modelfile": "FROM llama3"})
    assert (unnamed.problem or "").startswith("the answer does not say which model it shows")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"digest": "a"}, "name: must be text"),
        ({"name": 5, "digest": "a"}, "name: must be text"),
        ({"name": "", "model": None, "digest": "a"}, "name: must be text"),
        ({"name": KEY, "digest": "a"}, "name: must be text"),
        ({"name": "m"}, "is no model of Ollama"),
        ({"id": "m", "name": "M", "digest": "a"}, "is no model of Ollama"),
        ("llama3", "must be a JSON object"),
    ],
)
def test_what_is_no_model_is_rejected_and_the_rest_is_read(entry: Any, problem: str) -> None:
    bad, good = read({"models": [entry, TAG]})
    assert (bad.problem or "").startswith(problem)
    assert KEY not in str(bad)
    assert good.value["id"] == "llama3.2:3b"


def test_odd_details_are_kept_out_of_the_way() -> None:
    odds: list[Any] = [None, [], "x", 5, {"families": None, "family": ""}]
    for odd in odds:
        [item] = read([{**TAG, "details": odd, "modified_at": odd, "capabilities": odd, "context_length": None}])
        assert item.problem is None
        assert item.value["base_model_id"] is None
        assert "updated_at" not in item.value or odd == 5


def test_the_same_model_twice_is_one() -> None:
    _, second = read({"models": [TAG, TAG]})
    assert (second.kind, second.notes) == ("note", ("equals models[0]; both are one model",))


def test_no_secret_is_kept_in_any_field() -> None:
    for name in (*TAG, "other"):
        for planted in (KEY, [KEY], {"api_key": "hush-hush"}, f"call it with {KEY}"):
            assert not any(word in str(read([{**TAG, name: planted}])) for word in (KEY, "hush-hush"))
    assert "hush-hush" not in str(read({**OLLAMA_SHOW, "system": f"Use {KEY}", "model_info": {"token": "hush-hush"}}))


@pytest.mark.parametrize(
    "content",
    [
        LLAMA_CPP,
        {"models": [{"name": "m"}]},
        {"models": [{"id": "m", "digest": "a"}]},
        {"details": {}},
        [{"name": "m"}],
    ],
)
def test_other_lists_are_not_of_ollama(content: Any) -> None:
    try:
        assert recognise(source_of(json.dumps(content))).format is not SourceFormat.OLLAMA
    except SourceError as error:
        assert "not recognised" in error.detail


@pytest.mark.parametrize("content", [{"models": 5}, {"users": []}, {}, {"models": ["a"]}])
def test_a_file_without_models_gives_none(content: Any) -> None:
    [item] = read(content)
    assert item.problem


@pytest.mark.parametrize("content", ["", "5", "{", '{"models": [', '{"models": []} x', '{"models": [], "models": []}'])
def test_what_cannot_be_read_to_its_end_is_an_error(content: str) -> None:
    with pytest.raises(SourceError, match=r"^after \d+ characters: "):
        read(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.sampled_from([*TAG, *OLLAMA_SHOW, "models"]), values),
)


@given(JSON)
def test_nothing_but_an_error_of_the_source_is_raised(value: Any) -> None:
    for content in (value, {"models": [value, {"name": "m", "digest": "a", "details": value}]}):
        try:
            read(content)
        except SourceError:
            continue
