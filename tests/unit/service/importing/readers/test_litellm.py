"""LiteLLM's proxy configuration: how its models are read."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from service.importing.whole_file import MAX_CHARACTERS
from tests.support.litellm_configurations import A_MODEL, CONFIGURATION, only, read, with_info, with_params


def test_an_entry_becomes_a_model_with_each_thing_in_its_place() -> None:
    first, second = read(CONFIGURATION)
    assert first == Item(
        "model",
        "model_list[0] (line 2)",
        {
            "id": "azure-gpt4o",
            "base_model_id": "azure/gpt-4o-eu",
            "name": "Fast chat",
            "params": {
                "api_base": "https://gateway.example/",
                "api_key": "os.environ/AZURE_KEY",
                "api_version": "2025-04-01",
                "rpm": 480,
                "temperature": 0.2,
            },
            "meta": {
                "mode": "chat",
                "base_model": "azure/gpt-4o",
                "team_id": "6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a",
                "limits": {"max_input_tokens": 128000},
                "prices": {"input_cost_per_token": 0.0000025},
                "capabilities": {"vision": True, "reasoning": False},
            },
            "access_grants": [
                {"principal_type": "group", "principal_id": "legal", "permission": "read"},
                {"principal_type": "group", "principal_id": "research", "permission": "read"},
            ],
        },
    )
    assert (second.position, second.value["base_model_id"]) == ("model_list[1] (line 20)", "openai/gpt-4o")
    assert second.value["params"] == first.value["params"]
    for item in (first, second):
        assert ImportedModel.model_validate(item.value).params == item.value["params"]


@pytest.mark.parametrize(
    ("written", "price"), [("3e-06", 3e-06), ("1.5E6", 1.5e6), ("2.e+3", 2e3), ("free", "free"), ("e5", "e5")]
)
def test_a_price_is_a_number_also_where_yaml_takes_it_for_text(written: str, price: float | str) -> None:
    info = f"{{input_cost_per_token: {written}, revision: 3e-06}}"
    item = only(f"model_list:\n- {{model_name: m, litellm_params: {{model: m}}, model_info: {info}}}\n")
    assert item.value["meta"] == {"prices": {"input_cost_per_token": price}, "revision": "3e-06"}


def test_every_other_section_is_noted_once_without_its_content() -> None:
    content = f"general_settings: {{master_key: x}}\nrouter_settings:\n{CONFIGURATION}environment_variables: {{A: b}}\n"
    first, second = read(content)
    assert first.notes == tuple(
        f"{name}: left out; only model_list is read"
        for name in ("general_settings", "router_settings", "environment_variables")
    )
    assert second.notes == ()


def test_unknown_fields_of_an_entry_are_noted() -> None:
    assert only([{**A_MODEL, "weight": 3}]).notes == ("weight: left out; unknown",)


@pytest.mark.parametrize("content", ["model_list:\n", "model_list: []\nlitellm_settings: {}\n"])
def test_a_list_of_nothing_is_remarked_on(content: str) -> None:
    item = only(content)
    assert (item.kind, item.notes[-1]) == ("note", "model_list: there are no models in it")


def test_a_packed_file_is_read() -> None:
    assert read(gzip.compress(CONFIGURATION.encode())) == read(CONFIGURATION)


# --- What is no model


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (None, "must be a mapping"),
        ("text", "must be a mapping"),
        ({}, "model_name: must be text"),
        ({**A_MODEL, "model_name": 5}, "model_name: must be text"),
        ({"model_name": "m"}, "litellm_params: must be a mapping with a model"),
        ({"model_name": "m", "litellm_params": []}, "litellm_params: must be a mapping with a model"),
        ({"model_name": "m", "litellm_params": {"model": 1}}, "litellm_params: must be a mapping with a model"),
        ({**A_MODEL, "model_name": "openai/*"}, "is a route to any number of models, not one model"),
        ({**A_MODEL, "model_name": "*"}, "is a route to any number of models, not one model"),
        ({**A_MODEL, "litellm_params": {"model": "groq/*"}}, "is a route to any number of models, not one model"),
        (with_info(id=True), "model_info.id: must be text"),
        (with_info(id=["x"]), "model_info.id: must be text"),
        (with_params(n=2**64), "litellm_params.n: is an integer beyond 64 bits"),
    ],
)
def test_what_is_no_model_is_reported_and_the_rest_is_read(entry: Any, problem: str) -> None:
    bad, good = read([entry, with_info(id="good")])
    assert (bad.position, bad.problem) == ("model_list[0]", problem)
    assert good.problem is None


@pytest.mark.parametrize(
    ("info", "kept_out", "meta", "groups"),
    [
        ([], ["model_info: must be a mapping"], {}, []),
        ("x", ["model_info: must be a mapping"], {}, []),
        (
            {"access_groups": "legal"},
            ["model_info.access_groups: must be a list of text, so nobody gets access"],
            {},
            [],
        ),
        (
            {"access_groups": ["legal", 5, None, " ", "*"], "mode": "chat"},
            [
                "model_info.access_groups.1: must be text, so nobody gets access",
                "model_info.access_groups.2: must be text, so nobody gets access",
                "model_info.access_groups.3: must be text, so nobody gets access",
                "model_info.access_groups.4: * names no group, so nobody gets access",
            ],
            {"mode": "chat"},
            ["legal"],
        ),
        ({"tags": "a"}, ["model_info.tags: tags must be a list of text or of {name: text}"], {}, []),
        ({"tags": ["a", 5], "x": 1}, ["model_info.tags: tags must be a list of text or of {name: text}"], {"x": 1}, []),
        ({"tags": ["a"], "description": 7, "capabilities": ["vision"]}, [], None, []),
        ({"capabilities": {"vision": True}, "supports_vision": True, "limits": 5, "max_tokens": 7}, [], None, []),
    ],
)
def test_odd_shapes_of_the_info_are_kept_where_valid_and_named_where_not(
    info: Any, kept_out: list[str], meta: Any, groups: list[str]
) -> None:
    item = only([{**A_MODEL, "model_info": info}])
    assert item.problem is None
    assert list(item.kept_out) == kept_out
    assert item.value["meta"] == (info if meta is None else meta)
    assert [grant["principal_id"] for grant in item.value["access_grants"]] == groups
    assert ImportedModel.model_validate(item.value)


def test_a_group_whose_name_is_no_id_gets_one_made_from_it_and_keeps_its_name() -> None:
    names = ["Beta Models", "beta-models", "beta models", "Größe 2", "a\nb", "n" * 300, "beta-models"]
    item = only([with_info(access_groups=names)])
    ids = [grant["principal_id"] for grant in item.value["access_grants"]]
    assert len(ids) == len(set(ids)) == 6
    assert ids[1] == "beta-models"
    assert ids[0].startswith("beta-models-")
    assert dict(item.group_names) == {
        group_id: name.strip() for group_id, name in zip(ids, names, strict=False) if group_id not in names
    }
    assert ImportedModel.model_validate(item.value)


def test_what_early_versions_had_beside_the_name_goes_to_the_params() -> None:
    item = only([{**A_MODEL, "tpm": 1440, "rpm": 7, "health_check": True}])
    assert item.value["params"] == {"tpm": 1440, "rpm": 5}
    assert item.notes == ("health_check: left out; unknown",)


def test_a_model_of_a_team_has_its_public_name() -> None:
    item = only([{**with_info(team_id="t", team_public_model_name="gpt-4o"), "model_name": "model_name_t_1"}])
    assert item.value["name"] == "gpt-4o"


def test_a_route_is_reported_by_its_name() -> None:
    assert only([{**A_MODEL, "model_name": "openai/*"}]).value == {"id": "openai/*"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("rpm: 5, rpm: 6", "line 2, column 61: the key is given twice"),
        ("deep: [{a: 1, b: 2, a: 3}]", "line 2, column 73: the key is given twice"),
        ("rpm: !!python/object/apply:os.system [id]", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !own 5", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !!binary aGk=", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !!int five", "line 2, column 58: not a value of its type"),
        ('rpm: !!int ""', "line 2, column 58: not a value of its type"),
        ("rpm: !!bool maybe", "line 2, column 58: not a value of its type"),
        (f"rpm: {'9' * 5000}", "line 2, column 58: a number with too many digits"),
        (f"rpm: 1{':59' * 5000}", "line 2, column 58: a number with too many digits"),
        ("rpm: .nan", "litellm_params.rpm: is not a finite number"),
        ("[a]: 5", "line 2, column 53: found unhashable key"),
        ("5: 5", "litellm_params: has a name that is not text"),
        ("on: 5", "litellm_params: has a name that is not text"),
    ],
)
def test_an_entry_that_cannot_be_kept_is_reported_with_its_place(written: str, problem: str) -> None:
    entry = f"model_list:\n- {{model_name: m, litellm_params: {{model: openai/m, {written}}}}}\n"
    bad, good = read(f"{entry}- {json.dumps(A_MODEL)}\n")
    assert (bad.position, bad.problem) == ("model_list[0] (line 2)", problem)
    assert good.problem is None


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "there is no model_list in the file"),
        ("- a", "there is no model_list in the file"),
        ("models: []", "there is no model_list in the file"),
        ("model_list: {a: b}", "line 1: model_list must be a list"),
        ("model_list: text", "line 1: model_list must be a list"),
        ("model_list: []\nmodel_list: []", "line 2, column 1: the section is given twice"),
        ("? [a]\n: 1", "line 1, column 3: the name of a section must be text"),
        ("model_list:\n  - a: b: c", "line 2, column 9: mapping values are not allowed"),
        ("model_list: *later", "line 1, column 13: an alias of nothing before it"),
        ("model_list: &a [*a]", "line 1, column 17: an alias of nothing before it"),
        (f"{BOMB}model_list: []", "too many values, including those that aliases repeat"),
        (f"model_list: {'[' * 200}", "line 1, column 112: nested too deeply"),
        (f"model_list: {'{a: ' * 200}", "nested too deeply"),
        (f"model_list: [{'1,' * 500_001}]", "too many values, including those that aliases repeat; at most 500,000"),
        (" " * (MAX_CHARACTERS + 1), "has more than 16,777,216 characters"),
        ("model_list: []".encode("utf-16"), "can't be read: it is not UTF-8"),
        (gzip.compress(CONFIGURATION.encode())[:-20], "can't be read"),
    ],
)
def test_what_is_no_configuration_is_an_error_that_says_where(content: str | bytes, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        read(content)
    assert message in raised.value.detail


@given(st.text(max_size=40), st.integers(0, len(CONFIGURATION)), st.integers(0, 40))
def test_nothing_else_is_ever_raised(noise: str, at: int, cut: int) -> None:
    for content in (noise, CONFIGURATION[:at] + noise + CONFIGURATION[at + cut :]):
        try:
            items = read(content)
        except SourceError:
            continue
        assert all(item.kind in ("model", "note", "file") for item in items)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    with pytest.raises(SourceError):
        read(b"\x00" + noise)
