"""MongoDB operators and expressions, put into every place of every request that the OpenAPI document describes."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.support.examples import Example

# Contained in every planted value, so that it can be found in database commands.
MARK = "zq7"
TEXTS = [f"${MARK}", f"$$ROOT.{MARK}", f'{{"$ne": "{MARK}"}}', f"{MARK}.$.a", f"$owner.{MARK}", f"'; return {MARK}; '"]
OPERATORS: list[Any] = [
    *({operator: MARK} for operator in ("$ne", "$gt", "$regex", "$where", "$expr", "$type")),
    *({operator: [MARK]} for operator in ("$in", "$nin", "$or")),
    {"$function": {"body": f"return '{MARK}'", "args": [], "lang": "js"}},
    [{"$ne": MARK}],
    [f"${MARK}"],
]
NAMES = ["$set", "$where", f"${MARK}", f"params.{MARK}", f"a.{MARK}.$[]", "__proto__"]
FREE_FORM = ("params", "meta")
Path = tuple[str | int, ...]


class Attack(NamedTuple):
    """A request with a planted value, and the place of that value."""

    method: str
    address: str
    body: bytes
    where: str
    # Whether it must be refused: an operator in place of a typed value.
    must_fail: bool = False
    headers: Mapping[str, str] = MappingProxyType({})


def attacks(example: Example, *, compatible: bool = False) -> Iterator[Attack]:
    """Yield the example with one planted value, for every value and every place."""
    method, body = example.operation.method, json.dumps(example.body).encode() if example.body is not None else b""
    refuses = example.refuses_unknown and not compatible
    for query, where, must_fail in _queries(example):
        yield Attack(method, example.address(query, compatible=compatible), body, where, must_fail and refuses)
    address = example.address(compatible=compatible)
    if example.body is not None:
        for planted, path, must_fail in _bodies(example):
            # With a format, invalid records are reported, and the request itself is accepted.
            refused = must_fail and "format" not in example.query
            yield Attack(method, address, json.dumps(planted).encode(), ".".join(map(str, path)), refused)
    for name in ("If-Match", "If-None-Match", "Idempotency-Key"):
        if example.operation.takes(name):
            yield from (Attack(method, address, body, name, headers={name: text}) for text in TEXTS)


def _queries(example: Example) -> Iterator[tuple[list[tuple[str, str]], str, bool]]:
    for parameter in example.operation.definition.get("parameters", ()):
        if parameter["in"] != "query":
            continue
        name = parameter["name"]
        others = [pair for pair in example.pairs if pair[0] != name]
        for text in TEXTS:
            yield [*others, (name, text)], name, "enum" in str(parameter["schema"])
        for operator in ("$ne", "$regex", "$where", ""):
            written = f"{name}[{operator}]"
            yield [*others, (written, MARK)], written, True
    yield [*example.pairs, ("$where", MARK)], "$where", True


def _bodies(example: Example) -> Iterator[tuple[Any, Path, bool]]:
    for path, value in places(example.body):
        free = any(name in path for name in FREE_FORM)
        for text in TEXTS:
            yield with_planted(example.body, path, text), path, False
        for operator in OPERATORS:
            yield with_planted(example.body, path, operator), path, not free and "{" in str(operator)
        for name in NAMES if isinstance(value, dict) else ():
            yield with_planted(example.body, (*path, name), MARK), (*path, name), False


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every part of a value, including the value itself, with its path."""
    yield path, value
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in named:
        yield from places(inner, (*path, name))


def with_planted(value: Any, path: Path, planted: Any) -> Any:
    """Return a value with a planted value at one path."""
    if not path:
        return planted
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        return [with_planted(one, rest, planted) if at == first else one for at, one in enumerate(value)]
    return {**value, first: with_planted(value.get(first), rest, planted)}
