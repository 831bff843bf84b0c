"""Answers of `GET /v1/models`: every service's additions find their place, and nothing that is no model becomes one."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.importing.formats import SourceFormat, recognise
from service.importing.readers.openai_models import read_openai_models
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.every_case import repetitions
from tests.support.memory_sources import source_of
from tests.support.model_answers import (
    ANTHROPIC,
    GEMINI,
    GITHUB,
    GROQ,
    LLAMA_CPP,
    LM_STUDIO_NEW,
    MISTRAL,
    OPENAI,
    OPENAI_MODELS,
    OPENROUTER,
    OPENWEBUI,
    TOGETHER,
    VLLM,
)

KEY = "sk-planted0000000000000001"


def read(content: Any) -> list[Item]:
    return list(read_openai_models(source_of(content if isinstance(content, str) else json.dumps(content))))


def only(content: Any) -> dict[str, Any]:
    [item] = read(content)
    assert item.problem is None, item
    value: dict[str, Any] = item.value
    return value


@pytest.mark.parametrize("service", OPENAI_MODELS)
def test_the_answer_of_every_service_is_recognised_and_read(service: str) -> None:
    content = OPENAI_MODELS[service]
    assert recognise(source_of(json.dumps(content))).format is SourceFormat.OPENAI_MODELS
    for item in read(content):
        assert item.problem is None
        if item.kind == "model":
            assert ImportedModel.model_validate(item.value).access_grants == []


def test_an_entry_of_openai_is_a_base_model_with_its_time_and_owner() -> None:
    assert only(OPENAI) == {
        "id": "gpt-4o",
        "base_model_id": None,
        "name": "gpt-4o",
        "meta": {"provider": "system"},
        "created_at": 1715367049,
    }


def test_an_adapter_has_its_model_as_base_and_the_time_of_an_answer_is_no_time_of_a_model() -> None:
    served, adapter = read(VLLM)
    assert served.value["base_model_id"] is None
    assert served.value["meta"] == {"provider": "vllm", "limits": {"max_context_length": 32768}}
    assert (adapter.value["base_model_id"], adapter.value["meta"]["root"]) == ("Qwen/Qwen3-32B", "/adapters/sql")
    assert "created_at" not in served.value | adapter.value
    assert (served.notes, adapter.notes) == (("permission: left out",), ())


def test_prices_limits_and_modalities_of_openrouter_find_their_places() -> None:
    model = only(OPENROUTER)
    meta = model["meta"]
    assert (model["name"], meta["description"]) == ("Anthropic: Claude Sonnet 4", "Good at code.")
    assert meta["limits"] == {"max_context_length": 200000, "max_output_tokens": 64000}
    assert meta["prices"] == {
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "input_cost_per_request": 0,
        "input_cost_per_image": 0.0048,
        "cache_read_input_token_cost": 3e-07,
        "tiers": [{"above": 200000, "prompt": "0.000006"}],
    }
    assert meta["capabilities"] == {"vision": True, "reasoning": True, "function_calling": True}
    assert (meta["supported_modalities"], meta["supported_output_modalities"]) == (["image", "text"], ["text"])
    assert meta["supported_parameters"] == ["max_tokens", "reasoning", "tools"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            MISTRAL,
            {
                "limits": {"max_context_length": 131072},
                "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
                "deprecation_date": "2026-11-30T12:00:00Z",
                "aliases": ["mistral-large-latest"],
            },
        ),
        (GROQ, {"provider": "Meta", "limits": {"max_context_length": 8192, "max_output_tokens": 4096}}),
        (
            TOGETHER,
            {
                "prices": {
                    "hourly": 0,
                    "input_cost_per_token": 8.8e-07,
                    "output_cost_per_token": 8.8e-07,
                    "base": 0,
                    "finetune": 0,
                },
                "type": "chat",
            },
        ),
        (ANTHROPIC, {}),
        (
            LM_STUDIO_NEW,
            {
                "capabilities": {"vision": True, "function_calling": False},
                "architecture": "gemma3",
                "provider": "google",
            },
        ),
        (
            GITHUB,
            {
                "capabilities": {"vision": True, "streaming": True, "function_calling": True},
                "limits": {"max_input_tokens": 1048576, "max_output_tokens": 32768},
                "description": "Long contexts.",
                "tags": ["multipurpose"],
            },
        ),
        (GEMINI, {"limits": {"max_input_tokens": 1048576, "max_output_tokens": 65536}, "description": "Fast."}),
    ],
    ids=["Mistral", "Groq", "Together", "Anthropic", "LM Studio", "GitHub", "Gemini"],
)
def test_what_other_services_add_is_kept(answer: Any, expected: dict[str, Any]) -> None:
    meta = only(answer)["meta"]
    assert {name: meta.get(name) for name in expected} == expected


def test_names_times_and_states_are_read() -> None:
    assert only(GROQ)["is_active"] is False
    claude = only(ANTHROPIC)
    assert (claude["name"], claude["created_at"]) == ("Claude Sonnet 4", 1747872000)
    assert only(GEMINI)["id"] == "models/gemini-2.5-flash"
    assert only(LM_STUDIO_NEW)["id"] == "google/gemma-3-12b"


def test_a_list_of_the_same_models_in_another_form_is_noted() -> None:
    note, model = read(LLAMA_CPP)
    assert (note.kind, note.notes) == ("note", ("left out; data has the models",))
    assert model.value["id"] == "/models/tiny.gguf"
    assert "tell-nobody" not in str(model)


def test_what_a_running_instance_says_of_itself_is_left_out() -> None:
    [item] = read(OPENWEBUI)
    assert item.value["meta"] == {"provider": "openai"}
    assert item.notes == ("urlIdx: left out", "openai: left out")


def test_a_page_that_others_follow_is_not_the_whole() -> None:
    for more in ({"has_more": True}, {"nextPageToken": "abc"}):
        _, rest = read({**ANTHROPIC, **more})
        assert (rest.kind, "further pages" in (rest.problem or "")) == ("unknown", True)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"object": "model"}, "id: must be text"),
        ({"id": 5, "object": "model"}, "id: must be text"),
        ({"id": None, "object": "model"}, "id: must be text"),
        ({"id": "", "object": "model"}, "id: must be text"),
        ({"id": "file-1", "object": "file", "bytes": 5}, "object: must be model"),
        ({"id": "asst_1", "object": "assistant", "model": "gpt-4o"}, "object: must be model"),
        ({"id": "e", "title": "x"}, "is no model of such a list"),
        ({"id": KEY, "object": "model"}, "id: must be text"),
        ([1], "must be a JSON object"),
        ("gpt-4o", "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_what_is_no_model_is_rejected_and_the_rest_is_read(entry: Any, problem: str) -> None:
    bad, good = read({"object": "list", "data": [entry, OPENAI["data"][0]]})
    assert (bad.problem or "").startswith(problem)
    assert good.value["id"] == "gpt-4o"
    assert KEY not in str(bad)


@pytest.mark.parametrize("model_id", ["a b", "x" * 257, "a\tb", "\ud800"])
def test_an_id_that_can_be_none_is_left_to_the_checks_of_an_import(model_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        ImportedModel.model_validate(only({"data": [{"id": model_id, "object": "model"}]}))


def test_parts_of_a_wrong_shape_are_named_and_the_rest_is_kept() -> None:
    entry = {
        "id": "m",
        "object": "model",
        "name": ["M"],
        "created": "soon",
        "description": {"en": "x"},
        "tags": [5],
        "pricing": {"prompt": "-1", "completion": "free", "image": None},
        "capabilities": "all",
        "architecture": [1],
        "top_provider": "x",
        "limits": {"rpm": 5},
        "parent": 7,
        "context_length": "long",
    }
    [item] = read({"data": [entry]})
    assert item.value == {
        "id": "m",
        "base_model_id": None,
        "name": "m",
        "meta": {
            "architecture": [1],
            "top_provider": "x",
            "limits": {"rpm": 5},
            "max_context_length": "long",
            "prices": {"completion": "free"},
        },
    }
    assert item.kept_out == (
        "description: must be text",
        "tags: tags must be a list of text or of {name: text}",
    )
    assert item.notes == ("pricing.prompt: left out; a negative number is no price",)


def test_an_entry_that_is_given_twice_is_one_model_and_others_of_its_id_are_left_to_the_import() -> None:
    entry = OPENAI["data"][0]
    first, same, other = read({"data": [entry, entry, {**entry, "owned_by": "else"}]})
    assert (first.kind, same.kind, same.notes) == ("model", "note", ("equals data[0]; both are one model",))
    assert other.kind == "model"


def test_no_secret_is_kept_in_any_field() -> None:
    for entry in (OPENROUTER["data"][0], MISTRAL["data"][0], TOGETHER[0], GITHUB[0]):
        for name in entry:
            for planted in (KEY, f"call it with {KEY}", [KEY], {"api_key": "hush-hush"}, {"x": [{"y": KEY}]}):
                items = read({"data": [{**entry, name: planted}]})
                assert not any(word in str(items) for word in (KEY, "hush-hush")), name


OTHERS: dict[str, Any] = {
    "files": {"object": "list", "data": [{"id": "file-1", "object": "file", "purpose": "x"}]},
    "assistants": {"object": "list", "data": [{"id": "asst_1", "object": "assistant", "model": "gpt-4o"}]},
    "embeddings": {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}], "model": "m"},
    "jobs": {"object": "list", "data": [{"id": "ftjob-1", "object": "fine_tuning.job", "model": "gpt-4o"}]},
    "JSON:API": {"data": [{"id": "1", "type": "articles", "attributes": {"title": "x"}}]},
    "nothing": {"data": []},
    "rows": {"data": [[1, 2], [3, 4]]},
    "users": {"data": [{"id": "ann", "name": "Ann"}]},
    "products": [{"id": "p", "name": "P", "pricing": {"eur": 5}}],
    "an object": {"id": "m", "pricing": {}, "architecture": {}},
    "a chat": {"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": []},
}


@pytest.mark.parametrize("name", OTHERS)
def test_lists_of_other_things_are_not_recognised_and_hold_no_models(name: str) -> None:
    with pytest.raises(SourceError, match="not recognised"):
        recognise(source_of(json.dumps(OTHERS[name])))
    items = read(OTHERS[name])
    assert all(item.problem for item in items)
    assert items or name == "nothing"


@pytest.mark.parametrize(
    "content", ["", "5", '"x"', "{", '{"data": [', '{"data": [{}]', '{"data": [] } x', '{"data": [],}']
)
def test_what_cannot_be_read_to_its_end_is_an_error_that_says_where(content: str) -> None:
    with pytest.raises(SourceError, match=r"^after \d+ characters: "):
        read(content)


def test_a_list_that_is_given_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="data is given twice"):
        read('{"data": [], "data": []}')


def test_long_and_deep_files_take_no_long_time() -> None:
    began = time.thread_time()
    many = repetitions(4000, 20_000)
    assert len(read({"data": [{"id": f"m{n}", "object": "model"} for n in range(many)]})) == many
    for entry in (
        '{"a":' * 500 + "0" + "}" * 500,
        '{"id": "m", "object": "model", "x": ' + "[" * 400 + "]" * 400 + "}",
    ):
        [item] = read(f'{{"data": [{entry}]}}')
        assert item.kind == "model"
    with pytest.raises(SourceError, match="nested too deeply"):
        read('{"data": [' + "[" * 100_000)
    assert time.thread_time() - began < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda values: (
        st.lists(values)
        | st.dictionaries(st.sampled_from([*OPENROUTER["data"][0], *GEMINI["models"][0], "data", "models"]), values)
    ),
)


@given(JSON)
def test_nothing_but_an_error_of_the_source_is_raised(value: Any) -> None:
    for content in (value, {"data": [value, {"object": "model", "id": "m", "pricing": value}]}):
        try:
            items = read(content)
        except SourceError:
            continue
        assert all(isinstance(item, Item) for item in items)
