"""JSON that is read value by value: how much of it there may be."""

import io
from collections.abc import Iterator

import pytest

from service.importing.json_scanner import JsonScanner
from service.importing.readers.bundle import read_bundle
from service.importing.source import Bounds, Item, Source, SourceError


def items(content: str, bounds: Bounds) -> Iterator[Item]:
    held = content.encode()
    return read_bundle(Source(io.BytesIO(held), len(held), bounds))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"models": [{}, {}, {}]}', "after 19 characters: more than 3 records; send it as several files"),
        ('{"a": 1, "b": 2, "c": 3, "d": 4}', "after 24 characters: more than 3 records"),
        ('{"kind": "model"}\n\n\n\n', "line 4: more than 3 lines"),
    ],
    ids=["elements", "members", "lines"],
)
def test_records_are_counted_however_small_they_are(content: str, message: str) -> None:
    with pytest.raises(SourceError) as refused:
        list(items(content, Bounds(records=3)))
    assert message in refused.value.detail
    assert list(items(content, Bounds(records=4)))


@pytest.mark.parametrize(
    "content",
    ['{"models": [{"a": [1, 2]}, {"b": ",,[["}]}', '{"kind": "model", "a": [1, 2]}\n{"b": ",,[["}'],
    ids=["elements", "lines"],
)
def test_values_are_counted_in_all_records_together(content: str) -> None:
    count = 4 if content.startswith('{"models') else 5
    assert len(list(items(content, Bounds(values=count)))) == 2
    with pytest.raises(SourceError, match=f"more than {count - 1} values in all"):
        list(items(content, Bounds(values=count - 1)))


def test_space_and_blank_lines_are_passed_over_at_once() -> None:
    space = " \n\r\t" * 500_000
    assert JsonScanner(io.StringIO(f"{space}5{space}")).value() == 5
    assert [item.position for item in items(f'{space}{{"models": [{{}}]}}', Bounds(records=5))] == ["models[0]"]
