"""Create the indexes that are missing, and tell where the live database differs from what we declare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pymongo import IndexModel

from documents import ApiKey, Group, ModelRecord, Revision, User
from indexes import api_key, group, model, revision, user

DECLARED: Mapping[str, Sequence[IndexModel]] = {
    ModelRecord.Settings.name: model.INDEXES,
    User.Settings.name: user.INDEXES,
    Group.Settings.name: group.INDEXES,
    ApiKey.Settings.name: api_key.INDEXES,
    Revision.Settings.name: revision.INDEXES,
}

# What the server adds by itself and what never changes an answer.
_INCIDENTAL = {"v", "ns", "name", "key", "background"}


# Fields with their directions, and the options that matter.
Shape = tuple[list[tuple[str, Any]], dict[str, Any]]


class DriftKind(StrEnum):
    """How a live index differs from the declared ones."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the declared and the live indexes."""

    collection: str
    index: str
    kind: DriftKind
    detail: str

    def __str__(self) -> str:
        """Write the difference as one line."""
        return f"{self.kind}: {self.collection}.{self.index} ({self.detail})"


class IndexStore(Protocol):
    """The two driver calls that this package needs."""

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Create the indexes that do not exist yet."""

    async def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        """Return the live indexes as the server describes them; empty for an absent collection."""


def _shape(description: Mapping[str, Any]) -> Shape:
    options = {name: value for name, value in description.items() if name not in _INCIDENTAL and value is not False}
    return [(field, int(direction)) for field, direction in description["key"].items()], options


def _compared(collection: str, name: str, wanted: Shape | None, live: Shape | None) -> Drift | None:
    if wanted == live:
        return None
    if live is None:
        return Drift(collection, name, DriftKind.MISSING, _described(wanted))
    if wanted is None:
        return Drift(collection, name, DriftKind.EXTRA, _described(live))
    return Drift(collection, name, DriftKind.DIFFERENT, f"declared {_described(wanted)}, live {_described(live)}")


async def check(store: IndexStore) -> list[Drift]:
    """Return every difference between the declared indexes and those of the live database."""
    drifts: list[Drift] = []
    for collection, declared in DECLARED.items():
        wanted = {index.document["name"]: _shape(index.document) for index in declared}
        live = {
            description["name"]: _shape(description)
            for description in await store.list_indexes(collection)
            if description["name"] != "_id_"
        }
        compared = (_compared(collection, name, wanted.get(name), live.get(name)) for name in wanted.keys() | live)
        drifts.extend(drift for drift in compared if drift is not None)
    return sorted(drifts, key=lambda drift: (drift.collection, drift.index))


async def ensure(store: IndexStore) -> list[Drift]:
    """Create what is missing and return what still differs.

    Safe to run from many processes at once. Nothing is dropped: an index of the same name with another
    definition, or one we do not declare, is somebody's decision, so it is reported instead.
    """
    for drift in await check(store):
        if drift.kind is DriftKind.MISSING:
            missing = [index for index in DECLARED[drift.collection] if index.document["name"] == drift.index]
            await store.create_indexes(drift.collection, missing)
    return await check(store)


def _described(shape: Shape | None) -> str:
    if shape is None:
        return "none"
    fields, options = shape
    written = ", ".join(f"{field}: {direction}" for field, direction in fields)
    return f"{{{written}}}" + (f" {options}" if options else "")
