"""The beginning of a file, whatever it holds: enough to recognise its format, in bounded time and memory."""

import io
from codecs import getincrementaldecoder
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.importing.json_scanner import JsonScanner
from service.importing.parts import JsonPart, Part
from service.importing.source import Source, SourceError
from service.importing.yaml_file import yaml_documents

HEAD_BYTES = 1 << 22
MAX_MEMBERS, MAX_ELEMENTS = 100, 20
# What keeps a configuration may be anywhere in a long list of manifests.
_KEEPING_FILES = ("ConfigMap", "Secret", "Application", "HelmRelease")
MAX_MANIFESTS = 1000
# Elements are decoded even where only what follows them is of interest, which takes time.
MAX_DECODED = 100_000
# A YAML file with more is recognised by its text alone.
MAX_YAML_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the beginning of a file fits a format: a score from 0, not at all, to 1, and what speaks for it.

    The reason completes "it is …" in a message, or says what is missing. It quotes names of fields, never values.
    """

    score: float
    reason: str = ""


NO_FIT = Fit(0.0)


@dataclass(slots=True)
class FileHead:
    """The first bytes of a file; if it is JSON, the first members of its object, or elements of its list.

    Of a list, only the first elements are kept, and the manifests of Kubernetes that keep files. A value that is not
    complete in these bytes is None or missing. `documents` are those of a JSON or YAML file, as far as they can be
    read. `name` is that of the file, if it has one.
    """

    content: bytes
    text: str
    members: dict[str, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)
    documents: list[Part] = field(default_factory=list)
    decoded: int = 0
    # Why it is no JSON, or where that ends, in words that quote nothing of it.
    problem: str | None = None
    name: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it is UTF-8, of which the last character may be cut."""
        try:
            getincrementaldecoder("utf-8")().decode(self.content)
        except UnicodeDecodeError:
            return False
        return b"\0" not in self.content

    @property
    def is_list(self) -> bool:
        """Whether it is a JSON list."""
        return self.text.lstrip().startswith("[")

    def listed(self, name: str) -> list[Any]:
        """Return the first elements of the member of this name of a JSON object; none if it is no list."""
        held = self.members.get(name)
        return held if isinstance(held, list) else []


def read_file_head(source: Source) -> FileHead:
    """Read the beginning of a file; never raises because of its content."""
    content = source.head(HEAD_BYTES)
    head = FileHead(content, content.decode("utf-8-sig", errors="ignore"))
    head.name = source.path.name if source.path is not None else ""
    try:
        _read_json(JsonScanner(io.StringIO(head.text)), head)
    except SourceError as error:
        head.problem = error.detail
    if head.members or head.elements:
        head.documents = [JsonPart(head.elements if head.is_list else head.members)]
    elif b"\0" not in content:
        with suppress(SourceError):
            head.documents = yaml_documents(head.text, MAX_YAML_VALUES)
    return head


def share_of(records: list[Any], fits: Any) -> float:
    """Return the share of the records that fit; 0 when there are none."""
    return sum(1 for record in records if fits(record)) / len(records) if records else 0.0


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
        keeps_files = isinstance(element, dict) and element.get("kind") in _KEEPING_FILES
        if len(elements) < (MAX_MANIFESTS if keeps_files else MAX_ELEMENTS):
            elements.append(element)
