"""Removing secrets from a decoded configuration file: by their names, and by what they look like."""

import re
from itertools import pairwise
from typing import Any

REFERENCE = re.compile(r"(?:Bearer )?os\.environ/[A-Za-z_][A-Za-z0-9_]*")
HIDDEN = "…"
MAX_NAME_LENGTH, MAX_PATH_LENGTH, MAX_NOTES = 100, 1000, 100
# Longer texts could not be stored either.
MAX_SEARCHED = 500_000
# A larger number can't be a count of tokens, and a smaller one can't be a token.
LARGEST_COUNT = 10**8

_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_SECRET_NAME = re.compile(
    r"^aws_|secret|passw(?:or)?d|passphrase|private_key|access_key"
    r"|(?:^|_)(?:auth|authorization|bearer|jwt|pass|passcode|pwd|credentials?|dsn|connection_string|cookies?)$"
    r"|apikeys?$|_keys?$|(?:^|_)token$|(?:^|_)(?:access|api|auth|bearer|refresh|session)_?tokens$"
)
# A number, if there are several of the kind, or the encoding. Looked for from the end, in reverse: a search from the
# beginning would try each digit of a long number as the first one.
_REVERSED_ENDING = re.compile(r"(?:46esab_|nosj_|[0-9]_?)+")
_HARMLESS_KEY = re.compile(r"(?:^|_)(?:cache|sort|primary|partition|public)_keys?$")
_TOKEN_NAME = "_token"  # noqa: S105  # a name
_HARMLESS_TOKEN = re.compile(r"(?:^|_)(?:per|bos|eos|pad|unk|sep|cls|mask|stop)_")
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|pass|credential|session|signature")
_NAMING, _NAMED = ("name", "key", "header"), ("value", "values")
# Identifiers look random too, but are no secrets.
_IDENTIFIER = re.compile(
    r"(?:^|_)(?:ids?|names?|models?|version|organization|project|deployment|arn|hash|digest|checksum|fingerprint"
    r"|revision|groups?|tokenizer)$"
)

_SECRET_TEXT = re.compile(
    r"-----BEGIN"
    r"|(?<![A-Za-z0-9])(?:sk[-_][\w-]{4}|(?:AKIA|ASIA)[A-Z0-9]{12}|AIza[\w-]{20}|gh[opusr]_\w{10}|github_pat_\w{10}"
    r"|glpat-[\w-]{10}|xox[a-z]-[\w-]{6}|hf_\w{16}|gsk_\w{16}|mdk_\w{8}|nvapi-[\w-]{16}|dapi[0-9a-f]{16}|ya29\.[\w-]{10}"
    r"|SG\.[\w-]{10}|npm_\w{16}|(?:pplx|xai)-\w{24}|eyJ[\w-]{16})"
    r"|\b(?i:bearer)\s+[\w.~+/=-]{8}|\b(?i:basic)\s+(?=\S{0,200}(?:[0-9=]|[a-z][A-Z]))[\w+/=-]{8}"
    r"|://[^\s/?#]{0,200}@|://[^\s/?#:@]{0,200}:(?!\d{1,5}[/?#])[^\s@]{0,200}@"
    r"|(?i:[?&](?:[\w-]{0,40}(?:key|token|secret|password|credential)|sig|signature|code)=[^\s&]{4})"
    r"|(?i:(?:authorization|api[-_ ]?key|account_?key|password|pwd|client_?secret|secret_?key|access_?(?:key|token)"
    r"|access_?signature)[\"']?\s{0,9}[:=]\s{0,9}[\"']?[^\s\"']{4})"
)
# An account at a host without a scheme, as a proxy may be configured.
_ACCOUNT = re.compile(
    r"(?<![\w.%+/@-])(?!mailto:)[\w.%+-]{1,64}:[^\s:@/]{3,200}@(?:[\w-]{1,63}:[0-9]{2,5}\b|(?:[\w-]{1,63}\.){1,9}[\w-])"
)
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_AWS_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9+/]{40}")
_CAPITAL = re.compile(r"[A-Z](?=[a-z]{3})")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
# Random text changes between letters and digits, or lower and upper case, far more often than words and numbers do.
# A text is taken for random from this length on, if it changes at this share of its characters.
_RANDOM_RUNS = ((20, 0.35), (28, 0.24))
_RANDOM_WHOLE = ((24, 0.5), (32, 0.34))


def without_secrets(value: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a decoded value without what is or may be a secret, and a note on the path of each part left out.

    References to environment variables (`os.environ/NAME`) are kept, also where a secret is expected.
    """
    redaction = _Redaction()
    kept = redaction.kept(value, None, "", headers=False)
    notes = [f"{path}: left out, since it is or may be a secret" for path in redaction.left_out]
    if redaction.more:
        notes.append(f"{redaction.more:,} more parts: left out, since they are or may be secrets")
    return kept, tuple(notes)


def safe_name(name: Any) -> str:
    """Return a name for use in a note: cut, and hidden if it looks like a secret itself."""
    return HIDDEN if looks_secret(str(name)) else str(name)[:MAX_NAME_LENGTH]


def looks_secret(text: str, *, identifies: bool = False) -> bool:
    """Return whether a text is or contains what looks like a key, a token or a password, or is too long to be searched.

    With `identifies`, it is expected to be an identifier and may look random.
    """
    if len(text) > MAX_SEARCHED:
        return True
    if _SECRET_TEXT.search(text) and not REFERENCE.fullmatch(text):
        return True
    if identifies:
        return False
    return _ACCOUNT.search(text) is not None or any(_random(token) for token in _TOKEN.findall(text))


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


class _Redaction:
    """Removes secrets; `left_out` are the paths of the first, and `more` is the number of the others."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        self.more = 0

    def _leave_out(self, path: _Path) -> None:
        if len(self.left_out) < MAX_NOTES:
            self.left_out.append(_written(path))
        else:
            self.more += 1

    def kept(self, value: Any, path: _Path | None, name: str, *, headers: bool) -> Any:
        """Return a value, which is no secret as a whole, without the secrets in it."""
        if isinstance(value, dict):
            return self._members(value, path, headers=headers)
        if isinstance(value, list):
            return self._elements(value, path, name, headers=headers)
        return value

    def _members(self, members: dict[Any, Any], path: _Path | None, *, headers: bool) -> dict[Any, Any]:
        named = [members.get(naming) for naming in _NAMING]
        names_secret = any(isinstance(name, str) and _is_secret_name(_words(name), headers=True) for name in named)
        kept = {}
        for key, value in members.items():
            name = _words(str(key))
            secret = _is_secret_name(name, headers=headers) or (names_secret and name in _NAMED)
            if secret and (value is None or value == ""):
                continue
            named_safely = safe_name(key)
            below = (path, named_safely)
            if named_safely == HIDDEN or self._is_secret(value, name, secret=secret):
                self._leave_out(below)
            else:
                kept[key] = self.kept(value, below, name, headers=headers or name.endswith("headers"))
        return kept

    def _elements(self, elements: list[Any], path: _Path | None, name: str, *, headers: bool) -> list[Any]:
        first = elements[0] if len(elements) == 2 and headers else None
        pair = isinstance(first, str) and _is_secret_name(_words(first), headers=True)
        kept = []
        for at, element in enumerate(elements):
            below = (path, at)
            if self._is_secret(element, name, secret=pair and at == 1):
                self._leave_out(below)
            else:
                kept.append(self.kept(element, below, name, headers=headers))
        return kept

    @staticmethod
    def _is_secret(value: Any, name: str, *, secret: bool) -> bool:
        if isinstance(value, str):
            if secret and not REFERENCE.fullmatch(value):
                return True
            return looks_secret(value, identifies=_IDENTIFIER.search(name) is not None)
        if not secret or isinstance(value, bool):
            return False
        if isinstance(value, int | float) and name.endswith("token"):
            return abs(value) > LARGEST_COUNT
        return not _only_references(value)


def _only_references(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_only_references, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None and not looks_secret(value)


def _words(name: str) -> str:
    return _WORD_BORDER.sub("_", name).strip("_").lower()


def _is_secret_name(name: str, *, headers: bool) -> bool:
    ending = _REVERSED_ENDING.match(name[::-1])
    name = name[: len(name) - ending.end()] if ending else name
    if _HARMLESS_KEY.search(name) or (name.endswith(_TOKEN_NAME) and _HARMLESS_TOKEN.search(name[: -len("token")])):
        return False
    return (_SECRET_HEADER if headers else _SECRET_NAME).search(name) is not None


def _random(token: str) -> bool:
    if _AWS_KEY.fullmatch(token):
        return True
    runs = [run for run in re.split(r"[+/=_-]+", token) if not _HEXADECIMAL.fullmatch(run)]
    return any(_changes_often(run, _RANDOM_RUNS) for run in runs) or _changes_often("".join(runs), _RANDOM_WHOLE)


def _changes_often(run: str, bounds: tuple[tuple[int, float], ...]) -> bool:
    if not any(map(str.isdigit, run)):
        return False
    run = _CAPITAL.sub(lambda capital: capital[0].lower(), run)
    kinds = [(character.isdigit(), character.isupper()) for character in run]
    changes = sum(one != other for one, other in pairwise(kinds))
    return any(len(run) >= length and changes >= share * (len(run) - 1) for length, share in bounds)
