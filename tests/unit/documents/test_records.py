"""Which values a stored record may contain."""

import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from documents.freeform import MAX_DEPTH, free_form_problem
from documents.grant import AccessGrant, grant_id
from documents.model import Meta, unique_grants
from documents.text import Identifier, PrincipalId

IDENTIFIER = TypeAdapter[str](Identifier)
PRINCIPAL = TypeAdapter[str](PrincipalId)
META = TypeAdapter[dict[str, Any]](Meta)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("text", ["a", "openai/gpt-4o:eu", "ü/☃", "a" * 256, "$owner", "..", "-"])
def test_identifiers(text: str) -> None:
    assert IDENTIFIER.validate_python(text) == text


@pytest.mark.parametrize("text", ["", " ", "a b", "a\n", "a\u00a0b", "a\0", "\x7f", "\ud800", "a" * 257, "a\u2028"])
def test_what_is_no_identifier(text: str) -> None:
    with pytest.raises(ValidationError):
        IDENTIFIER.validate_python(text)


def test_nobody_can_be_everyone() -> None:
    with pytest.raises(ValidationError):
        PRINCIPAL.validate_python("*")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_json_that_can_be_kept_is_accepted(value: Any) -> None:
    assert free_form_problem(value) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [math.nan]}, "a.0: is not a finite number"),
        ({"a": math.inf}, "a: is not a finite number"),
        ({"a": {"b": 2**63}}, "a.b: is an integer beyond 64 bits"),
        ({"a": -(2**63) - 1}, "a: is an integer beyond 64 bits"),
        ({"a": "\udfff"}, "a: must not contain lone surrogates"),
        ({"a": {"x\0": 1}}, "a: has a name that must not contain the NUL character"),
        ({"\ud800": 1}, "has a name that must not contain lone surrogates"),
        (_nested(MAX_DEPTH + 1), f"is nested more than {MAX_DEPTH} levels deep"),
        ({"a": {1, 2}}, "a: is not JSON (set)"),
    ],
)
def test_json_that_can_not_be_kept_is_named(value: Any, problem: str) -> None:
    assert (free_form_problem(value) or "").startswith(problem)


def test_nesting_up_to_the_limit_is_accepted() -> None:
    assert free_form_problem(_nested(MAX_DEPTH)) is None


def test_looking_through_much_takes_no_memory() -> None:
    much = {"a": [0] * 50_000}
    tracemalloc.start()
    try:
        assert free_form_problem(much) is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_tags_are_trimmed_and_written_as_objects() -> None:
    assert META.validate_python({"tags": [" a ", {"name": "b", "x": 1}], "z": 1}) == {
        "tags": [{"name": "a"}, {"name": "b", "x": 1}],
        "z": 1,
    }
    for tags in ("a", [1], [" "], [{"title": "x"}], {"name": "x"}, ["x" * 513]):
        with pytest.raises(ValidationError):
            META.validate_python({"tags": tags})


def test_the_same_grant_gets_the_same_id_and_counts_once() -> None:
    named = ("m", "user", "u", "read")
    assert grant_id(*named) == grant_id(*named) != grant_id("m", "user", "u", "write")
    grants = [AccessGrant(id=str(at), principal_type="user", principal_id="u", permission="read") for at in range(3)]
    assert [grant.id for grant in unique_grants(grants)] == ["0"]
