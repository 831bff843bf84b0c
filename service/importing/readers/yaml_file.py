"""Reading YAML within bounds: no alias bombs, no tags, no repeated keys, and no error that quotes the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.error import Mark, YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from service.importing.source import UNREADABLE, Source, SourceError

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

MAX_CHARACTERS = 1 << 24
MAX_DEPTH = 100
# Parsing a number takes quadratic time.
MAX_NUMBER_LENGTH = 100

_TAG = "tag:yaml.org,2002:"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_VALUES = {None, *(f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map"))}
# Messages of the library that quote nothing.
_PLAIN_WORDS = re.compile(r"[A-Za-z ,;-]+")


class _Loader(SafeLoader):
    """Constructs only values that JSON has; a date remains the text that it is in the file."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # as the library declares it
        first: [(tag, words) for tag, words in resolvers if tag not in (f"{_TAG}timestamp", f"{_TAG}value")]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: constructor for tag, constructor in SafeLoader.yaml_constructors.items() if tag in _VALUES
    }

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Construct the value of a node; a value that does not fit its tag is an error with a position."""
        if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER_LENGTH:
            raise ConstructorError(None, None, "a number with too many digits", node.start_mark)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, OverflowError):
            raise ConstructorError(None, None, "not a value of its type", node.start_mark) from None


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of a list: the line in which it begins, and its value or the problem that prevents it."""

    line: int
    value: Any = None
    problem: str | None = None


class YamlFile:
    """One YAML mapping, whose parts are constructed one by one, so that one can fail alone."""

    def __init__(self, source: Source) -> None:
        text = _text(source)
        try:
            _require_bounds(text, source.bounds.yaml_values)
            self._loader = _Loader(text)
            root = self._loader.get_single_node()
        except YAMLError as error:
            raise SourceError(_message(error)) from None
        if not isinstance(root, MappingNode):
            raise SourceError("expected a YAML mapping")
        self._sections = _sections(root)

    @property
    def sections(self) -> tuple[str, ...]:
        """The names at the top of the file."""
        return tuple(self._sections)

    def entries(self, section: str) -> Iterator[Entry]:
        """Yield the elements of a list at the top of the file; an empty section has none."""
        node = self._sections[section]
        if isinstance(node, ScalarNode) and node.tag == f"{_TAG}null":
            return
        if not isinstance(node, SequenceNode):
            raise SourceError(f"{_place(node.start_mark)}: {section} must be a list")
        for element in node.value:
            yield self._entry(element)

    def _entry(self, node: Node) -> Entry:
        line = node.start_mark.line + 1
        if repeated := _repeated_key(node):
            return Entry(line, problem=f"{_place(repeated)}: the key is given twice")
        try:
            return Entry(line, self._loader.construct_document(node))
        except YAMLError as error:
            return Entry(line, problem=_message(error))


def _text(source: Source) -> str:
    try:
        with source.text() as file:
            text = file.read(MAX_CHARACTERS + 1)
    except UNREADABLE as error:
        # The message of a decoding error quotes what it could not decode.
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise SourceError(f"can't be read: {reason}") from None
    if len(text) > MAX_CHARACTERS:
        raise SourceError(f"has more than {MAX_CHARACTERS:,} characters, too many for YAML")
    return text


def _require_bounds(text: str, most: int) -> None:
    nodes, documents = 0, 0
    sizes: dict[str, int] = {}
    parents: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise SourceError(f"{_place(event.start_mark)}: an alias of nothing before it")
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            parents.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = parents.pop()
            sizes |= {anchor: nodes - before} if anchor else {}
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            sizes |= {event.anchor: 1} if event.anchor else {}
        if problem := _excess(nodes, most, len(parents), documents):
            raise SourceError(f"{_place(event.start_mark)}: {problem}")


def _excess(nodes: int, most: int, depth: int, documents: int) -> str | None:
    if nodes > most:
        return f"too many values, including those that aliases repeat; at most {most:,} are allowed"
    if depth > MAX_DEPTH:
        return "nested too deeply"
    return "a second document in one file" if documents > 1 else None


def _sections(root: MappingNode) -> dict[str, Node]:
    sections: dict[str, Node] = {}
    for key, value in root.value:
        if not isinstance(key, ScalarNode):
            raise SourceError(f"{_place(key.start_mark)}: the name of a section must be text")
        if key.value in sections:
            raise SourceError(f"{_place(key.start_mark)}: the section is given twice")
        sections[key.value] = value
    return sections


def _repeated_key(node: Node) -> Mark | None:
    pending, visited = [node], set()
    while pending:
        current = pending.pop()
        if id(current) in visited or isinstance(current, ScalarNode):
            continue
        visited.add(id(current))
        if isinstance(current, SequenceNode):
            pending.extend(current.value)
            continue
        keys: set[tuple[str, str]] = set()
        for key, value in current.value:
            pending.append(value)
            if not isinstance(key, ScalarNode):
                continue
            if (key.tag, key.value) in keys:
                return key.start_mark
            keys.add((key.tag, key.value))
    return None


def _message(error: YAMLError) -> str:
    if isinstance(error, ReaderError):
        return f"about {error.position:,} characters in: a character that YAML does not allow"
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    message = problem if problem and _PLAIN_WORDS.fullmatch(problem) else "not valid YAML"
    if isinstance(error, ConstructorError) and message != problem:
        message = "a tag, or a value that is not JSON"
    return f"{_place(mark)}: {message}" if mark else message


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
