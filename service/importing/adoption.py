"""Finding records that an earlier version imported under another id, so that they are taken over and not made again."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from documents import ModelRecord
from service.database.client import Database
from service.database.exact_bson import Record
from service.importing.candidate import Candidate
from service.importing.operations import batches
from service.models.fingerprints import Fingerprints
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
        self._former: dict[str, defaultdict[tuple[str, ...], list[str]]] = {}
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
            await self._read_former(absent)
            for candidate in absent:
                former = self._former[candidate.former_id or ""]
                record_id = await self._choose(candidate, former.get(_identity(candidate.content), []))
                if record_id is not None:
                    found[candidate.model.id] = record_id
        return found

    async def _read(self, query: Mapping[str, Any], fields: list[str]) -> list[Record]:
        return await self._database.find(ModelRecord, query, fields=fields)

    async def _read_former(self, candidates: Sequence[Candidate]) -> None:
        """Read, once for each form of ids, the ids of all records of that form without an origin, by their identity.

        What is imported meanwhile has ids of another form.
        """
        forms = {form for candidate in candidates if (form := candidate.former_id) and form not in self._former}
        prefixes = {form: prefix for form in sorted(forms) if (prefix := literal_prefix(form))}
        self._former |= {form: defaultdict(list) for form in forms}
        if not prefixes:
            return
        query = {
            "$or": [
                {"_id": {"$gte": prefix, "$lt": prefix + _AFTER_ALL, "$regex": f"^(?:{form})$"}}
                for form, prefix in prefixes.items()
            ],
            ORIGIN: None,
        }
        project = {"$project": {"name": 1, "base_model_id": 1, "params.api_base": 1}}
        patterns = [(form, prefix, re.compile(form)) for form, prefix in prefixes.items()]
        # By default the server may prefer an index that orders all models, and read them all.
        for record in await self._database.aggregate(ModelRecord, [{"$match": query}, project], hint="_id_"):
            for form, prefix, pattern in patterns:
                if record["_id"].startswith(prefix) and pattern.fullmatch(record["_id"]):
                    self._former[form][_identity(record)].append(record["_id"])

    async def _choose(self, candidate: Candidate, record_ids: Sequence[str]) -> str | None:
        key = candidate.model.id
        free = sorted(
            record_id
            for record_id in record_ids
            if record_id not in self._own_ids
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
