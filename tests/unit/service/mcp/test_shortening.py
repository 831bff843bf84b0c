"""Values are cut to bounded room, and every part of what was cut can be read."""

import json
from typing import Any

import pytest

from service.mcp.shortening import MAX_FIELD, MAX_NAME, MAX_POINTER, MAX_TEXT, PART, Shortened, part_of, value_at

DEEP: Any = "bottom"
for _ in range(50):
    DEEP = {"a": [DEEP]}
# Each of the objects is cut, far below.
FAR: Any = [{"n" * (MAX_NAME + 1): 1}] * 2_000
for _ in range(19):
    FAR = {"~" * (MAX_NAME - 1): FAR}


@pytest.mark.parametrize("value", [None, True, 1, 2.5, "text", [], {}, {"a": [1, {"b": "c"}], "": ""}, "x" * MAX_TEXT])
def test_what_fits_is_kept(value: Any) -> None:
    shortened = Shortened()
    assert (shortened.value(value), shortened.cut) == (value, [])


@pytest.mark.parametrize(
    "value",
    [
        "x" * (MAX_TEXT + 1),
        ["x" * MAX_TEXT] * 10,
        {f"k{number}": number for number in range(3_000)},
        {"long" * MAX_NAME: 1, "b": 2},
        {"a/b": {"c~d": "x" * 100_000}},
        [[[]] * 50_000] * 3,
        [10**4000, *range(10_000)],
        DEEP,
        {"\u202e": ["é" * 9_000]},
        [{"n" * (MAX_NAME + 1): 1}] * 2_000,
        FAR,
    ],
    ids=range(11),
)
def test_what_does_not_fit_is_cut_and_named(value: Any) -> None:
    shortened = Shortened()
    kept = shortened.value(value, "/params")
    # The beginnings of what was cut; a text or a number can go beyond the room by its own length.
    assert len(json.dumps(kept, ensure_ascii=False)) <= 2 * MAX_FIELD
    assert shortened.cut
    assert sum(len(cut.model_dump_json()) for cut in shortened.cut) <= 2 * MAX_FIELD
    assert max(len(cut.pointer) for cut in shortened.cut) <= MAX_POINTER
    for cut in shortened.cut:
        whole = value_at({"params": value}, cut.pointer)
        parts: list[str] = []
        offset: int | None = 0
        while offset is not None:
            part = part_of(whole, offset, version=1)
            assert len(part.text) <= PART
            assert part.characters == cut.characters
            parts.append(part.text)
            offset = part.next_offset
        text = "".join(parts)
        assert text == whole if isinstance(whole, str) else json.loads(text) == whole


@pytest.mark.parametrize("pointer", ["/b", "/a/x", "/a/-1", "/a/2", "/a/٣", "/a/0/c", "/a/99999999999", "/a/01x"])
def test_a_pointer_to_nothing_is_an_error(pointer: str) -> None:
    with pytest.raises(LookupError):
        value_at({"a": [1, 2]}, pointer)


def test_a_part_behind_the_end_is_empty() -> None:
    assert part_of("text", 10, version=1).model_dump() == {
        "text": "",
        "characters": 4,
        "version": 1,
        "next_offset": None,
    }
