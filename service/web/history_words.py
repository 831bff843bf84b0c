"""What has changed in a model, in words, and the difference between two texts."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby, takewhile
from operator import itemgetter
from typing import Any

from documents.grant import EVERYONE, PrincipalType
from documents.revision import ChangeKind
from service.web.words import listed

_FIELDS = {
    "name": "the name",
    "params": "the prompt or settings",
    "meta": "the description, tags or image",
    "access_grants": "the sharing",
    "is_active": "the state",
    "base_model_id": "the base model",
    "user_id": "the owner",
}
_DONE = {
    ChangeKind.CREATE: "created it",
    ChangeKind.RESTORE: "restored an older version",
    ChangeKind.TRANSFER: "gave it to another owner",
    ChangeKind.DELETE: "deleted it",
}
_LABELS = {
    "/name": "Name",
    "/base_model_id": "Base model",
    "/params/system": "System prompt",
    "/meta/description": "Description",
    "/meta/tags": "Tags",
    "/meta/profile_image_url": "Image",
    "/access_grants": "Shared with",
    "/is_active": "State",
    "/user_id": "Owner",
}
# Pairs of equal parts that are looked at for one answer, which takes less than half a second.
MAX_PAIRS = 4_000_000
MAX_WORDS = 1500
MAX_SHOWN = 20_000
# With the space behind them: single spaces are so frequent that to compare them would cost more than all words.
_WORDS = re.compile(r"\w+[^\S\n]*|[^\w\s][^\S\n]*|\s+")


def what(change: str, fields: Sequence[str]) -> str:
    """Return what a change has done, such as `changed the name and the sharing`."""
    kind = ChangeKind(change) if change in set(ChangeKind) else None
    if kind in _DONE:
        return _DONE[kind]
    changed = listed([_FIELDS.get(field, field) for field in fields]) if fields else "nothing"
    if kind in (ChangeKind.IMPORT, ChangeKind.SYNC):
        # All of them differ where there was nothing before.
        return "imported it" if not fields or len(fields) == len(_FIELDS) else f"imported it, which changed {changed}"
    return f"changed {changed}"


def label(pointer: str) -> str:
    """Return the name of a part of a model at a JSON pointer."""
    if pointer in _LABELS:
        return _LABELS[pointer]
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    first = {"params": "Setting", "meta": "Detail"}.get(parts[0], parts[0])
    return f"{first} {' › '.join(parts[1:])}"


def as_text(value: Any) -> str:
    """Return a value as text: text as it is, anything else as JSON on several lines."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _lines(value: Any, path: str) -> str:
    """Return a value as text; tags and grants, each on a line."""
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        if path == "/meta/tags":
            return "\n".join(str(one.get("name")) for one in value)
        if path == "/access_grants":
            return "\n".join(sorted(map(_grant, value)))
    return as_text(value)


def _grant(grant: Mapping[str, Any]) -> str:
    everyone = (grant.get("principal_type"), grant.get("principal_id")) == (PrincipalType.USER, EVERYONE)
    whom = "Everyone" if everyone else f"{str(grant.get('principal_type')).title()} {grant.get('principal_id')}"
    return f"{whom} may {grant.get('permission')}"


def shortened(text: str) -> str:
    """Return text within what a page can show."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text) - MAX_SHOWN:,} characters more)"


Parts = list[tuple[str, str]]


class TooMuchError(Exception):
    """To compare two texts takes more than may still be spent."""


class Effort:
    """What may still be spent on comparing for one answer, in pairs of equal parts."""

    def __init__(self, pairs: int = MAX_PAIRS) -> None:
        self._left = pairs

    def spend(self, pairs: int) -> None:
        """Spend so much; raise TooMuchError when less is left, and leave it."""
        if pairs > self._left:
            raise TooMuchError
        self._left -= pairs


class _Matcher(difflib.SequenceMatcher[str]):
    """Finds what two texts have in common, as long as the effort lasts.

    The library looks through the parts again for each match, so that the sizes alone do not tell how long it takes.
    """

    def __init__(self, one: Sequence[str], other: Sequence[str], effort: Effort) -> None:
        super().__init__(None, one, other, autojunk=False)
        self._effort = effort
        equal = Counter(other)
        # One more for each part, which is looked up also where nothing is equal to it.
        self._before = [0, *accumulate(1 + equal[part] for part in one)]

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Any:
        """Return what the library does; raise TooMuchError when that takes more than is left."""
        end = len(self._before) - 1 if ahi is None else ahi
        self._effort.spend(self._before[end] - self._before[alo])
        return super().find_longest_match(alo, ahi, blo, bhi)


def compared(before: str, after: str, effort: Effort) -> Parts:
    """Return the parts of two texts in order, each as `same`, `gone` or `new`; beyond the effort, both texts whole."""
    one, other = _parts(before), _parts(after)
    # Most changes are small, and what surrounds them costs nothing.
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    middle, changed = one[start : len(one) - end], other[start : len(other) - end]
    around = "".join(one[:start]), "".join(one[len(one) - end :])
    try:
        return _joined([("same", around[0]), *_matched(middle, changed, effort), ("same", around[1])])
    except TooMuchError:
        return [("gone", shortened(before)), ("new", shortened(after))]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _joined(parts: Parts) -> Parts:
    kinds = groupby((part for part in parts if part[1]), key=itemgetter(0))
    return [(kind, "".join(text for _, text in several)) for kind, several in kinds]


def _matched(one: Sequence[str], other: Sequence[str], effort: Effort) -> Parts:
    found: Parts = []
    for tag, i1, i2, j1, j2 in _Matcher(one, other, effort).get_opcodes():
        if tag == "equal":
            found.append(("same", "".join(one[i1:i2])))
            continue
        found += [("gone", "".join(one[i1:i2]))] * (i2 > i1) + [("new", "".join(other[j1:j2]))] * (j2 > j1)
    return found


def _parts(text: str) -> list[str]:
    words = _WORDS.findall(text)
    return words if len(words) <= MAX_WORDS else text.splitlines(keepends=True)


def rendered(differences: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return differences as the page shows them: the name of each, and its parts."""
    effort = Effort()
    return [_rendered(difference, effort) for difference in differences]


def _rendered(difference: Mapping[str, Any], effort: Effort) -> dict[str, Any]:
    before, after = (
        _lines(difference[side], difference["path"]) if side in difference else None for side in ("before", "after")
    )
    if before is None:
        parts = [("new", shortened(after or ""))]
    elif after is None:
        parts = [("gone", shortened(before))]
    else:
        parts = compared(before, after, effort)
    return {"label": label(difference["path"]), "path": difference["path"], "parts": parts}
