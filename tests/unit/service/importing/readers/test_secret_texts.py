"""What looks like a secret by itself, whatever its name is, and what only looks random."""

import pytest

from service.importing.readers.secret_texts import is_reference, looks_secret, query_looks_secret
from tests.support.every_case import sample

SECRET = [
    "sk-1234abcd",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
    "-----BEGIN CERTIFICATE-----\nMII\n",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "https://hooks.slack.com/services/T0AAAA/B0AAAA/plainword",
    "https://hooks.slack.com/workflows/T0AAAA/plainword",
    "https://discord.com/api/webhooks/12345/plainword",
    "https://acme.webhook.office.com/webhookb2/plainword",
    "https://api.telegram.org/botplainword/send",
    "https://store.blob.core.windows.net/c?sv=2024-01-01&st=x&sig=plainword",
    "https://x.example.com/openai?code=plainword",
    "https://x.example.com/?v=1&subscription-key=plainword",
    "https://x.example.com/#access_token=plainword",
    "https://bucket.s3.amazonaws.com/o?X-Amz-Signature=plainword",
    "https://ann:plainword@host.example/",
    "ann:plainword@proxy.internal:3128",
    "ann:plainword@localhost",
    "redis://:plainword@cache:6379/0",
    "Server=db;User Id=ann;Password=plainword",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=plainword",
    "Endpoint=sb://x.example/;SharedAccessKeyName=k;SharedAccessKey=plainword",
    "login bob password=plainword",
    "export HF_TOKEN=plainword",
    '{"client_secret": "plainword"}',
    "{'auth_token': 'plainword'}",
    "run it with token=plainword",
    "Authorization: Basic YW5uOnNlY3JldA==",
    "12:f8:7e:78:61:b4:bf:e2:de:24:15:96:4e:d4:72:53",
    "q7Zp2LmX9vTb4RkW8sNf3HjD6yGc1Ae5",
    "oidc/google/https://ann:plainword@host.example",
    "oidc/google/sk-1234abcd",
    "oidc/other/plainword?token=plainword",
]
HARMLESS = [
    "",
    "gpt2",
    "</s>",
    "bob@example.com",
    "arn:aws:iam::123456789012:role/AWSReservedSSO_Admin_1a2b3c4d5e6f7a8b",
    "ocid1.tenancy.oc1..aaaaaaaaq7zp2lmx9vtb4rkw8snf3hjd6ygc1ae5q7zp2lmx9vtb4rkw8snf",
    "https://q7zp2lmx9vtb4rkw8snf3hjd.eu-west-1.aws.endpoints.huggingface.cloud/v1",
    "https://bedrock-runtime.eu-central-1.amazonaws.com",
    "https://host.example:8443/v1/@scope/x?version=2025-04-01-preview",
    "registry.example/llama3:70b@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "llama3:70b@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "meta-llama-Llama-4-Maverick-17B-128E-Instruct-FP8",
    "Answer briefly. The key points first; never ask for a password, a token or a code.",
    "Set temperature=0.7 and max_tokens=4096; use `stop_token=</s>`.",
    "Write mode=strict, user=ann and cache_key=team into the file.",
    'Answer as {"key": "value", "code": "example", "name": "text"}.',
    "00:1A:2B:3C:4D:5E",
    "at 10:30, ann@host.example:8080, mailto:ann@host.example",
    "os.environ/OPENAI_API_KEY",
    "oidc/google/https://gateway.example/v1",
    "oidc/env/AWS_TOKEN",
]


@pytest.mark.parametrize("text", SECRET)
def test_what_looks_like_a_secret(text: str) -> None:
    assert looks_secret(text)
    assert looks_secret(f"see ({text})")


def test_an_account_with_any_password_at_any_host_looks_like_one_where_it_stands_alone() -> None:
    for text in ("ann:plain/word@proxy", "ann:plain:word@proxy", "ann:plain@proxy/path"):
        assert looks_secret(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_does_not(text: str) -> None:
    assert not looks_secret(text)


def test_an_image_is_no_secret_unless_it_only_says_that_it_is_one() -> None:
    chance = "q7Zp2LmX9vTb4RkW8sNf3HjD6yGc1Ae5"
    assert not looks_secret(f"data:image/png;base64,iVBORw0KGgo{chance}=")
    assert looks_secret(f"data:image/png;base64,{chance}")


def test_what_is_a_reference() -> None:
    for text in ("os.environ/A_1", "Bearer os.environ/A", "oidc/github/x", "oidc/circleci", "oidc/file//run/token"):
        assert is_reference(text)
    for text in ("os.environ/A B", "oidc/", "oidc/unknown/x", "oidc/google/a b", "xoidc/google/a"):
        assert not is_reference(text)


def test_a_query_string_by_itself() -> None:
    assert query_looks_secret("v=1&code=plainword")
    assert not query_looks_secret("api-version=2024-10-21&deployment=x")


@pytest.mark.parametrize("before", ["", "x", "risk-averse ", "risk-averse," * 2])
def test_a_secret_anywhere_in_a_long_text_is_found(before: str) -> None:
    filler = "risk-averse tasks, " * 4_000
    assert not looks_secret(filler)
    for at in sample(range(19_900, 21_200, 7), 4, len(before)):
        assert looks_secret(f"{filler[:at]} {before} sk-1234abcd {filler[at:]}")
        assert looks_secret(f"{filler[:at]} {before} Password='plain-word' {filler[at:]}")


PARTS = [
    "a",
    "a:",
    "://",
    "a=",
    "a.",
    "=",
    "&",
    "://a:",
    "ab:",
    "'a':",
    "eyJ",
    "0a:",
    "bearer ",
    "basic a",
    "ocid1.",
    "-",
]


@pytest.mark.parametrize("part", PARTS)
def test_a_long_text_is_searched_in_one_go(part: str) -> None:
    for end in ("", "@", "=", ":"):
        looks_secret((part * 100_000)[:100_000] + end)
