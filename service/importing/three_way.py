"""The three-way comparison of a model: what the source said last, what it says now, and what is here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.database.exact_bson import unordered_bytes
from service.models.fingerprints import CONTAINERS, GRANTS, MAX_MEMBERS, SCALARS, Fingerprints, Path, grant_paths
from service.models.record import Content

_MAX_SHOWN_NAME = 100
_ABSENT: Any = object()


@dataclass(slots=True)
class Merged:
    """The content that a record shall have, of the fields that the source gives.

    `conflicts` are the parts that were changed here and in the source, each in another way: they stay as they are
    here. `kept` are the other parts that differ from the source, since they were changed here.
    """

    content: dict[str, Any] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def decide(self, last: Fingerprints, path: Path, file: Any, now: Any) -> Any:
        """Return the value that a part shall have; a value that is not there is `_ABSENT`."""
        if _same(file, now):
            return now
        if _is_as_last(last, path, file):
            self.kept.append(_shown(path))
            return now
        if _is_as_last(last, path, now):
            return file
        self.conflicts.append(_shown(path))
        return now


def merge(last: Fingerprints, file: Content, now: Content) -> Merged:
    """Merge what the source gives now into a well-formed record, part by part.

    A part is a field, a member of `params` or `meta`, or a grant. What the source has not changed since it was last
    read stays as it is here, and what was not changed here becomes what the source says; this goes for parts that were
    removed, too. A field that `file` lacks is not mentioned in the result: the source says nothing about it. The order
    of names is no change, neither here nor there.
    """
    merged = Merged()
    for name in SCALARS:
        if name in file:
            merged.content[name] = merged.decide(last, (name,), file[name], now[name])
    for name in CONTAINERS:
        if name in file:
            merged.content[name] = _container(merged, last, name, file[name], now[name])
    if GRANTS in file:
        merged.content[GRANTS] = _grants(merged, last, file, now)
    return merged


def _container(
    merged: Merged, last: Fingerprints, name: str, file: Mapping[str, Any], now: Mapping[str, Any]
) -> Mapping[str, Any]:
    if last.matches_order(name, now):
        # Not even the order of names was changed here, so that of the source is followed.
        return file
    if _same(file, now):
        return now
    if last.matches_whole(name, now):
        return file
    prints = last.container(name)
    if max(len(file), len(now)) > MAX_MEMBERS or (prints is not None and prints.is_large(name)):
        kept = merged.kept if last.matches_whole(name, file) else merged.conflicts
        kept.append(name)
        return now
    decided = {
        member: merged.decide(last, (name, member), file.get(member, _ABSENT), now.get(member, _ABSENT))
        for member in {**now, **file}
    }
    return {member: value for member, value in decided.items() if value is not _ABSENT}


def _grants(merged: Merged, last: Fingerprints, file: Content, now: Content) -> list[Mapping[str, Any]]:
    here, given = grant_paths(now[GRANTS]), grant_paths(file[GRANTS])
    decided = {
        path: merged.decide(last, path, path in given or _ABSENT, path in here or _ABSENT) for path in {**here, **given}
    }
    return [here.get(path) or given[path] for path, there in decided.items() if there is True]


def _is_as_last(last: Fingerprints, path: Path, value: Any) -> bool:
    return not last.has(path) if value is _ABSENT else last.matches(path, value)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return one is not _ABSENT and other is not _ABSENT and unordered_bytes(one) == unordered_bytes(other)


def _shown(path: Path) -> str:
    name = ".".join(path[:2]) if path[0] != GRANTS else f"{path[0]}: {path[3]} of {path[1]} {path[2]}"
    return name if len(name) <= _MAX_SHOWN_NAME else f"{name[:_MAX_SHOWN_NAME]}…"
