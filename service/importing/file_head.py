"""What the beginning of a file shows, whatever it holds: enough to recognise it, in bounded time and memory."""

import io
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.importing.source import JsonScanner, Source, SourceError

HEAD_BYTES = 1 << 22
MAX_MEMBERS, MAX_ELEMENTS = 100, 20
# Going over elements to see what follows them takes time, too.
MAX_PASSED = 100_000


@dataclass(slots=True)
class FileHead:
    """The head of a file; if it is JSON, the first members of the first object, or elements of the first list.

    Of a member that is a list only the first elements are here, and what the head does not hold to its end is
    None or missing.
    """

    head: bytes
    text: str
    members: dict[str, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)
    passed: int = 0


def read_file_head(source: Source) -> FileHead:
    """Look at the beginning of a file; never raises on what it holds."""
    head = source.head(HEAD_BYTES)
    drawn = FileHead(head, head.decode("utf-8-sig", errors="ignore"))
    with suppress(SourceError):
        _draw(JsonScanner(io.StringIO(drawn.text)), drawn)
    return drawn


def _draw(scanner: JsonScanner, drawn: FileHead) -> None:
    if scanner.peek() == "[":
        _draw_elements(scanner, drawn, drawn.elements)
    elif scanner.peek() == "{":
        scanner.take("{")
        while scanner.peek() == '"' and len(drawn.members) < MAX_MEMBERS:
            name = scanner.value()
            scanner.take(":")
            _draw_member(scanner, drawn, name)
            scanner.take(",}")
            if scanner.took == "}":
                return


def _draw_member(scanner: JsonScanner, drawn: FileHead, name: str) -> None:
    drawn.members[name] = None
    if scanner.peek() == "[":
        drawn.members[name] = []
        _draw_elements(scanner, drawn, drawn.members[name])
    else:
        drawn.members[name] = scanner.value()


def _draw_elements(scanner: JsonScanner, drawn: FileHead, elements: list[Any]) -> None:
    for element in scanner.elements():
        drawn.passed += 1
        if drawn.passed > MAX_PASSED:
            raise scanner.error("enough has been seen")
        if len(elements) < MAX_ELEMENTS:
            elements.append(element)
