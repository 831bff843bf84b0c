"""Free-form values, cut to what an assistant can take in, with a note of what was left out."""

import json
from typing import Any

from pydantic import BaseModel, Field

# In characters, of which an assistant takes three or four as one unit of its context.
MAX_TEXT = 4_000
MAX_FIELD = 8_000
PART = 8_000
MAX_NAME = 200
MAX_POINTER = 2_000
MAX_DEPTH = 20
# What a value takes besides its text: quotation marks, a comma.
_AROUND = 4
# What a note takes besides its pointer: the names of its fields, and a number.
_AROUND_NOTE = 40


class Cut(BaseModel):
    """A value that is not there as a whole."""

    pointer: str = Field(description="Where: a JSON pointer, which `read_value` takes.", examples=["/params/system"])
    characters: int = Field(description="How long the whole value is, as text or as JSON.")


class Part(BaseModel):
    """A part of one value."""

    text: str = Field(description="The part; of what is not text, of its JSON.")
    characters: int = Field(description="How long the whole value is.")
    version: int = Field(description="The model's version; when it differs from that of another part, begin again.")
    next_offset: int | None = Field(description="The `offset` of the next part; null at the end.")


class Shortened:
    """Cuts a value to bounded room, and collects what was cut."""

    def __init__(self, room: int = MAX_FIELD) -> None:
        self._room = room
        self.cut: list[Cut] = []

    def value(self, value: Any, pointer: str = "", depth: int = 0) -> Any:
        """Return a value as far as there is room: texts are cut, and objects and lists end early."""
        if isinstance(value, dict | list):
            if depth == MAX_DEPTH:
                self._note(pointer, as_text(value))
                return None
            return (
                self._fields(value, pointer, depth) if isinstance(value, dict) else self._items(value, pointer, depth)
            )
        if not isinstance(value, str):
            self._room -= len(str(value)) + _AROUND
            return value
        kept = value[: max(0, min(MAX_TEXT, self._room))]
        self._room -= len(kept) + _AROUND
        if len(kept) < len(value):
            self._note(pointer, value)
        return kept

    def _fields(self, fields: dict[str, Any], pointer: str, depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in fields.items():
            below = f"{pointer}/{escaped(name)}"
            if self._room <= 0 or len(name) > MAX_NAME or len(below) > MAX_POINTER:
                self._note(pointer, as_text(fields))
                break
            self._room -= len(name) + _AROUND
            kept[name] = self.value(value, below, depth + 1)
        return kept

    def _items(self, items: list[Any], pointer: str, depth: int) -> list[Any]:
        kept: list[Any] = []
        for index, value in enumerate(items):
            below = f"{pointer}/{index}"
            if self._room <= 0 or len(below) > MAX_POINTER:
                self._note(pointer, as_text(items))
                break
            self._room -= _AROUND
            kept.append(self.value(value, below, depth + 1))
        return kept

    def _note(self, pointer: str, text: str) -> None:
        # Notes take room too: a list can have any number of objects that are cut.
        self._room -= len(pointer) + _AROUND_NOTE
        self.cut.append(Cut(pointer=pointer, characters=len(text)))


def shortened_text(text: str, length: int) -> str:
    """Return a text, or its beginning with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def part_of(value: Any, offset: int, version: int) -> Part:
    """Return the part of a value that begins after `offset` characters."""
    text = as_text(value)
    end = offset + PART
    next_offset = end if end < len(text) else None
    return Part(text=text[offset:end], characters=len(text), version=version, next_offset=next_offset)


def value_at(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to; raise LookupError when there is nothing."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10:
            value = value[int(name)]
        else:
            raise LookupError(name)
    return value


def escaped(name: str) -> str:
    """Return a name as it stands in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def as_text(value: Any) -> str:
    """Return text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
