"""LiteLLM's proxy configuration: its models come over, its secrets do not, not even in what is said of them."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.migration.litellm import read_litellm
from service.migration.records import ModelInput
from service.migration.source import Item, SourceError
from service.migration.yaml_file import MAX_CHARACTERS
from tests.sources import source_of

CONFIGURATION = """\
model_list:
  - model_name: Fast chat
    litellm_params: &fast
      model: azure/gpt-4o-eu
      api_base: https://gateway.example/
      api_key: os.environ/AZURE_KEY
      api_version: 2025-04-01
      rpm: 480
      temperature: 0.2
    model_info:
      id: azure-gpt4o
      mode: chat
      base_model: azure/gpt-4o
      team_id: 6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a
      access_groups: [legal, research, legal]
      max_input_tokens: 128000
      input_cost_per_token: 0.0000025
      supports_vision: true
      supports_reasoning: false
  - model_name: Fast chat
    litellm_params:
      <<: *fast
      model: openai/gpt-4o
"""
A_MODEL = {"model_name": "chat", "litellm_params": {"model": "openai/gpt-4o", "rpm": 5}}


def read(content: Any) -> list[Item]:
    written = content if isinstance(content, str | bytes) else json.dumps({"model_list": content})
    return list(read_litellm(source_of(written)))


def only(content: Any) -> Item:
    (item,) = read(content)
    return item


def with_params(**params: Any) -> dict[str, Any]:
    return {**A_MODEL, "litellm_params": {"model": "openai/gpt-4o", **params}}


def with_info(**info: Any) -> dict[str, Any]:
    return {**A_MODEL, "model_info": info}


def derived_id(entry: dict[str, Any]) -> str:
    item = only([entry])
    assert item.problem is None
    return str(item.value["id"])


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
        assert ModelInput.model_validate(item.value).params == item.value["params"]


@pytest.mark.parametrize(
    ("written", "price"), [("3e-06", 3e-06), ("1.5E6", 1.5e6), ("2.e+3", 2e3), ("free", "free"), ("e5", "e5")]
)
def test_a_price_is_a_number_also_where_yaml_takes_it_for_text(written: str, price: float | str) -> None:
    info = f"{{input_cost_per_token: {written}, revision: 3e-06}}"
    item = only(f"model_list:\n- {{model_name: m, litellm_params: {{model: m}}, model_info: {info}}}\n")
    assert item.value["meta"] == {"prices": {"input_cost_per_token": price}, "revision": "3e-06"}


def test_every_other_section_is_told_once_without_what_it_holds() -> None:
    content = f"general_settings: {{master_key: x}}\nrouter_settings:\n{CONFIGURATION}environment_variables: {{A: b}}\n"
    first, second = read(content)
    assert first.notes == tuple(
        f"{name}: left out; only model_list is read"
        for name in ("general_settings", "router_settings", "environment_variables")
    )
    assert second.notes == ()


def test_what_is_not_known_of_an_entry_is_told() -> None:
    assert only([{**A_MODEL, "weight": 3}]).notes == ("weight: left out; not known",)


@pytest.mark.parametrize("content", ["model_list:\n", "model_list: []\nlitellm_settings: {}\n"])
def test_a_list_of_nothing_has_no_models(content: str) -> None:
    assert read(content) == []


def test_a_packed_file_is_read() -> None:
    assert read(gzip.compress(CONFIGURATION.encode())) == read(CONFIGURATION)


# --- Ids


def test_a_derived_id_holds_the_name_and_stays_the_same_from_release_to_release() -> None:
    assert derived_id(A_MODEL) == "chat-6a53e200a33b"
    assert derived_id({**A_MODEL, "model_name": " GPT 4.1 / Übersetzer! "}).startswith("gpt-4.1-übersetzer-")
    assert derived_id({**A_MODEL, "model_name": "…"}).startswith("model-")
    assert ModelInput.model_validate(only([{**A_MODEL, "model_name": "é" * 500}]).value)


def test_a_new_secret_or_another_order_does_not_change_the_id() -> None:
    entry = with_params(rpm=5, api_key="first-secret", extra_headers={"Authorization": "Bearer one-and-only"})
    again = with_params(extra_headers={"Authorization": "Bearer another-one"}, api_key="the-second", rpm=5)
    keyless = with_params(rpm=5, extra_headers={}, api_key=None)
    assert derived_id(entry) == derived_id(dict(reversed(again.items()))) == derived_id(keyless)


def test_the_order_of_the_entries_does_not_change_the_ids() -> None:
    entries = [with_params(rpm=number) for number in range(5)]
    ids = [item.value["id"] for item in read(entries)]
    assert len(set(ids)) == 5
    assert [item.value["id"] for item in read(entries[::-1])] == ids[::-1]


def test_another_setting_or_reference_makes_another_id() -> None:
    entries = [
        with_params(),
        with_params(rpm=5),
        with_params(api_key="os.environ/A"),
        with_params(api_key="os.environ/B"),
    ]
    assert len({derived_id(entry) for entry in entries}) == 4


def test_an_entry_that_stands_twice_counts_once() -> None:
    entries = [A_MODEL, with_params(rpm=5, api_key="a-secret"), with_info(id="x"), with_info(id="y")]
    items = read(entries)
    assert [item.problem for item in items] == [
        None,
        "the same, apart from secrets, as model_list[0] (line 1), which counts",
        None,
        None,
    ]


@pytest.mark.parametrize(("given_id", "expected"), [("a/b:c", "a/b:c"), (17, "17"), ("0" * 64, "0" * 64)])
def test_a_given_id_is_kept(given_id: Any, expected: str) -> None:
    assert derived_id(with_info(id=given_id)) == expected


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
        ({**A_MODEL, "model_info": []}, "model_info: must be a mapping"),
        (with_info(id=True), "model_info.id: must be text"),
        (with_info(id=["x"]), "model_info.id: must be text"),
        (with_info(access_groups="legal"), "model_info.access_groups: must be a list of text"),
        (with_info(access_groups=["legal", 5]), "model_info.access_groups: must be a list of text"),
        (with_params(n=2**64), "litellm_params.n: is an integer beyond 64 bits"),
    ],
)
def test_what_is_no_model_is_reported_and_the_rest_is_read(entry: Any, problem: str) -> None:
    bad, good = read([entry, with_info(id="good")])
    assert (bad.position, bad.problem) == ("model_list[0] (line 1)", problem)
    assert good.problem is None


def test_a_route_is_reported_by_its_name() -> None:
    assert only([{**A_MODEL, "model_name": "openai/*"}]).value == {"id": "openai/*"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("rpm: 5, rpm: 6", "line 2, column 61: the key stands twice"),
        ("deep: [{a: 1, b: 2, a: 3}]", "line 2, column 73: the key stands twice"),
        ("rpm: !!python/object/apply:os.system [id]", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !own 5", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !!binary aGk=", "line 2, column 58: a tag, or a value that is not JSON"),
        ("rpm: !!int five", "line 2, column 58: not a value of its type"),
        ('rpm: !!int ""', "line 2, column 58: not a value of its type"),
        ("rpm: !!bool maybe", "line 2, column 58: not a value of its type"),
        (f"rpm: {'9' * 5000}", "line 2, column 58: a number of too many digits"),
        (f"rpm: 1{':59' * 5000}", "line 2, column 58: a number of too many digits"),
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


# --- Secrets

CHANCE = "q7Zp2LmX9vTb4RkW8sNf3HjD6yGc1Ae5"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEdotted\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"

# Where a secret stands in litellm_params, the path that is told of it, and the secret.
PLANTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "api_key": ({"api_key": "plain-word"}, "api_key", "plain-word"),
    "number": ({"api_key": 9081726354}, "api_key", "9081726354"),
    "other api key": ({"azure_api_key": "plain-word"}, "azure_api_key", "plain-word"),
    "camel case": ({"apiKey": "plain-word"}, "apiKey", "plain-word"),
    "aws": ({"aws_secret_access_key": "plain-word"}, "aws_secret_access_key", "plain-word"),
    "aws id": ({"aws_access_key_id": "plain-word"}, "aws_access_key_id", "plain-word"),
    "client_secret": ({"client_secret": "plain-word"}, "client_secret", "plain-word"),
    "token": ({"azure_ad_token": "plain-word"}, "azure_ad_token", "plain-word"),
    "number of a token": ({"bot_token": 90817263541}, "bot_token", "90817263541"),
    "password": ({"password": "plain-word"}, "password", "plain-word"),
    "credentials": ({"vertex_credentials": {"type": "x", "k": ["plain-word"]}}, "vertex_credentials", "plain-word"),
    "credentials as text": ({"vertex_credentials": '{"a": "plain-word"}'}, "vertex_credentials", "plain-word"),
    "several": ({"api_keys": ["os.environ/A", "plain-word"]}, "api_keys", "plain-word"),
    "header": ({"extra_headers": {"Authorization": "plain-word"}}, "extra_headers.Authorization", "plain-word"),
    "other header": ({"extra_headers": {"X-Gateway-Auth": "plain-word"}}, "extra_headers.X-Gateway-Auth", "plain-word"),
    "header as a pair": ({"headers": [["X-Api-Key", "plain-word"]]}, "headers[0][1]", "plain-word"),
    "named value": ({"hooks": [{"name": "Api-Key", "value": "plain-word"}]}, "hooks[0].value", "plain-word"),
    "depth": ({"a": [[{"b": {"client_secret": "plain-word"}}]]}, "a[0][0].b.client_secret", "plain-word"),
    "sk-": ({"stop": ["x", "sk-1234abcd"]}, "stop[1]", "sk-1234abcd"),
    "AKIA": ({"comment": "see AKIAIOSFODNN7EXAMPLE"}, "comment", "AKIAIOSFODNN7EXAMPLE"),
    "AIza": ({"comment": "AIzaSyA-1234567890_abcdefghijklmnop"}, "comment", "AIzaSyA-1234567890"),
    "ghp_": ({"comment": "ghp_abcdefghijklmnopqrst"}, "comment", "ghp_abcdefghij"),
    "xox": ({"comment": "xoxb-1234567890-abc"}, "comment", "xoxb-1234567890"),
    "Bearer": ({"comment": "Bearer abcdefghijk"}, "comment", "abcdefghijk"),
    "Basic": ({"comment": "Basic YW5uOnNlY3JldA=="}, "comment", "YW5uOnNlY3JldA=="),
    "JWT": ({"comment": f"({JWT})"}, "comment", JWT),
    "PEM": ({"comment": PEM}, "comment", "MIIEdotted"),
    "URL with a password": ({"api_base": "https://ann:pa/ss@host.example/"}, "api_base", "pa/ss"),
    "URL with a token": ({"api_base": "https://abcdef@host.example/"}, "api_base", "abcdef@"),
    "URL with a key": ({"api_base": "https://host.example/?a=b&api-key=plain-word"}, "api_base", "plain-word"),
    "connection string": ({"store": "Endpoint=x;AccountKey=plain-word"}, "store", "plain-word"),
    "chance": ({"comment": CHANCE}, "comment", CHANCE),
    "chance as base64": ({"comment": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, "comment", "bPxRfiCYEXAMPLEKEY"),
    "too long to tell": ({"comment": "plain-word " * 50_000}, "comment", "plain-word"),
    "name": ({"map": {"sk-1234abcd": 1}}, "map.…", "sk-1234abcd"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_is_left_out_and_only_its_path_is_told(kind: str) -> None:
    params, path, secret = PLANTED[kind]
    item = only([with_params(rpm=5, **params)])
    assert secret not in repr(item)
    assert item.notes == (f"litellm_params.{path}: left out, since it is or may be a secret",)
    assert (item.problem, item.value["params"]["rpm"]) == (None, 5)


def test_no_secret_of_a_file_appears_in_anything_that_is_said() -> None:
    secrets = {number: secret for number, (_, _, secret) in enumerate(PLANTED.values())}
    entries = [with_params(n=number, **params) for number, (params, _, _) in enumerate(PLANTED.values())]
    broken = [
        {**A_MODEL, "model_name": "sk-1234abcd"},
        {**A_MODEL, "api_key": "plain-word"},
        {**A_MODEL, "sk-1234abcd": {"n": 2**70}},
        with_params(comment=JWT, n=2**70),
        with_params(model=f"https://ann:pa/ss@host/{CHANCE}"),
        with_info(id="sk-1234abcd", client_secret=CHANCE, access_groups=["sk-1234abcd"]),
    ]
    content = {
        "environment_variables": {"OPENAI_API_KEY": "plain-word"},
        "sk-1234abcd": CHANCE,
        "model_list": entries + broken,
    }
    said = repr(read(json.dumps(content)))
    assert [secret for secret in secrets.values() if secret in said] == []


@pytest.mark.parametrize(
    "content",
    [
        "model_list:\n- api_key: 'sk-1234abcd\n",
        "model_list:\n- api_key: @sk-1234abcd\n",
        'model_list:\n- api_key: "sk-1234abcd\\q"\n',
        "model_list:\n- api_key: sk-1234abcd: x\n",
        "model_list:\n- api_key: *sk-1234abcd\n",
        "model_list:\n- api_key: !sk-1234abcd%zz x\n",
        "%sk-1234abcd\n---\na",
        "sk-1234abcd: 1\nsk-1234abcd: 2\n",
        "model_list: sk-1234abcd\n",
        "sk-1234abcd",
        "model_list:\n- sk-1234abcd\x01\n",
        b"model_list:\n- sk-1234abcd\xff\n",
        "model_list:\n- a: &sk-1234abcd 1\n- a: &sk-1234abcd 2\n- a: [",
    ],
)
def test_no_error_quotes_the_file(content: str | bytes) -> None:
    with pytest.raises(SourceError) as raised:
        read(content)
    assert "1234" not in raised.value.detail
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_references_are_kept_also_under_the_names_of_secrets() -> None:
    params = {
        "api_key": "os.environ/KEY",
        "aws_region_name": "os.environ/AWS_REGION",
        "client_secret": "os.environ/a_1",
        "api_keys": ["os.environ/A", "os.environ/B"],
        "extra_headers": {"Authorization": "Bearer os.environ/TOKEN", "X-Auth": "os.environ/X"},
    }
    item = only([with_params(**params)])
    assert (item.value["params"], item.notes) == (params, ())


@pytest.mark.parametrize("value", ["os.environ/", "os.environ/A B", "os.environ/KEY plain-word", "xos.environ/KEY"])
def test_what_only_looks_like_a_reference_is_not_kept(value: str) -> None:
    assert only([with_params(api_key=value)]).value["params"] == {}


def test_what_is_no_secret_is_kept() -> None:
    params = {
        "max_tokens": 8192,
        "max_completion_tokens": 10**12,
        "max_token": 5,
        "tokenizer": "Xenova/claude-tokenizer",
        "rpm": 480,
        "tpm": 10**7,
        "input_cost_per_token": 0.003,
        "output_cost_per_audio_token": "0.00001",
        "eos_token": "</s>",
        "prompt_cache_key": "team",
        "use_client_secret": True,
        "api_base": "https://host.example:8443/v1/@scope/x?version=2025-04-01-preview",
        "extra_headers": {"anthropic-beta": "prompt-caching-2024-07-31", "X-Team": "legal"},
        "drop_params": None,
        "organization": "org-q7Zp2LmX9vTb4RkW8sNf3HjD",
        "vertex_project": "my-project-123456",
        "system": "Answer basic questions about risk-averse tasks. Keep the key points; never ask for a password.",
        "stop": ["\n\n", "###"],
        "model_id": "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "dataset": "meta-llama-Llama-4-Maverick-17B-128E-Instruct-FP8",
        "trace": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "run": "6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a",
    }
    item = only([with_params(**params)])
    assert (item.value["params"], item.notes) == (params, ())


@pytest.mark.parametrize(
    "model",
    [
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "fireworks_ai/accounts/fireworks/models/qwen2p5-coder-32b-instruct",
        "huggingface/TheBloke/Mistral-7B-Instruct-v0.2-GPTQ",
        "openai/ft:gpt-4o-mini-2024-07-18:acme:support:AbCd3FgH",
        "perplexity/pplx-70b-online",
        "sagemaker/q7Zp2LmX9vTb4RkW8sNf3HjD",
    ],
)
def test_the_id_of_a_base_model_is_never_taken_for_a_secret(model: str) -> None:
    entry = {"model_name": model, "litellm_params": {"model": model}, "model_info": {"base_model": model, "id": model}}
    item = only([entry])
    assert (item.value["base_model_id"], item.value["id"], item.notes) == (model, model, ())


# --- Files that are no configuration

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected a YAML mapping"),
        ("- a", "expected a YAML mapping"),
        ("models: []", "there is no model_list at the top of the file"),
        ("model_list: {a: b}", "line 1, column 13: model_list must be a list"),
        ("model_list: []\nmodel_list: []", "line 2, column 1: the section stands twice"),
        ("? [a]\n: 1", "line 1, column 3: the name of a section must be text"),
        ("model_list: []\n---\nmodel_list: []", "line 2, column 1: a second document in one file"),
        ("model_list:\n  - a: b: c", "line 2, column 9: mapping values are not allowed"),
        ("model_list: *later", "line 1, column 13: an alias of nothing before it"),
        ("model_list: &a [*a]", "line 1, column 17: an alias of nothing before it"),
        (f"{BOMB}model_list: []", "too many values, those that aliases repeat counted"),
        (f"model_list: {'[' * 200}", "line 1, column 112: nested too deeply"),
        (f"model_list: {'{a: ' * 200}", "nested too deeply"),
        (f"model_list: [{'1,' * 500_001}]", "too many values"),
        (" " * (MAX_CHARACTERS + 1), "has more than 16,777,216 characters"),
        ("model_list: []".encode("utf-16"), "can't be read: it is not UTF-8"),
        (gzip.compress(CONFIGURATION.encode())[:-20], "can't be read"),
    ],
)
def test_what_is_no_configuration_is_an_error_that_says_where(content: str | bytes, said: str) -> None:
    with pytest.raises(SourceError) as raised:
        read(content)
    assert said in raised.value.detail


@given(st.text(max_size=40), st.integers(0, len(CONFIGURATION)), st.integers(0, 40))
def test_nothing_else_is_ever_raised(noise: str, at: int, cut: int) -> None:
    for content in (noise, CONFIGURATION[:at] + noise + CONFIGURATION[at + cut :]):
        try:
            items = read(content)
        except SourceError:
            continue
        assert all(item.kind == "model" for item in items)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    with pytest.raises(SourceError):
        read(b"\x00" + noise)
