"""Parsing an Ollama modelfile, as early Open WebUI kept its models: base, parameters and system prompt."""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from service.importing.readers.modelfile_params import STOP, typed_parameter

BASE, PARAMETER, SYSTEM, MESSAGE = "FROM", "PARAMETER", "SYSTEM", "MESSAGE"
# Instructions for which a record has no field.
UNSUPPORTED = ("ADAPTER", "DRAFT", "LICENSE", MESSAGE, "PARSER", "RENDERER", "REQUIRES", "TEMPLATE")
OTHER_LINES = "lines without an instruction"
_INSTRUCTIONS = (BASE, PARAMETER, SYSTEM, *UNSUPPORTED)

_BYTE_ORDER_MARK = "\ufeff"
_WORD = re.compile(r"[ \t]*([A-Za-z]+)(?:[ \t]+|(?=\"))")
_NAME = re.compile(r"(\w+)[ \t]+", re.ASCII)
_COMMENT_OR_SPACE = re.compile(r"[ \t]*(?:#|[\r\n]|\Z)")
_LINE_END = re.compile(r"[\r\n]+")
_ANY_INSTRUCTION = re.compile(rf"^[ \t]*(?:{'|'.join(_INSTRUCTIONS)})[ \t]", re.MULTILINE | re.IGNORECASE)
# In lower case, such a word may begin a line of a prompt.
_CLEAR_INSTRUCTION = re.compile(_ANY_INSTRUCTION.pattern, re.MULTILINE)
_QUOTES = ('"""', '"')
_CLOSED_ON_LINE = re.compile(r'("""|")([^"\r\n]*)\1(?:[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z)')


@dataclass(slots=True)
class Modelfile:
    """The content of a modelfile; `left_out` names the instructions for which a record has no field."""

    base: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)

    def add(self, word: str, name: str | None, value: str) -> None:
        """Add one instruction; what is none is named in `left_out`."""
        if word == BASE:
            self.base = self.base or value or None
        elif word == SYSTEM:
            self.params["system"] = value
        elif word == PARAMETER and name is not None and name.lower() == STOP:
            self.params.setdefault(STOP, []).append(value)
        elif word == PARAMETER and name is not None:
            named, typed = typed_parameter(name, value)
            self.params[named] = typed
        elif word in UNSUPPORTED:
            self.left_out[word] = None
        else:
            self.left_out[OTHER_LINES] = None


def parse_modelfile(content: str) -> Modelfile:
    """Parse a modelfile; never raises because of its content.

    What Ollama accepts is read as Ollama does: a value in quotes, of any number of lines, ends with the first line that
    ends with its quotes; `#` begins a comment at the beginning of a line only. Where Ollama would refuse the file, no
    text is lost: quotes that are never closed go on until the next instruction, and a number may have a comment.
    """
    content = content.removeprefix(_BYTE_ORDER_MARK)
    found = Modelfile()
    quotes = _Quotes(content)
    at = 0
    while at < len(content):
        start = _WORD.match(content, at)
        if start is None:
            if not _COMMENT_OR_SPACE.match(content, at):
                found.left_out[OTHER_LINES] = None
            at = _next_line(content, at)
            continue
        word = start[1].upper()
        name = _NAME.match(content, start.end()) if word in (PARAMETER, MESSAGE) else None
        begin = (name or start).end()
        if word in _INSTRUCTIONS:
            value, at = quotes.value(begin, one_line=word == PARAMETER)
        else:
            value, at = "", _next_line(content, begin)
        found.add(word, name[1] if name else None, value)
    return found


def _next_line(content: str, at: int) -> int:
    end = _LINE_END.search(content, at)
    return end.end() if end else len(content)


class _Quotes:
    """The values of a modelfile, and where each of the lines ends that could close one."""

    def __init__(self, content: str) -> None:
        self._content = content
        # Looked for once: a search for each value would read the rest of the file each time.
        self._ends = {
            quotes: [found.start() for found in re.finditer(rf"{quotes}(?=[ \t]*(?:[\r\n]|\Z))", content)]
            for quotes in _QUOTES
        }

    def value(self, at: int, *, one_line: bool) -> tuple[str, int]:
        """Return the value that begins at `at`, without its quotes, and where the next line begins.

        With `one_line`, it has more than one line only if no line of it looks like an instruction.
        """
        content = self._content
        line_end = _next_line(content, at)
        if closed := _CLOSED_ON_LINE.match(content, at):
            return closed[2], line_end
        quotes = next((quotes for quotes in _QUOTES if content.startswith(quotes, at)), None)
        if quotes is None:
            return content[at:line_end].strip(), line_end
        begin = at + len(quotes)
        limit = _begin(_ANY_INSTRUCTION, content, line_end) if one_line else len(content)
        end = self._end(quotes, begin, limit)
        if end is not None:
            return content[begin:end], _next_line(content, end)
        if one_line:
            return content[at:line_end].strip(), line_end
        end = _begin(_CLEAR_INSTRUCTION, content, line_end)
        return content[begin:end] if end == len(content) else content[begin:end].rstrip("\r\n"), end

    def _end(self, quotes: str, begin: int, limit: int) -> int | None:
        """Return where the quotes are, before the limit, that close a value; None if nothing closes it."""
        ends = self._ends[quotes]
        for number in range(bisect_left(ends, begin), bisect_left(ends, limit)):
            following = _next_line(self._content, ends[number])
            escaped = quotes == '"' and self._content.endswith("\\", begin, ends[number])
            if not escaped or following == len(self._content) or _CLEAR_INSTRUCTION.match(self._content, following):
                return ends[number]
        return None


def _begin(instruction: re.Pattern[str], content: str, at: int) -> int:
    found = instruction.search(content, at)
    return found.start() if found else len(content)
