"""Removing secrets from a decoded configuration file: by their names, and by what they look like."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from service.importing.readers.secret_names import (
    Place,
    is_bare_key,
    is_identifier,
    is_secret_name,
    place_below,
    words,
)
from service.importing.readers.secret_texts import MAX_SEARCHED, is_reference, looks_secret, query_looks_secret

HIDDEN = "…"
MAX_NAME_LENGTH, MAX_PATH_LENGTH, MAX_NOTES = 100, 1000, 100
# A larger number can't be a count of tokens, and a smaller one can't be a token.
LARGEST_COUNT = 10**8

_COUNTED = ("token", "tokens", "session", "sessions", "key", "keys")
_NAMING, _VALUES = ("name", "key", "header", "env", "variable", "field"), ("value", "values")


def without_secrets(value: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a decoded value without what is or may be a secret, and a note on the path of each part left out.

    References to environment variables (`os.environ/NAME`) and to identity providers (`oidc/google/…`) are kept, also
    where a secret is expected.
    """
    redaction = _Redaction(lambda _, __: False, drops_empty=True)
    kept = redaction.kept(value, None, "", Place.FIELD)
    return kept, redaction.left_out.notes("left out, since it is or may be a secret")


def secrets_found(value: Any, note: str) -> tuple[str, ...]:
    """Return a note on the path of each part of a decoded value that is or may be a secret."""
    redaction = _Redaction(lambda _, __: True)
    redaction.kept(value, None, "", Place.FIELD)
    return redaction.left_in.notes(note)


def without_clear_secrets(value: Any, note: str) -> tuple[Any, tuple[str, ...]]:
    """Return a decoded value without what is a secret, and notes on what was left out and on what was kept.

    What only may be one, a text of several words without the name of a secret, is kept with the given note.
    """
    redaction = _Redaction(lambda held, named: not named and isinstance(held, str) and _is_prose(held))
    kept = redaction.kept(value, None, "", Place.FIELD)
    left_out = redaction.left_out.notes("left out, since it is or may be a secret")
    return kept, (*left_out, *redaction.left_in.notes(note))


def _is_prose(text: str) -> bool:
    return len(text) > MAX_SEARCHED or (len(text.split(maxsplit=2)) > 2 and not text.lstrip().startswith("-----BEGIN"))


def safe_name(name: Any) -> str:
    """Return a name for use in a note: cut, and hidden if it looks like a secret itself."""
    return HIDDEN if looks_secret(str(name)) else str(name)[:MAX_NAME_LENGTH]


def _words_and_shown(key: str) -> tuple[str, str]:
    """Return the words of a name, and the name for use in a note."""
    return words(key), safe_name(key)


# The records of a file mostly have the same names.
_known = lru_cache(maxsize=4096)(_words_and_shown)

# A name or a number in a list, below the path of what it is part of. Written only where it is needed: a path can be
# much longer than the value to which it leads.
_Path = tuple["_Path | None", str | int]


def _written(path: _Path) -> str:
    parts: list[str | int] = []
    rest: _Path | None = path
    while rest is not None:
        rest, part = rest
        parts.append(part)
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in reversed(parts))
    return written.removeprefix(".")[:MAX_PATH_LENGTH]


class _Paths:
    """The paths of the first parts of which there is something to say, and the number of the others."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, path: _Path) -> None:
        if len(self._first) < MAX_NOTES:
            self._first.append(_written(path))
        else:
            self._more += 1

    def notes(self, note: str) -> tuple[str, ...]:
        more = [f"{self._more:,} more parts, each of them: {note}"] if self._more else []
        return (*(f"{path}: {note}" for path in self._first), *more)


class _Redaction:
    """Removes secrets, except those that `keeps` holds on to: it gets a value, and whether its name is a secret's.

    With `drops_empty`, what is empty under the name of a secret is removed too.
    """

    def __init__(self, keeps: Callable[[Any, bool], bool], *, drops_empty: bool = False) -> None:
        self._keeps = keeps
        self._drops_empty = drops_empty
        self.left_out = _Paths()
        self.left_in = _Paths()

    def _stays(self, value: Any, path: _Path, *, named: bool) -> bool:
        """Return whether a secret is kept, and remember where it is."""
        stays = self._keeps(value, named)
        (self.left_in if stays else self.left_out).add(path)
        return stays

    def kept(self, value: Any, path: _Path | None, name: str, place: Place) -> Any:
        """Return a value, which is no secret as a whole, without the secrets in it."""
        if isinstance(value, dict):
            return self._members(value, path, place)
        if isinstance(value, list):
            return self._elements(value, path, name, place)
        return value

    def _members(self, members: dict[Any, Any], path: _Path | None, place: Place) -> dict[Any, Any]:
        siblings = _Siblings.among(members)
        kept = {}
        for key, value in members.items():
            text = str(key)
            name, shown = (_known if len(text) <= MAX_NAME_LENGTH else _words_and_shown)(text)
            secret = siblings.make_secret(name, place)
            if secret and (value is None or value == ""):
                if not self._drops_empty:
                    kept[key] = value
                continue
            below = (path, shown)
            if shown == HIDDEN or _is_secret(value, name, secret=secret):
                if self._stays(value, below, named=secret or shown == HIDDEN):
                    kept[key] = value
            else:
                kept[key] = self.kept(value, below, name, place_below(name, place))
        return kept

    def _elements(self, elements: list[Any], path: _Path | None, name: str, place: Place) -> list[Any]:
        first = elements[0] if len(elements) == 2 and place is not Place.FIELD else None
        pair = isinstance(first, str) and is_secret_name(words(first), place)
        kept = []
        for at, element in enumerate(elements):
            below = (path, at)
            secret = (pair and at == 1) or _is_secret_header(element, place)
            if _is_secret(element, name, secret=secret):
                if self._stays(element, below, named=secret):
                    kept.append(element)
            else:
                kept.append(self.kept(element, below, name, place))
        return kept


@dataclass(frozen=True, slots=True)
class _Siblings:
    """What the members of a mapping say about each other: one can name what the other is."""

    # In `{"name": "api_key", "value": …}`, the value is that of a secret.
    value_is_secret: bool
    # In `{"key": "region", "value": …}`, the key is a name; by itself, it may be a secret.
    key_is_name: bool
    accounts: set[str]

    @classmethod
    def among(cls, members: dict[Any, Any]) -> "_Siblings":
        names = [held for naming in _NAMING if isinstance(held := members.get(naming), str)]
        return cls(
            any(is_secret_name(words(name), Place.HEADER) for name in names),
            any(value in members for value in _VALUES),
            _accounts(members),
        )

    def make_secret(self, name: str, place: Place) -> bool:
        """Return whether a member of this name is a secret, whatever it is."""
        if is_bare_key(name):
            return not self.key_is_name
        return is_secret_name(name, place) or (self.value_is_secret and name in _VALUES) or name in self.accounts


def _accounts(members: dict[Any, Any]) -> set[str]:
    """Return the names of accounts whose passwords stand beside them: the two are one credential."""
    short = [str(key) for key in members if len(str(key)) <= MAX_NAME_LENGTH]
    names = {words(key) for key in short if "user" in key.lower() or "pass" in key.lower()}
    return {
        f"{prefix}{account}"
        for name in names
        if name.endswith("password")
        for prefix in [name.removesuffix("password")]
        for account in ("username", "user_name", "user")
        if f"{prefix}{account}" in names
    }


def _is_secret_header(element: Any, place: Place) -> bool:
    """Return whether an element of a list is a header with its value (`X-Signature: …`) that is a secret."""
    if place is not Place.HEADER or not isinstance(element, str):
        return False
    name, colon, _ = element.partition(":")
    return bool(colon) and is_secret_name(words(name), place)


def _is_secret(value: Any, name: str, *, secret: bool) -> bool:
    if isinstance(value, str):
        if secret and not is_reference(value):
            return True
        if place_below(name, Place.FIELD) is Place.QUERY and query_looks_secret(value):
            return True
        return looks_secret(value, identifies=is_identifier(name))
    if not secret or isinstance(value, bool):
        return False
    if isinstance(value, int | float) and name.rpartition("_")[2] in _COUNTED:
        return abs(value) > LARGEST_COUNT
    return not _only_references(value)


def _only_references(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_only_references, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and is_reference(value) and not looks_secret(value)
