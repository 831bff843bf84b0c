"""Make the indexes, validators and views that are missing, and tell where the live database differs from those."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pymongo import IndexModel

from documents import ApiKey, Group, ModelRecord, Revision, User
from indexes import api_key, group, model, revision, user, validators
from indexes.drift import Drift, DriftKind
from indexes.ensure_views import ViewStore, check_views, ensure_views
from indexes.index import Index

DECLARED: Mapping[str, Sequence[Index]] = {
    ModelRecord.Settings.name: model.INDEXES,
    User.Settings.name: user.INDEXES,
    Group.Settings.name: group.INDEXES,
    ApiKey.Settings.name: api_key.INDEXES,
    Revision.Settings.name: revision.INDEXES,
}

# What the server adds by itself and what never changes an answer.
_INCIDENTAL = {"v", "ns", "name", "key", "background"}
# Options by which two indexes on the same fields can stand beside each other.
_DISTINGUISHING = ("collation", "partialFilterExpression", "sparse")

# Fields with their directions, and the options that matter.
Shape = tuple[list[tuple[str, Any]], dict[str, Any]]


class IndexStore(ViewStore, Protocol):
    """The driver calls that this package needs."""

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Create the indexes that do not exist yet."""

    async def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        """Return the live indexes as the server describes them; empty for an absent collection."""

    async def collection_options(self) -> dict[str, dict[str, Any]]:
        """Return the options of every collection and view, by its name."""

    async def set_validator(self, collection: str, validator: Mapping[str, Any]) -> None:
        """Let a collection have this validator, and make the collection when there is none.

        Where it had another validator, level and action stay as they are. When the database user may not do this,
        nothing is done.
        """


def _shape(description: Mapping[str, Any]) -> Shape:
    options = {name: value for name, value in description.items() if name not in _INCIDENTAL and value is not False}
    # Directions come back as floats from some clients; those of other kinds of index are words, such as "hashed".
    fields = description["key"].items()
    return [(field, kind if isinstance(kind, str) else int(kind)) for field, kind in fields], options


def _clash(wanted: Shape, live: Shape) -> bool:
    # The server holds no two indexes on the same fields that differ in nothing but their names or uniqueness.
    return wanted[0] == live[0] and all(wanted[1].get(option) == live[1].get(option) for option in _DISTINGUISHING)


def _compared(collection: str, name: str, wanted: Shape, live: Mapping[str, Shape]) -> Drift | None:
    guards = bool(wanted[1].get("unique"))
    if name in live:
        detail = f"declared {_described(wanted)}, live {_described(live[name])}"
        return None if live[name] == wanted else Drift(collection, name, DriftKind.DIFFERENT, detail, guards)
    for other, shape in live.items():
        if _clash(wanted, shape):
            detail = f"declared {_described(wanted)}, live {_described(shape)} under the name {other}"
            return Drift(collection, name, DriftKind.DIFFERENT, detail, guards)
    return Drift(collection, name, DriftKind.MISSING, _described(wanted), guards)


async def check(store: IndexStore) -> list[Drift]:
    """Return every difference between what is declared and the live database."""
    options = await store.collection_options()
    drifts = check_views(options)
    drifts += [
        drift
        for collection in validators.DECLARED
        for drift in validators.compared(collection, options.get(collection, {}))
    ]
    for collection, declared in DECLARED.items():
        wanted = {index.document["name"]: _shape(index.document) for index in declared}
        live = {
            description["name"]: _shape(description)
            for description in await store.list_indexes(collection)
            if description["name"] != "_id_"
        }
        compared = (_compared(collection, name, shape, live) for name, shape in wanted.items())
        drifts.extend(drift for drift in compared if drift is not None)
        drifts.extend(
            Drift(collection, name, DriftKind.EXTRA, _described(shape))
            for name, shape in live.items()
            if name not in wanted
        )
    return sorted(drifts, key=lambda drift: (drift.collection, drift.name))


async def ensure(store: IndexStore) -> list[Drift]:
    """Create what is missing, in the declared order, and return what still differs.

    Safe to run from many processes at once. Nothing is dropped: an index that takes the name or the fields of a
    declared one, one that we do not declare, or a validator that no version of ours made, is somebody's decision, so
    it is reported. A validator of an earlier version of ours is replaced.
    """
    options = await store.collection_options()
    for collection, validator in validators.DECLARED.items():
        live = options.get(collection, {})
        if live.get("validator") != validator and validators.replaceable(live):
            await store.set_validator(collection, validator)
    await ensure_views(store)
    missing = {(drift.collection, drift.name) for drift in await check(store) if drift.kind is DriftKind.MISSING}
    for collection, declared in DECLARED.items():
        wanted = [index for index in declared if (collection, index.document["name"]) in missing]
        if wanted:
            await store.create_indexes(collection, wanted)
    return await check(store)


def _described(shape: Shape) -> str:
    fields, options = shape
    written = ", ".join(f"{field}: {direction}" for field, direction in fields)
    return f"{{{written}}}" + (f" {options}" if options else "")
