"""The parts of a file that is read as a whole, JSON or YAML: a tree, each part of which can fail alone."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a file: the line in which it begins, if that is known, and its value or the problem with it."""

    line: int | None
    value: Any = None
    problem: str | None = None


class Part(ABC):
    """A value in a file: a mapping, a list, a text or another scalar. `line` is None where it is not known."""

    line: int | None

    @abstractmethod
    def members(self) -> dict[str, "Part"] | None:
        """Return the parts of a mapping by name, None for anything else; raise SourceError for names given twice."""

    @abstractmethod
    def elements(self) -> list["Part"] | None:
        """Return the parts of a list, None for anything else; null counts as a list of nothing."""

    @abstractmethod
    def text(self) -> str | None:
        """Return a text as it is, None for anything else."""

    @abstractmethod
    def text_line(self) -> int:
        """Return the line of the file in which the text itself begins."""

    @abstractmethod
    def entry(self) -> Entry:
        """Return the value, or the problem that prevents it."""


class JsonPart(Part):
    """A decoded value of a JSON file."""

    line = None

    def __init__(self, value: Any) -> None:
        """Wrap a decoded value."""
        self._value = value

    def members(self) -> dict[str, Part] | None:
        """Return the parts of an object by name, None for anything else."""
        held = self._value
        return {name: JsonPart(value) for name, value in held.items()} if isinstance(held, dict) else None

    def elements(self) -> list[Part] | None:
        """Return the parts of a list, None for anything else; null counts as a list of nothing."""
        if self._value is None:
            return []
        return [JsonPart(value) for value in self._value] if isinstance(self._value, list) else None

    def text(self) -> str | None:
        """Return a text as it is, None for anything else."""
        return self._value if isinstance(self._value, str) else None

    def text_line(self) -> int:
        """Return 1, since nothing is known of lines."""
        return 1

    def entry(self) -> Entry:
        """Return the value."""
        return Entry(None, self._value)
