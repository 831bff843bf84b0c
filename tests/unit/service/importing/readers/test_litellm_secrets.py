"""The secrets of a proxy configuration appear neither in models nor in notes and errors."""

import json
from typing import Any

import pytest

from service.importing.readers.redact import without_secrets
from service.importing.source import SourceError
from tests.support.litellm_configurations import A_MODEL, only, read, with_info, with_params

CHANCE = "q7Zp2LmX9vTb4RkW8sNf3HjD6yGc1Ae5"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEdotted\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"

# The path of a secret in litellm_params, the path in the note on it, and the secret.
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
    "one of several": ({"api_key_2": "plain-word"}, "api_key_2", "plain-word"),
    "as JSON": ({"azure_credentials_json": "plain-word"}, "azure_credentials_json", "plain-word"),
    "pass": ({"login": {"user": "ann", "pass": "plain-word"}}, "login.pass", "plain-word"),
    "auth": ({"http_auth": ["ann", "plain-word"]}, "http_auth", "plain-word"),
    "account at a port": ({"proxy": "ann:plain-word@proxy:3128"}, "proxy", "plain-word"),
    "account at a host": ({"comment": "by ann:plain-word@proxy.example"}, "comment", "plain-word"),
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
    "without a separator": ({"MASTERKEY_2": "plain-word"}, "MASTERKEY_2", "plain-word"),
    "token of a provider": ({"aws_web_identity_token": "/run/plain-word"}, "aws_web_identity_token", "plain-word"),
    "credentials of a file": ({"vertex_credentials": "/plain-word.json"}, "vertex_credentials", "plain-word"),
    "query": ({"extra_query": {"code": "plain-word", "v": 1}}, "extra_query.code", "plain-word"),
    "query as text": ({"extra_query": "v=1&code=plain-word"}, "extra_query", "plain-word"),
    "URL with a code": ({"api_base": "https://host.example/openai?code=plain-word"}, "api_base", "plain-word"),
    "header as text": ({"headers": ["X-Team: a", "X-Signature: plain-word"]}, "headers[1]", "plain-word"),
    "named variable": ({"vars": [{"name": "DB_PASS", "value": "plain-word"}]}, "vars[0].value", "plain-word"),
    "session": ({"session": {"id": "plain-word"}}, "session", "plain-word"),
    "key by itself": ({"gateway": {"url": "https://x.example", "key": "plain-word"}}, "gateway.key", "plain-word"),
    "part of a key pair": ({"oci_fingerprint": "aa:bb:cc:dd"}, "oci_fingerprint", "aa:bb:cc:dd"),
    "prose": ({"comment": "login ann password=plain-word"}, "comment", "plain-word"),
    "webhook": ({"alert": "https://hooks.slack.com/services/T1/B1/plain-word"}, "alert", "plain-word"),
    "name": ({"map": {"sk-1234abcd": 1}}, "map.…", "sk-1234abcd"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_is_left_out_and_the_note_has_only_its_path(kind: str) -> None:
    params, path, secret = PLANTED[kind]
    item = only([with_params(rpm=5, **params)])
    assert secret not in repr(item)
    assert item.notes == (f"litellm_params.{path}: left out, since it is or may be a secret",)
    assert (item.problem, item.value["params"]["rpm"]) == (None, 5)


def test_no_secret_of_a_file_appears_in_any_message() -> None:
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
    message = repr(read(json.dumps(content)))
    assert [secret for secret in secrets.values() if secret in message] == []


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


def test_a_long_name_is_searched_in_one_go() -> None:
    # A search that begins again at each digit would take years.
    kept = {f"z{'1' * 100_000}z": 1, f"{'per_' * 50_000}tokens": 2, f"{'pad_' * 50_000}token": 3}
    assert without_secrets({**kept, f"api_key_{'1' * 80}": 4}) == (
        kept,
        (f"api_key_{'1' * 80}: left out, since it is or may be a secret",),
    )


def test_of_very_many_secrets_the_first_are_named() -> None:
    notes = only([with_params(**{f"api_key_{at}": "x" for at in range(105)})]).notes
    assert len(notes) == 101
    assert notes[-1] == "5 more parts, each of them: left out, since it is or may be a secret"


def test_references_are_kept_also_under_the_names_of_secrets() -> None:
    params = {
        "api_key": "os.environ/KEY",
        "aws_region_name": "os.environ/AWS_REGION",
        "client_secret": "os.environ/a_1",
        "api_keys": ["os.environ/A", "os.environ/B"],
        "extra_headers": {"Authorization": "Bearer os.environ/TOKEN", "X-Auth": "os.environ/X"},
        "aws_web_identity_token": "oidc/google/https://gateway.example",
        "vertex_credentials": "os.environ/VERTEX",
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
        "azure_username": "ann@host.example",
        "litellm_credential_name": "azure-eu",
        "aws_region_name": "eu-central-1",
        "aws_role_name": "arn:aws:iam::123456789012:role/models",
        "aws_session_name": "gateway",
        "aws_bedrock_runtime_endpoint": "https://bedrock-runtime.eu-central-1.amazonaws.com",
        "oci_tenancy": "ocid1.tenancy.oc1..aaaaaaaaq7zp2lmx9vtb4rkw8snf3hjd6ygc1ae5",
        "bedrock_tags": [{"key": "team", "value": "legal"}],
        "sessions": 5,
        "vertex_project": "my-project-123456",
        "system": "Answer basic questions about risk-averse tasks. Keep the key points; never ask for a password.",
        "stop": ["\n\n", "###"],
        "model_id": "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "dataset": "meta-llama-Llama-4-Maverick-17B-128E-Instruct-FP8",
        "contact": "mailto:ann@host.example, ann@host.example:8080, at 10:30",
        "image": "registry.example/llama3:8b@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "requires_auth": True,
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


@pytest.mark.parametrize(
    ("account", "password"),
    [("azure_username", "azure_password"), ("username", "password"), ("dbUser", "dbPassword"), ("user", "PASSWORD")],
)
def test_an_account_goes_with_the_password_beside_it(account: str, password: str) -> None:
    assert only([with_params(**{account: "bob@example.com", password: "hunter2"})]).value["params"] == {}
    kept = {account: "bob@example.com"}
    assert only([with_params(**kept, other_password="hunter2")]).value["params"] == kept
