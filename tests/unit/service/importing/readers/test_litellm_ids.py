"""LiteLLM's proxy configuration: the ids that its models get, and which entries are one model."""

import re
from typing import Any

import pytest

from service.importing.records import ImportedModel
from service.importing.source import Item
from tests.support.litellm_configurations import A_MODEL, derived_id, only, read, with_info, with_params


def test_a_derived_id_holds_the_name_and_stays_the_same_from_release_to_release() -> None:
    assert derived_id(A_MODEL) == "chat-8df60660ce"
    assert derived_id({**A_MODEL, "model_name": " GPT 4.1 / Übersetzer! "}).startswith("gpt-4.1-übersetzer-")
    assert derived_id({**A_MODEL, "model_name": "…"}).startswith("model-")
    assert ImportedModel.model_validate(only([{**A_MODEL, "model_name": "é" * 500}]).value)


def test_a_new_secret_or_another_order_does_not_change_the_id() -> None:
    entry = with_params(rpm=5, api_key="first-secret", extra_headers={"Authorization": "Bearer one-and-only"})
    again = with_params(extra_headers={"Authorization": "Bearer another-one"}, api_key="the-second", rpm=5)
    keyless = with_params(rpm=5, extra_headers={}, api_key=None)
    assert derived_id(entry) == derived_id(dict(reversed(again.items()))) == derived_id(keyless)


def test_an_entry_that_is_edited_stays_the_same_model() -> None:
    entry = {**with_params(api_base="https://a.example/v1", temperature=0.2), "model_info": {"access_groups": ["beta"]}}
    params = entry["litellm_params"]
    edited = [
        {**entry, "litellm_params": {**params, "temperature": 0.7, "rpm": 9}},
        {**entry, "litellm_params": {**params, "api_key": "os.environ/B", "organization": "other"}},
        {**entry, "litellm_params": {**params, "api_base": "https://bob:pw@a.example/v1/?code=planted"}},
        {**entry, "litellm_params": {"model": params["model"], "base_url": "https://a.example/v1"}},
        {**entry, "model_info": {"mode": "chat", "supports_vision": True}},
        {**entry, "model_info": None},
        {**entry, "rpm": 5, "unknown": [1]},
    ]
    assert {derived_id(one) for one in edited} == {derived_id(entry)}


def test_another_name_model_or_endpoint_makes_another_model() -> None:
    entry = with_params(api_base="https://a.example/v1")
    others = [
        {**entry, "model_name": "chat 2"},
        with_params(),
        with_params(api_base="https://b.example/v1"),
        with_params(api_base="https://a.example/v2"),
        with_params(api_base="https://a.example:8000/v1"),
        with_params(api_base="http://a.example/v1"),
        with_params(api_base="os.environ/BASE"),
        {**entry, "litellm_params": {**entry["litellm_params"], "model": "azure/gpt-4o"}},
    ]
    assert len({derived_id(one) for one in [entry, *others]}) == len(others) + 1


def test_similar_entries_are_told_to_be_siblings() -> None:
    entries = [with_params(vertex_location=region) for region in ("europe-west1", "us-east1", "us-west2")]
    siblings = [item.sibling for item in read([*entries, {**A_MODEL, "model_name": "other"}])]
    assert [sibling is not None and sibling.equals for sibling in siblings] == [None] * 4
    assert siblings[0] == siblings[1] == siblings[2] != siblings[3]
    assert siblings[0] is not None
    assert len({siblings[0].id_of(number) for number in range(10)}) == 10
    assert siblings[0].id_of(0) == derived_id(entries[0])


def test_entries_that_differ_only_in_secrets_are_told_to_be_equal() -> None:
    entries = [
        A_MODEL,
        with_params(rpm=5, api_key="a-secret"),
        with_params(rpm=6),
        with_info(id="x"),
        with_info(id="x"),
    ]
    items = read(entries)
    assert [item.sibling.equals if item.sibling else "" for item in items] == [None, "model_list[0]", None, "", ""]
    assert items[4] == Item(
        "note", "model_list[4]", {"id": "x"}, notes=("equals model_list[3] apart from secrets; both are one model",)
    )


def test_an_id_that_a_proxy_makes_from_all_settings_is_none() -> None:
    made = with_info(id="9f" * 32, db_model=False, mode="chat")
    assert derived_id(made) == derived_id(A_MODEL)
    for info in ({"id": "9f" * 32}, {"id": "9f" * 32, "db_model": True}, {"id": "mine", "db_model": False}):
        assert derived_id(with_info(**info)) == info["id"]


@pytest.mark.parametrize("field", ["name", "id"])
def test_lone_surrogates_are_refused(field: str) -> None:
    entry = {**A_MODEL, "model_name": "a\ud800"} if field == "name" else with_info(id="a\ud800")
    assert "must not contain lone surrogates" in (only([entry]).problem or "")


def test_the_id_that_an_earlier_version_made_is_recognised() -> None:
    [item] = read([{**A_MODEL, "model_name": "GPT 4.1 (x)"}])
    assert item.former_id is not None
    assert re.fullmatch(item.former_id, "gpt-4.1-x-6a53e200a33b")
    assert not re.fullmatch(item.former_id, item.value["id"])
    assert not re.fullmatch(item.former_id, "gpt-401-x-6a53e200a33b")
    assert only([with_info(id="given")]).former_id is None


@pytest.mark.parametrize(("given_id", "expected"), [("a/b:c", "a/b:c"), (17, "17"), ("0" * 64, "0" * 64)])
def test_a_given_id_is_kept(given_id: Any, expected: str) -> None:
    assert derived_id(with_info(id=given_id)) == expected
