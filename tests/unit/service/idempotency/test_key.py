"""The form of an idempotency key."""

import re

import pytest

from service.app import create_app
from service.errors import InvalidInputError
from service.idempotency.key import MAX_KEY_LENGTH, key_hash, sent_key
from service.settings import Settings

KEYS = ["8e03978e-40d5-43e8-bc93-6894a57f9324", "a", "A/b+c=:~!#[]'{}", "k" * MAX_KEY_LENGTH]
NO_KEYS = [
    "",
    " ",
    '""',
    '"a',
    'a"',
    "a b",
    "a,b",
    'a"b',
    "a\\b",
    "ä",
    "a\tb",
    "\x7f",
    '"a";p=1',
    "k" * (MAX_KEY_LENGTH + 1),
]
DOCUMENTED = next(
    parameter["schema"]["pattern"]
    for parameter in create_app(Settings(_env_file=None)).openapi()["paths"]["/api/models/create"]["post"]["parameters"]
    if parameter["name"] == "Idempotency-Key"
)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_the_same_with_and_without_quotes(key: str) -> None:
    assert sent_key([key]) == sent_key([f'"{key}"']) == key
    assert re.search(DOCUMENTED, key)
    assert re.search(DOCUMENTED, f'"{key}"')


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        sent_key([text])
    assert refused.value.errors[0]["loc"] == ["header", "Idempotency-Key"]
    assert not re.search(DOCUMENTED, text)


def test_a_request_has_one_key_or_none() -> None:
    assert sent_key(None) is None
    with pytest.raises(InvalidInputError):
        sent_key(["a", "a"])


def test_keys_of_different_users_are_never_the_same() -> None:
    pairs = [("ann", "k"), ("bob", "k"), ("ann", "K"), ("an", "nk"), ("annk", "")]
    assert len({key_hash(*pair) for pair in pairs}) == len(pairs)
