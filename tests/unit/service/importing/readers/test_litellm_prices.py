"""LiteLLM's price map: every entry becomes a base model, and no number changes."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.importing.readers.litellm_prices import read_litellm_prices
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.memory_sources import source_of

SPEC: dict[str, Any] = {
    "litellm_provider": "vertex_ai",
    "mode": "image_generation",
    "max_tokens": 8192,
    "max_input_tokens": 200000,
    "max_output_tokens": 8192.0,
    "input_cost_per_token": 3e-06,
    "output_cost_per_token": 1.5000000000000002e-05,
    "cache_read_input_token_cost_above_200k_tokens": 5e-324,
    "search_context_cost_per_query": {"search_context_size_high": 0.01},
    "tiered_pricing": [{"range": [0, 256000.0], "input_cost_per_token": 4e-07}],
    "off_peak_pricing": {"input_cost_per_token": 1},
    "supports_vision": True,
    "supports_tool_choice": False,
    "supports_levels": ["low"],
    "supported_regions": ["global"],
    "supported_endpoints": ["/v1/chat/completions"],
    "deprecation_date": "2026-09-30",
    "source": "https://prices.example/?id=1",
}


def read(content: str | bytes) -> list[Item]:
    return list(read_litellm_prices(source_of(content)))


def test_an_entry_becomes_a_base_model_with_each_thing_in_its_place() -> None:
    (item,) = read(json.dumps({"sample_spec": SPEC, "vertex_ai/imagen:4@latest": SPEC}))
    assert item == Item(
        "model",
        "entry 2",
        {
            "id": "vertex_ai/imagen:4@latest",
            "base_model_id": None,
            "name": "vertex_ai/imagen:4@latest",
            "meta": {
                "description": "Offered by vertex_ai for image generation.",
                "provider": "vertex_ai",
                "mode": "image_generation",
                "limits": {"max_tokens": 8192, "max_input_tokens": 200000, "max_output_tokens": 8192.0},
                "prices": {
                    "input_cost_per_token": 3e-06,
                    "output_cost_per_token": 1.5000000000000002e-05,
                    "cache_read_input_token_cost_above_200k_tokens": 5e-324,
                    "search_context_cost_per_query": {"search_context_size_high": 0.01},
                    "tiered_pricing": [{"range": [0, 256000.0], "input_cost_per_token": 4e-07}],
                    "off_peak_pricing": {"input_cost_per_token": 1},
                },
                "capabilities": {"vision": True, "tool_choice": False},
                "supports_levels": ["low"],
                "supported_regions": ["global"],
                "supported_endpoints": ["/v1/chat/completions"],
                "deprecation_date": "2026-09-30",
                "source": "https://prices.example/?id=1",
            },
        },
    )
    assert ImportedModel.model_validate(item.value).meta == item.value["meta"]


def test_a_whole_number_stays_whole_and_another_stays_what_it_is() -> None:
    (item,) = read('{"m": {"input_cost_per_token": 0, "output_cost_per_token": 0.0, "max_tokens": 4096}}')
    assert repr(item.value["meta"]["prices"]) == "{'input_cost_per_token': 0, 'output_cost_per_token': 0.0}"
    assert repr(item.value["meta"]["limits"]) == "{'max_tokens': 4096}"


@pytest.mark.parametrize(
    ("spec", "description"),
    [
        ({"litellm_provider": "bedrock", "mode": "chat"}, "Offered by bedrock for chat."),
        ({"litellm_provider": "bedrock"}, "Offered by bedrock."),
        ({"mode": "chat"}, "For chat."),
        ({"mode": 5}, None),
        ({"mode": "chat", "description": "Its own."}, "Its own."),
    ],
)
def test_the_description_says_what_is_known(spec: dict[str, Any], description: str | None) -> None:
    (item,) = read(json.dumps({"m": spec}))
    assert item.value["meta"].get("description") == description


def test_a_field_with_the_name_of_a_group_is_not_lost() -> None:
    spec = {"prices": "see the site", "input_cost_per_token": 1, "provider": "p", "litellm_provider": "q"}
    (item,) = read(json.dumps({"m": spec}))
    assert item.value["meta"] == {"description": "Offered by q.", **spec}


def test_what_is_no_model_and_what_stands_twice_is_reported_and_the_rest_is_read() -> None:
    specs = ("{}", "null", "[1]", '"text"', "5", "{}", "{}")
    members = (f'"{key}": {spec}' for key, spec in zip("abcdeaf", specs, strict=True))
    items = read(f"{{{', '.join(members)}}}")
    assert [(item.position, item.value["id"], item.problem) for item in items] == [
        ("entry 1", "a", None),
        ("entry 2", "b", "must be a JSON object"),
        ("entry 3", "c", "must be a JSON object"),
        ("entry 4", "d", "must be a JSON object"),
        ("entry 5", "e", "must be a JSON object"),
        ("entry 6", "a", "the name is given twice; only entry 1 is imported"),
        ("entry 7", "f", None),
    ]


def test_keys_that_can_be_no_id_are_left_to_the_checks_of_an_import() -> None:
    *bad, good = read(json.dumps({"a b": {}, "x" * 257: {}, "\ud800": {}, "ok/a:b@1": {}}))
    for item in bad:
        with pytest.raises(ValidationError):
            ImportedModel.model_validate(item.value)
    assert ImportedModel.model_validate(good.value).id == "ok/a:b@1"


def test_a_packed_file_and_one_of_nothing_are_read() -> None:
    assert len(read(gzip.compress(b'{"a": {}, "b": {}}'))) == 2
    assert read(" {} \n") == read('{"sample_spec": {}}') == []


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "[]",
            "5",
            "{",
            '{"a"',
            '{"a": {}',
            '{"a": {}}, "b"',
            '{"a": {}} {}',
            '{"a": {},}',
            "{1: {}}",
            '{"a": oops}',
        ),
        *('{"a": ' + "[" * 100_000, '{"a": ' + '{"a":' * 100_000, '{"a": "' + "x" * 1000, "\x00", "\ud800"),
    ],
)
def test_what_cannot_be_read_to_its_end_is_an_error_that_says_where(content: str) -> None:
    with pytest.raises(SourceError, match=r"^after \d+ characters: "):
        read(content)


@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from([b"", b"\x1f\x8b", b'{"a": {', b'{"a": "']))
def test_nothing_else_is_ever_raised(noise: bytes, at: int, start: bytes) -> None:
    valid = json.dumps({"m": SPEC}).encode()
    for content in (start + noise, valid[:at] + noise + valid[at + len(noise) :]):
        try:
            items = read(content)
        except SourceError:
            continue
        assert all(item.kind == "model" for item in items)
