"""Which record a model of a source belongs to: the one that came from it, by its key there, or the one of its id."""

from collections.abc import Mapping, Sequence
from typing import Any

from documents import ModelRecord, Revision
from documents.revision import ChangeKind
from service.auth import access_rule
from service.database.client import Database
from service.importing.adoption import Adoption
from service.importing.candidate import Candidate
from service.importing.plan import ImportOptions
from service.models.store import ORIGIN


class Records:
    """Finds the records of the models of one source."""

    def __init__(self, database: Database, options: ImportOptions) -> None:
        self._database = database
        self._options = options
        self._known_names: list[str] | None = None
        # Without it, what an earlier version imported would be imported again beside it.
        self._adoption = Adoption(database) if options.caller is None else None

    def expect(self, value: Any) -> None:
        """Note a model of the source before any is looked for: what has its id is not taken over for another."""
        if self._adoption is not None and isinstance(value, Mapping) and isinstance(value.get("id"), str):
            self._adoption.keep(value["id"])

    async def find(self, batch: Sequence[Candidate]) -> None:
        """Say for each model which record is its own: give it the `record_id`."""
        # Without a name for the source, only what gets its id from a reader can be elsewhere than under that id.
        named = self._options.source is not None
        known = await self.by_key([one.model.id for one in batch if named or one.former_id is not None])
        unknown = [candidate for candidate in batch if candidate.model.id not in known]
        earlier = await self._adoption.find(unknown) if self._adoption is not None else {}
        taken = earlier if self._options.adopt else {}
        for candidate in batch:
            key = candidate.model.id
            candidate.record_id = known.get(key) or taken.get(key, key)
            candidate.adopted = key in taken
            candidate.formerly = None if key in taken else earlier.get(key)

    async def by_key(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of the records of these keys in the source that are remembered."""
        if not keys:
            return {}
        names = await self._names()
        query = {"origin.source": {"$in": names}, "origin.key": {"$in": list(keys)}}
        if self._options.caller is not None:
            query = {**access_rule.readable(self._options.caller), **query}
        found = await self._database.find(ModelRecord, query, fields=["origin.source", "origin.key"])
        found.sort(key=lambda record: names.index(record[ORIGIN]["source"]))
        return {record[ORIGIN]["key"]: record["_id"] for record in found}

    async def _names(self) -> list[str]:
        """Return the names under which a model may be remembered; of several, the last counts.

        What is remembered under another one must not be made again: it is a conflict then.
        """
        options = self._options
        if options.source is not None:
            return [name for name in (options.nameless, options.source) if name is not None]
        if self._known_names is None:
            # In this order the server visits each name once in the index.
            pipeline: list[dict[str, Any]] = [
                {"$match": {"origin.source": {"$gt": ""}}},
                {"$sort": {"origin.source": 1}},
                {"$group": {"_id": "$origin.source"}},
            ]
            found = await self._database.aggregate(ModelRecord, pipeline)
            names = [name["_id"] for name in found]
            self._known_names = sorted(names, key=lambda name: (name == options.nameless, name))
        return self._known_names


async def deleted_by_hand(database: Database, model_ids: Sequence[str]) -> set[str]:
    """Return those of the ids whose last model was deleted here, and not because it had gone from its source."""
    if not model_ids:
        return set()
    last = {"change": {"$first": "$change"}, "deleted": {"$first": {"$eq": [{"$type": "$after"}, "null"]}}}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"model_id": {"$in": list(model_ids)}}},
        {"$sort": {"model_id": 1, "version": -1}},
        {"$group": {"_id": "$model_id", **last}},
        {"$match": {"deleted": True, "change": {"$ne": ChangeKind.IMPORT}}},
    ]
    return {found["_id"] for found in await database.aggregate(Revision, pipeline)}
