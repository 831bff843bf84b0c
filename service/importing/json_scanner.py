"""Reading JSON values one by one, within the bounds of their source."""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from service.http.json_values import count_values
from service.importing.source import UNREADABLE, Bounds, SourceError

CHUNK_CHARACTERS = 1 << 18
# Far more digits than 64 bits hold, far fewer than Python refuses to read.
MAX_DIGITS = 30
IN_PARTS = "send it as several files"
_WHITESPACE = re.compile(r"[ \t\r\n]*")


def _integer(digits: str) -> int:
    return int(digits[:MAX_DIGITS])


# NaN, the infinities and integers of any length are decoded although they can't be stored: the check of the record
# refuses them, and its message names the field.
DECODER = json.JSONDecoder(parse_int=_integer)


class Tally:
    """Counts what was read of a source. Each method returns the problem when there is more than the bounds allow."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._records = 0
        self._values = 0

    def one_more(self, what: str = "records") -> str | None:
        """Count a record, a line, or a part of an object."""
        self._records += 1
        most = self._bounds.records
        return f"more than {most:,} {what}; {IN_PARTS}" if most is not None and self._records > most else None

    def decoded(self, text: str, start: int, end: int) -> str | None:
        """Count the values in a part of a text that is valid JSON."""
        most = self._bounds.values
        if most is None:
            return None
        self._values += count_values(text, start, end)
        return f"more than {most:,} values in all; {IN_PARTS}" if self._values > most else None


class JsonScanner:
    """Reads JSON text one value at a time, so that the largest value bounds the memory.

    Unlike event parsers it decodes integers of any size and lone surrogates as Python does, so that a record that
    can't be stored is refused instead of being changed without notice.
    """

    def __init__(self, text: IO[str], bounds: Bounds = Bounds()) -> None:  # noqa: B008  # frozen
        self._text = text
        self._longest_value = bounds.value_characters
        self._tally = Tally(bounds)
        self._buffer = ""
        self._at = 0
        self._passed = 0
        self._ended = False

    def _more(self) -> bool:
        self._passed += self._at
        held = len(self._buffer) - self._at
        try:
            # As much again, so that decoding a long value is not tried too often, but no more than a value may have.
            read = self._text.read(max(CHUNK_CHARACTERS, min(held, self._longest_value + 1 - held)))
        except UNREADABLE as error:
            raise self.error(f"can't be read: {error}") from None
        self._buffer = self._buffer[self._at :] + read
        self._at = 0
        self._ended = not read
        return bool(read)

    def error(self, problem: str) -> SourceError:
        """Return an error that names the position in the text."""
        return SourceError(f"after {self._passed + self._at:,} characters: {problem}")

    def peek(self) -> str:
        """Return the next character that is not whitespace, or nothing at the end."""
        while True:
            space = _WHITESPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended or not self._more():
                return ""

    def take(self, expected: str) -> str:
        """Read one of the expected characters, and return it."""
        found = self.peek()
        if not found or found not in expected:
            raise self.error(f"expected {' or '.join(expected)}, found {found or 'the end'}")
        self._at += 1
        return found

    def value(self) -> Any:
        """Decode the next value."""
        self.peek()
        while True:
            problem = "the file ends within a value"
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                problem = error.msg
            except RecursionError:
                raise self.error("nested too deeply") from None
            else:
                # A number at the end of the buffer may continue after it.
                if end < len(self._buffer) or self._ended:
                    self._require(self._tally.decoded(self._buffer, self._at, end))
                    self._at = end
                    return value
            if len(self._buffer) - self._at > self._longest_value:
                raise self.error(f"{problem}, or a value of more than {self._longest_value:,} characters")
            if self._ended or not self._more():
                if problem == "the file ends within a value":
                    continue
                raise self.error(f"not valid JSON: {problem}")

    def elements(self) -> Iterator[Any]:
        """Decode the elements of the next array, one by one."""
        for _ in self._parts("[", "]"):
            yield self.value()

    def members(self) -> Iterator[str]:
        """Yield the names of the next object; the caller reads each value before the next name."""
        for _ in self._parts("{", "}"):
            name = self.value()
            if not isinstance(name, str):
                raise self.error("expected a name")
            self.take(":")
            yield name

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        """Yield before each part of an array or object; the caller reads the part before the next one."""
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        self._require(self._tally.one_more())
        yield
        while self.take("," + closing) == ",":
            self._require(self._tally.one_more())
            yield

    def _require(self, problem: str | None) -> None:
        if problem is not None:
            raise self.error(problem)

    def end(self, read: str) -> None:
        """Raise SourceError when there is more text; `read` names what was read."""
        if self.peek():
            raise self.error(f"more text after {read}")
