"""Parsing an Ollama modelfile, as early Open WebUI kept its models: base, parameters and system prompt."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

_WORD = re.compile(r"[ \t]*([A-Za-z]+)[ \t]+")
_NAME = re.compile(r"(\w+)[ \t]+", re.ASCII)
_QUOTES = '"""'
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,3})?")
_FLAGS = {"true": True, "false": False}

BASE, PARAMETER, SYSTEM, MESSAGE = "FROM", "PARAMETER", "SYSTEM", "MESSAGE"
# Instructions for which a record has no field.
UNSUPPORTED = ("ADAPTER", "LICENSE", MESSAGE, "TEMPLATE")
# The only parameter that is a list; each instruction adds one element.
STOP = "stop"


@dataclass(slots=True)
class Modelfile:
    """The content of a modelfile; `left_out` names the instructions for which a record has no field."""

    base: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)

    def add(self, word: str, name: str | None, value: str) -> None:
        """Add one instruction; unknown ones are ignored."""
        if word == BASE:
            self.base = self.base or value or None
        elif word == SYSTEM:
            self.params["system"] = value
        elif word == PARAMETER and name == STOP:
            self.params.setdefault(STOP, []).append(value)
        elif word == PARAMETER and name is not None:
            self.params[name] = _typed(value)
        elif word in UNSUPPORTED:
            self.left_out[word] = None


def parse_modelfile(content: str) -> Modelfile:
    """Parse a modelfile; never raises because of its content."""
    found = Modelfile()
    at = 0
    while at < len(content):
        start = _WORD.match(content, at)
        if start is None:
            at = _next_line(content, at)
            continue
        word = start[1].upper()
        name = _NAME.match(content, start.end()) if word in (PARAMETER, MESSAGE) else None
        value, at = _value(content, (name or start).end())
        found.add(word, name[1] if name else None, value)
    return found


def _next_line(content: str, at: int) -> int:
    end = content.find("\n", at)
    return len(content) if end < 0 else end + 1


def _value(content: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, without its quotes, and where the next line begins."""
    if content.startswith(_QUOTES, at):
        at += len(_QUOTES)
        end = content.find(_QUOTES, at)
        # Quotes that are never closed contain the rest of the file.
        return (content[at:], len(content)) if end < 0 else (content[at:end], _next_line(content, end))
    end = _next_line(content, at)
    value = content[at:end].strip()
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if quoted else value, end


def _typed(value: str) -> Any:
    if value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    if _INTEGER.fullmatch(value):
        return int(value)
    if _DECIMAL.fullmatch(value) and math.isfinite(number := float(value)):
        return number
    return value
