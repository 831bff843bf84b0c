"""Reading YAML within bounds: no alias bombs, no tags, no repeated keys, and no error that quotes the file."""

import re
from typing import Any, cast

import yaml
from yaml.constructor import ConstructorError
from yaml.error import Mark, YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from service.importing.parts import Entry, Part
from service.importing.source import SourceError

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

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


class YamlPart(Part):
    """A part of a YAML document, constructed only where its value is asked for, so that one can fail alone."""

    def __init__(self, loader: _Loader, node: Node, first_line: int) -> None:
        self._loader = loader
        self._node = node
        self._first_line = first_line
        self.line: int = first_line + int(node.start_mark.line)

    def members(self) -> dict[str, Part] | None:
        """Return the parts of a mapping by name, None for anything else; raise SourceError for names given twice."""
        if not isinstance(self._node, MappingNode):
            return None
        found: dict[str, Part] = {}
        for key, value in self._node.value:
            if not isinstance(key, ScalarNode):
                raise SourceError(f"{_place(key.start_mark, self._first_line)}: the name of a section must be text")
            if key.value in found:
                raise SourceError(f"{_place(key.start_mark, self._first_line)}: the section is given twice")
            found[key.value] = YamlPart(self._loader, value, self._first_line)
        return found

    def elements(self) -> list[Part] | None:
        """Return the parts of a list, None for anything else; an empty section counts as a list of nothing."""
        if isinstance(self._node, SequenceNode):
            return [YamlPart(self._loader, node, self._first_line) for node in self._node.value]
        empty = isinstance(self._node, ScalarNode) and self._node.tag == f"{_TAG}null"
        return [] if empty else None

    def text(self) -> str | None:
        """Return a text as it is, None for anything else."""
        is_text = isinstance(self._node, ScalarNode) and self._node.tag == f"{_TAG}str"
        return str(self._node.value) if is_text else None

    def text_line(self) -> int:
        """Return the line of the file in which the text itself begins."""
        return self.line + (self._node.style == "|" if isinstance(self._node, ScalarNode) else 0)

    def entry(self) -> Entry:
        """Return the value, or the problem that prevents it."""
        if repeated := _repeated_key(self._node):
            return Entry(self.line, problem=f"{_place(repeated, self._first_line)}: the key is given twice")
        try:
            return Entry(self.line, self._loader.construct_document(self._node))
        except YAMLError as error:
            return Entry(self.line, problem=_message(error, self._first_line))


class YamlBoundsError(SourceError):
    """A YAML text has more values than allowed, or is nested too deeply."""


def yaml_documents(text: str, most_values: int, first_line: int = 1) -> list[Part]:
    """Return the documents of a YAML text; raise SourceError when it is no YAML, or has more values than that.

    An alias counts as much as the values that it repeats. `first_line` is the line of the file in which it begins.
    """
    return counted_documents(text, most_values, first_line)[0]


def counted_documents(text: str, most_values: int, first_line: int = 1) -> tuple[list[Part], int]:
    """Return the documents of a YAML text, as `yaml_documents` does, and how many values they have."""
    try:
        values = _count_within_bounds(text, most_values, first_line)
        loader = _Loader(text)
        documents: list[Part] = []
        while loader.check_node():
            # The library's types say that it may be None, which it is only after the last one.
            documents.append(YamlPart(loader, cast(Node, loader.get_node()), first_line))
    except YAMLError as error:
        raise SourceError(_message(error, first_line)) from None
    return documents, values


def _count_within_bounds(text: str, most: int, first_line: int) -> int:
    nodes = 0
    sizes: dict[str, int] = {}
    parents: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            nodes += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise SourceError(f"{_place(event.start_mark, first_line)}: an alias of nothing before it")
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
        if nodes > most:
            problem = f"too many values, including those that aliases repeat; at most {most:,} are allowed"
            raise YamlBoundsError(f"{_place(event.start_mark, first_line)}: {problem}")
        if len(parents) > MAX_DEPTH:
            raise YamlBoundsError(f"{_place(event.start_mark, first_line)}: nested too deeply")
    return nodes


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


def _message(error: YAMLError, first_line: int) -> str:
    if isinstance(error, ReaderError):
        return f"about {error.position:,} characters in: a character that YAML does not allow"
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    message = problem if problem and _PLAIN_WORDS.fullmatch(problem) else "not valid YAML"
    if isinstance(error, ConstructorError) and message != problem:
        message = "a tag, or a value that is not JSON"
    return f"{_place(mark, first_line)}: {message}" if mark else message


def _place(mark: Any, first_line: int) -> str:
    return f"line {first_line + mark.line}, column {mark.column + 1}"
