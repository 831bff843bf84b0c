"""Check the database against the declared indexes, validators and views, and create what is missing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pymongo import IndexModel

from indexes import validators
from indexes.drift import Drift, DriftKind, compare_view, index_drift, is_collection, validator_drift, view_drift
from indexes.indexes import INDEXES, LOADED
from indexes.views import VIEWS
from indexes.views.view import Stage


class IndexStore(Protocol):
    """The driver calls that this module needs."""

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Create the indexes that do not exist yet, and wait for those that are being built."""

    async def drop_indexes(self, collection: str, names: Sequence[str]) -> bool:
        """Drop indexes, and return whether they were; they stay when the database user lacks the right."""

    async def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        """Return the indexes as the server describes them; empty for an absent collection.

        Those that it has not finished yet are described with `building`.
        """

    async def collection_options(self) -> dict[str, dict[str, Any]]:
        """Return the options of every collection and view, by its name."""

    async def set_validator(self, collection: str, validator: Mapping[str, Any]) -> None:
        """Set the validator of a collection, and create the collection if it is absent.

        The level and action of an earlier validator are kept. Does nothing when the database user lacks the right.
        """

    async def put_view(self, name: str, source: str, pipeline: Sequence[Stage]) -> None:
        """Create a view or replace its definition; does nothing when the database user lacks the right."""


async def check(store: IndexStore) -> list[Drift]:
    """Return every difference between what is declared and the database."""
    options = await store.collection_options()
    drifts = view_drift(options)
    for collection in validators.VALIDATORS:
        drifts += validator_drift(collection, options.get(collection, {}))
    for collection in INDEXES:
        drifts += index_drift(collection, await store.list_indexes(collection))
    return sorted(drifts, key=lambda drift: (drift.collection, drift.name))


async def ensure(store: IndexStore, before_building: Callable[[], object] = lambda: None) -> list[Drift]:
    """Create what is missing, in the declared order, and return the differences that remain.

    `before_building` is called if indexes are to be built or waited for, which takes minutes for a large directory.

    Several processes may run this at once. No index is dropped: an index with the name or the fields of a declared
    one, an undeclared index, or a validator that modeldeck did not make may be someone's decision, so it is only
    reported. A validator made by an earlier version of modeldeck is replaced.
    """
    # Usually all is there, and every command asks.
    if not await check(store):
        return []
    options = await store.collection_options()
    for collection, validator in validators.VALIDATORS.items():
        found = options.get(collection, {})
        if found.get("validator") != validator and validators.replaceable(found):
            await store.set_validator(collection, validator)
    await _ensure_views(store)
    missing = {(drift.collection, drift.name) for drift in await check(store) if drift.kind is DriftKind.MISSING}
    wanted = {
        collection: [index for index in declared if (collection, index.document["name"]) in missing]
        for collection, declared in INDEXES.items()
    }
    if any(wanted.values()):
        before_building()
    for collection, indexes in wanted.items():
        if indexes:
            await store.create_indexes(collection, indexes)
    return await check(store)


async def drop_until_loaded(store: IndexStore) -> bool:
    """Drop the indexes of models and revisions that can wait until a load has ended; return whether any was dropped.

    `ensure` makes them again, each collection being read once. Indexes that are not as declared stay.
    """
    dropped = False
    for collection in LOADED:
        found = await store.list_indexes(collection)
        amiss = {drift.name for drift in index_drift(collection, found)}
        names = [index.document["name"] for index in INDEXES[collection] if index.can_wait]
        if present := [name for name in names if name not in amiss]:
            dropped = await store.drop_indexes(collection, present) or dropped
    return dropped


async def _ensure_views(store: IndexStore) -> None:
    # A differing view is replaced: it holds no data that could be lost, and an old one would contradict the
    # documentation. A collection with the name of a view is left alone.
    options = await store.collection_options()
    for view in VIEWS:
        found = options.get(view.name)
        if compare_view(view, found) is not None and (found is None or not is_collection(found)):
            await store.put_view(view.name, view.source, view.pipeline)
