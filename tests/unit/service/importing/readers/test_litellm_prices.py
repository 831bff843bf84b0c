"""LiteLLM's price map: every entry becomes a base model, and no number changes."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.importing.readers.litellm_meta import typed_value
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
    note, item = read(json.dumps({"sample_spec": SPEC, "vertex_ai/imagen:4@latest": SPEC}))
    assert note.kind == "note"
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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("input_cost_per_token", "3e-06", 3e-06),
        ("input_cost_per_token", " .5 ", 0.5),
        ("max_tokens", "4096", 4096),
        ("max_tokens", "4096.0", 4096.0),
        ("max_output_tokens", "as many as the provider allows", "as many as the provider allows"),
        ("max_tokens", "9" * 19, float("9" * 19)),
        ("input_cost_per_token", "1e999", "1e999"),
        ("input_cost_per_token", "nan", "nan"),
        ("input_cost_per_token", "true", "true"),
        ("rpm", "500", 500),
        ("supports_vision", "true", True),
        ("supports_vision", "False", False),
        ("supports_vision", "1", "1"),
        ("supports_vision", "some", "some"),
        ("version", "1.0", "1.0"),
        ("mode", "true", "true"),
        ("deprecation_date", "2026", "2026"),
        ("tiered_pricing", [{"range": ["0"], "max_tokens": "4"}], [{"range": ["0"], "max_tokens": 4}]),
        ("search_context_cost_per_query", {"low": "0.01", "unit": "call"}, {"low": 0.01, "unit": "call"}),
        ("metadata", {"input_cost_per_token": "1"}, {"input_cost_per_token": "1"}),
    ],
)
def test_numbers_and_flags_in_quotes_are_read_where_the_name_says_so(name: str, text: Any, value: Any) -> None:
    assert repr(typed_value(name, text)) == repr(value)


def test_a_model_has_its_numbers_and_flags_in_their_places() -> None:
    (item,) = read('{"m": {"max_tokens": "4096", "supports_vision": "true", "version": "1.0", "mode": "chat"}}')
    meta = item.value["meta"]
    assert (meta["limits"], meta["capabilities"], meta["version"]) == ({"max_tokens": 4096}, {"vision": True}, "1.0")


def test_prices_nested_to_any_depth_are_read() -> None:
    value: Any = "1"
    for _ in range(5_000):
        value = [value]
    assert typed_value("input_cost_per_token", value) == value


def test_the_last_of_equal_names_counts_and_what_describes_no_model_is_only_noted() -> None:
    priced = '{"mode": "chat", "max_tokens": %d}'
    members = [("a", priced % 1), ("b", "null"), ("c", "[1]"), ("d", '"text"'), ("e", '{"rules": []}'), ("f", "{}")]
    members += [("a", priced % 2), ("sample_spec", priced % 3), ("b", priced % 4), ("g", "5"), ("a", priced % 5)]
    members += [("h", '{"litellm_provider": "x"}'), ("i", '{"output_cost_per_image": 1}')]
    written = ", ".join(f'"{name}": {spec}' for name, spec in members)
    items = read(f"{{{written}}}")
    assert all(item.problem is None for item in items)
    assert [(item.position, item.value["id"]) for item in items if item.kind == "model"] == [
        ("entry 9", "b"),
        ("entry 11", "a"),
        ("entry 12", "h"),
        ("entry 13", "i"),
    ]
    assert [(item.position, item.value, *item.notes) for item in items if item.kind == "note"] == [
        ("entry 1", {"id": "a"}, "left out, since the name is given again in entry 11, which counts"),
        ("entry 2", {"id": "b"}, "left out, since the name is given again in entry 9, which counts"),
        ("entry 3", {"id": "c"}, "left out, since it is no JSON object and so describes no model"),
        ("entry 4", {"id": "d"}, "left out, since it is no JSON object and so describes no model"),
        ("entry 5", {"id": "e"}, "left out, since it describes no model"),
        ("entry 6", {"id": "f"}, "left out, since it describes no model"),
        ("entry 7", {"id": "a"}, "left out, since the name is given again in entry 11, which counts"),
        ("entry 8", {"id": "sample_spec"}, "left out, since it describes no model"),
        ("entry 10", {"id": "g"}, "left out, since it is no JSON object and so describes no model"),
    ]


@pytest.mark.parametrize("content", ['{"models": []}', '{"a": {"price": 5}}', '{"sample_spec": {"mode": "chat"}}'])
def test_a_file_without_any_model_is_no_price_map(content: str) -> None:
    with pytest.raises(SourceError, match="no part of the file describes a model"):
        read(content)


def test_no_secret_in_a_name_is_noted() -> None:
    note, _ = read('{"sk-1234abcd": 5, "m": {"mode": "chat"}}')
    assert "1234" not in repr(note)


def test_keys_that_can_be_no_id_are_left_to_the_checks_of_an_import() -> None:
    *bad, good = read(json.dumps({name: {"mode": "chat"} for name in ("a b", "x" * 257, "\ud800", "ok/a:b@1")}))
    for item in bad:
        with pytest.raises(ValidationError):
            ImportedModel.model_validate(item.value)
    assert ImportedModel.model_validate(good.value).id == "ok/a:b@1"


def test_a_packed_file_and_one_of_nothing_are_read() -> None:
    assert len(read(gzip.compress(b'{"a": {"mode": "chat"}, "b": {"mode": "chat"}}'))) == 2
    assert read(" {} \n") == []


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
        assert all(item.kind in ("model", "note") for item in items)
