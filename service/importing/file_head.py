"""The beginning of a file, whatever it holds: enough to recognise its format, in bounded time and memory."""

import io
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.importing.json_scanner import JsonScanner
from service.importing.source import Source, SourceError

HEAD_BYTES = 1 << 22
MAX_MEMBERS, MAX_ELEMENTS = 100, 20
# Elements are decoded even where only what follows them is of interest, which takes time.
MAX_DECODED = 100_000


@dataclass(slots=True)
class FileHead:
    """The first bytes of a file; if it is JSON, the first members of its object, or elements of its list.

    Of a member that is a list, only the first elements are kept. A value that is not complete in these bytes is
    None or missing.
    """

    content: bytes
    text: str
    members: dict[str, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)
    decoded: int = 0


def read_file_head(source: Source) -> FileHead:
    """Read the beginning of a file; never raises because of its content."""
    content = source.head(HEAD_BYTES)
    head = FileHead(content, content.decode("utf-8-sig", errors="ignore"))
    with suppress(SourceError):
        _read_json(JsonScanner(io.StringIO(head.text)), head)
    return head


def _read_json(scanner: JsonScanner, head: FileHead) -> None:
    if scanner.peek() == "[":
        _read_elements(scanner, head, head.elements)
    elif scanner.peek() == "{":
        # Counted, since a name can be given again and again.
        for number, name in enumerate(scanner.members()):
            if number == MAX_MEMBERS:
                return
            head.members[name] = None
            if scanner.peek() == "[":
                head.members[name] = []
                _read_elements(scanner, head, head.members[name])
            else:
                head.members[name] = scanner.value()


def _read_elements(scanner: JsonScanner, head: FileHead, elements: list[Any]) -> None:
    for element in scanner.elements():
        head.decoded += 1
        if head.decoded > MAX_DECODED:
            raise scanner.error("enough has been read")
        if len(elements) < MAX_ELEMENTS:
            elements.append(element)
