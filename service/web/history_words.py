"""What has changed in a model, in words, and the difference between two texts."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
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
# Comparing takes time that grows with the square of the parts.
MAX_PARTS = 3000
MAX_SHOWN = 20_000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


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


def compared(before: str, after: str) -> Parts:
    """Return the parts of two texts in order, each as `same`, `gone` or `new`."""
    one, other = _parts(before), _parts(after)
    if len(one) + len(other) > MAX_PARTS:
        return [("gone", shortened(before)), ("new", shortened(after))]
    found: Parts = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(("same", "".join(one[i1:i2])))
            continue
        found += [("gone", "".join(one[i1:i2]))] * (i2 > i1) + [("new", "".join(other[j1:j2]))] * (j2 > j1)
    return found


def _parts(text: str) -> list[str]:
    words = _WORDS.findall(text)
    return words if len(words) <= MAX_PARTS // 2 else text.splitlines(keepends=True)


def rendered(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return one difference as the page shows it: its name and its parts."""
    before, after = (
        _lines(difference[side], difference["path"]) if side in difference else None for side in ("before", "after")
    )
    if before is None:
        parts = [("new", shortened(after or ""))]
    elif after is None:
        parts = [("gone", shortened(before))]
    else:
        parts = compared(before, after)
    return {"label": label(difference["path"]), "path": difference["path"], "parts": parts}
