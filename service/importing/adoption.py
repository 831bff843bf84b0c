"""Finding records that an earlier version imported under another id, so that they are taken over and not made again."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from documents import ModelRecord
from service.database.client import Database
from service.database.exact_bson import Record
from service.importing.candidate import Candidate
from service.importing.fingerprints import Fingerprints
from service.importing.operations import batches
from service.models.shape_check import malformed_fields
from service.models.store import ORIGIN

# Each prefix is a part of the query, and each record that it finds is read.
BATCH = 100
_AFTER_ALL = "\U0010ffff"
_SPECIAL = ".^$*+?{}[]()|"
_QUANTIFIERS = "*?{"


class Adoption:
    """Takes each record at most once, and none whose id the source itself has."""

    def __init__(self, database: Database) -> None:
        """Read records from this database."""
        self._database = database
        self._own_ids: set[str] = set()
        self._taken: dict[str, str] = {}

    def keep(self, model_id: str) -> None:
        """Say that the source has a model of this id, to which a record of this id belongs."""
        self._own_ids.add(model_id)

    async def find(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        """Return, for those models that are not here, the ids of the records that they were imported to before."""
        found: dict[str, str] = {}
        formerly = [candidate for candidate in candidates if candidate.former_id is not None]
        for batch in batches(formerly, BATCH):
            ids = [candidate.model.id for candidate in batch]
            here = {record["_id"] for record in await self._read({"_id": {"$in": ids}}, ["_id"])}
            absent = [candidate for candidate in batch if candidate.model.id not in here]
            records = await self._records_for(absent)
            for candidate in absent:
                record_id = await self._choose(candidate, records[_identity(candidate.content)])
                if record_id is not None:
                    found[candidate.model.id] = record_id
        return found

    async def _read(self, query: Mapping[str, Any], fields: list[str]) -> list[Record]:
        return await self._database.find(ModelRecord, query, fields=fields)

    async def _records_for(self, candidates: Sequence[Candidate]) -> Mapping[Any, list[str]]:
        """Return the ids of the records without an origin that may be these models, by what identifies a model."""
        prefixes = sorted({literal_prefix(candidate.former_id or "") for candidate in candidates} - {""})
        by_identity: defaultdict[Any, list[str]] = defaultdict(list)
        if not prefixes:
            return by_identity
        query = {
            "$or": [{"_id": {"$gte": prefix, "$lt": prefix + _AFTER_ALL}} for prefix in prefixes],
            "name": {"$in": sorted({candidate.model.name for candidate in candidates})},
            ORIGIN: None,
        }
        project = {"$project": {"name": 1, "base_model_id": 1, "params.api_base": 1}}
        # By default the server may prefer an index that orders all models, and read them all.
        for record in await self._database.aggregate(ModelRecord, [{"$match": query}, project], hint="_id_"):
            by_identity[_identity(record)].append(record["_id"])
        return by_identity

    async def _choose(self, candidate: Candidate, record_ids: Sequence[str]) -> str | None:
        former = re.compile(candidate.former_id or "")
        key = candidate.model.id
        free = sorted(
            record_id
            for record_id in record_ids
            if former.fullmatch(record_id)
            and record_id not in self._own_ids
            # Asked again after a lost race, a model gets the same record.
            and self._taken.get(record_id, key) == key
        )
        if not free:
            return None
        found = free[0] if len(free) == 1 else await self._most_alike(candidate, free)
        self._taken[found] = key
        return found

    async def _most_alike(self, candidate: Candidate, record_ids: Sequence[str]) -> str:
        said = Fingerprints.of(candidate.said)
        best, most = record_ids[0], -1
        query = {"_id": {"$in": list(record_ids)}}
        async for batch in self._database.aggregate_batches(ModelRecord, query, [], size=BATCH):
            for record in batch:
                equal = 0 if malformed_fields(record, with_params=True) else said.equal_parts(record)
                if equal > most:
                    best, most = record["_id"], equal
        return best


def _identity(content: Mapping[str, Any]) -> tuple[Any, ...]:
    params = content.get("params")
    api_base = params.get("api_base") if isinstance(params, Mapping) else None
    return tuple(map(repr, (content.get("name"), content.get("base_model_id"), api_base)))


def literal_prefix(pattern: str) -> str:
    """Return the text with which everything begins that a regular expression matches; empty if that is not known."""
    if "|" in pattern:
        return ""
    prefix, at = "", 0
    while at < len(pattern):
        escaped = pattern[at] == "\\"
        character = pattern[at + 1 : at + 2] if escaped else pattern[at]
        if (character.isalnum() if escaped else character in _SPECIAL) or not character:
            # What comes before a quantifier need not be there.
            return prefix[:-1] if not escaped and character in _QUANTIFIERS else prefix
        prefix += character
        at += 2 if escaped else 1
    return prefix
