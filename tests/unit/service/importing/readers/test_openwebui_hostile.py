"""Model exports that are incomplete, very large, or have arbitrary content."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.grant import AccessGrant
from service.errors import ModeldeckError
from service.importing.readers.openwebui import read_openwebui
from service.importing.readers.openwebui_models import grants_of
from service.importing.records import ImportedModel
from service.importing.source import Item, SourceError
from tests.support.memory_sources import source_of


def read(content: Any) -> list[Item]:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return list(read_openwebui(source_of(text)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "after 0 characters: an export is a JSON list"),
        ("5", "after 0 characters: an export is a JSON list"),
        ("[{}", "after 3 characters: expected , or ], found the end"),
        ("[{}] x", "after 5 characters: more text after the models"),
        ('{"models": [], "models": []}', "models is given twice"),
        ('{"models": [],}', "not valid JSON"),
        ('{"id": "m"', "expected , or }, found the end"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id": ' * 100_000, "nested too deeply"),
        (b"[\xff]", "can't be read"),
        (gzip.compress(b"[" + b"{}," * 10_000, mtime=0)[:-9], "can't be read"),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_read_to_its_end_says_where(content: str | bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(content)
    assert message in caught.value.detail


def test_numbers_and_text_that_cannot_be_stored_reach_the_engine_and_are_refused_there() -> None:
    deep = '{"id": "m", "name": "M", "params": ' + '{"a": ' * 300 + "1" + "}" * 301
    huge = '{"id": "m", "name": "M", "params": {"n": ' + "9" * 5000 + "}}"
    lone = '{"id": "m", "name": "\\ud800", "\\udfff": 1, "access_control": {"read": {"user_ids": ["\\ud800"]}}}'
    items = read(f"[{deep}, {huge}, {lone}]")
    assert len(items) == 3
    for item in items:
        assert all(note.isascii() for note in item.notes)
        with pytest.raises(ValueError, match=r"params|name"):
            ImportedModel.model_validate(item.value)


def test_a_large_file_is_read_in_little_memory() -> None:
    models = (json.dumps({"id": f"m{number}", "name": "M", "params": {"p": "x" * 20_000}}) for number in range(300))
    packed = gzip.compress(f"[{','.join(models)}]".encode(), 1)
    for source in (source_of(packed), source_of(gzip.compress(b'{"models":' + gzip.decompress(packed) + b"}", 1))):
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_openwebui(source)) == 300
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
        finally:
            tracemalloc.stop()


words = st.sampled_from(["*", "read", "write", "user", "group", "model", "m", "", "FROM a\nSYSTEM b", "\ud800", "a b"])
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
names = words | st.sampled_from(
    [
        "id",
        "user_id",
        "name",
        "params",
        "meta",
        "info",
        "models",
        "modelfile",
        "tag_name",
        "tagName",
        "content",
        "title",
        "access_control",
        "access_grants",
        "resource_type",
        "resource_id",
        "principal_type",
        "principal_id",
        "permission",
        "user_ids",
        "group_ids",
        "timestamp",
    ]
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20
)
granted = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "resource_type": words,
        "resource_id": words,
        "principal_type": words,
        "principal_id": words,
        "permission": words,
    },
)
records = st.fixed_dictionaries(
    {"id": words}, optional={"access_grants": st.lists(granted | anything), "access_control": anything}
)


@given(anything | st.lists(anything))
def test_whatever_a_file_holds_nothing_but_a_source_error_is_raised(content: Any) -> None:
    try:
        items = read(content)
    except SourceError as error:
        assert isinstance(error, ModeldeckError)
    else:
        assert all(
            "access_grants" in item.value for item in items if item.problem is None and isinstance(item.value, dict)
        )


@given(records)
def test_whatever_a_record_says_every_grant_is_sound_and_everyone_is_only_who_was_named(record: dict[str, Any]) -> None:
    given_grants, _ = grants_of(record)
    for found in given_grants:
        AccessGrant.model_validate({"id": "none", **found})
    public = any(found["principal_type"] == "user" and found["principal_id"] == "*" for found in given_grants)
    if "access_grants" in record:
        listed_ones = [one for one in record["access_grants"] if isinstance(one, dict)]
        assert not public or any(one.get("principal_id") == "*" for one in listed_ones)
    else:
        assert public == ("access_control" in record and record["access_control"] is None)
