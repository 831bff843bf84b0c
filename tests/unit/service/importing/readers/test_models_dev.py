"""The catalogue of models.dev: every model of every provider as a base model, with prices per token."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.importing.formats import SourceFormat, recognise
from service.importing.readers.models_dev import read_models_dev
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.catalogue_sources import MODELS_DEV
from tests.support.every_case import repetitions
from tests.support.memory_sources import source_of

KEY = "sk-planted0000000000000001"
SPEC: dict[str, Any] = MODELS_DEV["two providers"]["anthropic"]["models"]["claude-sonnet-4"]


def read(content: Any) -> list[Item]:
    return list(read_models_dev(source_of(content if isinstance(content, str) else json.dumps(content))))


def one(**fields: Any) -> Item:
    [item] = read({"p": {"models": {"m": {**SPEC, **fields}}}})
    return item


@pytest.mark.parametrize("name", MODELS_DEV)
def test_every_catalogue_is_recognised_and_read(name: str) -> None:
    assert recognise(source_of(json.dumps(MODELS_DEV[name]))).format is SourceFormat.MODELS_DEV
    for item in read(MODELS_DEV[name]):
        assert item.problem is None
        if item.kind == "model":
            assert ImportedModel.model_validate(item.value).access_grants == []


def test_a_model_has_each_thing_in_its_place() -> None:
    note, first, second, image = read(MODELS_DEV["two providers"])
    assert first.value == {
        "id": "anthropic/claude-sonnet-4",
        "base_model_id": None,
        "name": "Claude Sonnet 4",
        "meta": {
            "family": "claude-sonnet",
            "knowledge": "2025-03-31",
            "release_date": "2025-05-22",
            "last_updated": "2025-05-22",
            "open_weights": False,
            "provider": "anthropic",
            "supported_modalities": ["text", "image", "pdf"],
            "supported_output_modalities": ["text"],
            "limits": {"max_context_length": 200000, "max_output_tokens": 64000},
            "capabilities": {
                "attachment": True,
                "reasoning": True,
                "function_calling": True,
                "temperature": True,
                "vision": True,
                "pdf_input": True,
            },
            "prices": {
                "input_cost_per_token": 3e-06,
                "output_cost_per_token": 1.5e-05,
                "cache_read_input_token_cost": 3e-07,
                "cache_creation_input_token_cost": 3.75e-06,
                "input_cost_per_token_above_200k_tokens": 6e-06,
                "output_cost_per_token_above_200k_tokens": 2.25e-05,
            },
        },
    }
    assert note.notes == (
        "env of the provider: left out",
        "npm of the provider: left out",
        "doc of the provider: left out",
    )
    assert (second.value["id"], second.value["meta"]["status"]) == ("other/anthropic/claude-sonnet-4", "deprecated")
    assert second.notes == ("provider: left out",)
    assert "limits" not in image.value["meta"]


@pytest.mark.parametrize(
    ("million", "token"), [(0.15, 1.5e-07), (0.075, 7.5e-08), (0, 0), ("2.5", 2.5e-06), (1e-300, 1e-306)]
)
def test_a_price_per_million_becomes_the_same_price_per_token(million: Any, token: float) -> None:
    assert one(cost={"input": million}).value["meta"]["prices"] == {"input_cost_per_token": token}


def test_prices_that_are_not_understood_keep_their_unit() -> None:
    item = one(cost={"input": "free", "video": 5, "tiers": [{"input": 1}], "output": -1, "cache_read": None})
    assert item.value["meta"]["prices"] == {
        "input_cost_per_million_tokens": "free",
        "video_cost_per_million_tokens": 5,
        "tiers_cost_per_million_tokens": [{"input": 1}],
    }
    assert item.notes == ("cost.output: left out; a negative number is no price",)
    assert one(cost=[1]).notes == ("cost: left out; must be an object",)


def test_parts_of_a_wrong_shape_do_not_spoil_the_rest() -> None:
    item = one(limit="long", modalities=["text"], reasoning="yes", name=5, tool_call=None, interleaved={"field": "x"})
    assert item.problem is None
    assert (item.value["name"], item.value["meta"]["reasoning"]) == ("m", "yes")
    assert ImportedModel.model_validate(item.value)


def test_what_is_no_model_is_rejected_and_the_rest_is_read() -> None:
    items = read({"a": 5, "b": {}, "c": {"models": []}, "d": {"models": {"x": 5, "y": {"name": "Y"}, "z": SPEC}}})
    assert [(item.kind, item.position, bool(item.problem)) for item in items] == [
        ("unknown", "a", True),
        ("unknown", "b", True),
        ("unknown", "c", True),
        ("model", "d.models[0]", True),
        ("model", "d.models[1]", True),
        ("model", "d.models[2]", False),
    ]


def test_ids_that_can_be_none_are_left_to_the_checks_of_an_import() -> None:
    for name in ("a b", "x" * 257, "\ud800"):
        [item] = read({"p": {"models": {name: SPEC}}})
        with pytest.raises(ValueError, match="id"):
            ImportedModel.model_validate(item.value)


def test_no_secret_is_kept_in_any_field() -> None:
    for name in (*SPEC, "other"):
        for planted in (KEY, f"call it with {KEY}", [KEY], {"api_key": "hush-hush"}):
            assert not any(word in str(one(**{name: planted})) for word in (KEY, "hush-hush")), name
    for catalogue in ({KEY: {"models": {"m": SPEC}}}, {"p": {"api_key": KEY, "models": {KEY: SPEC}}}):
        [item] = read(catalogue)
        assert item.problem
        assert KEY not in str(item)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"a": {"models": {"m": SPEC}}},
        {"a": {"env": [], "models": {}}},
        {"a": {"env": [], "models": {"m": {"fields": []}}}},
        {"gpt-4o": {"mode": "x", "npm": "y"}},
        {"services": {"web": {"env": [], "models": {"a": 5}}}},
        [],
    ],
)
def test_other_files_are_not_of_models_dev(content: Any) -> None:
    try:
        assert recognise(source_of(json.dumps(content))).format is not SourceFormat.MODELS_DEV
    except SourceError as error:
        assert "not recognised" in error.detail


@pytest.mark.parametrize("content", ["", "[]", "5", "{", '{"a": {"models": {}}', '{"a": {}} x', "{1: {}}"])
def test_what_cannot_be_read_to_its_end_is_an_error_that_says_where(content: str) -> None:
    with pytest.raises(SourceError, match=r"^after \d+ characters: "):
        read(content)


def test_a_whole_catalogue_takes_no_long_time() -> None:
    providers = repetitions(20, 100)
    catalogue = {f"p{n}": {"env": [], "models": {f"m{k}": SPEC for k in range(40)}} for n in range(providers)}
    began = time.thread_time()
    assert len(read(catalogue)) == 40 * providers + 1
    assert time.thread_time() - began < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.sampled_from([*SPEC, "models", "input"]), values),
)


@given(JSON)
def test_nothing_but_an_error_of_the_source_is_raised(value: Any) -> None:
    for content in (value, {"p": {"models": value}}, {"p": {"env": [], "models": {"m": value, "n": {"cost": value}}}}):
        try:
            read(content)
        except SourceError:
            continue
