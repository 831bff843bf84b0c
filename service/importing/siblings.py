"""Entries of a source that it does not tell apart by ids: each keeps the record that it had, by what is in both."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from documents import ModelRecord
from service.auth import access_rule
from service.auth.access_rule import Match
from service.database.client import Database
from service.database.exact_bson import Record
from service.importing.operations import batches
from service.importing.origins import Records
from service.importing.plan import ImportOptions
from service.importing.source import NOTE, Item, Sibling
from service.models.store import ORIGIN

# Identities, and ids of their possible records, that one query asks for.
BATCH, MAX_IDS = 500, 20_000
# How many numbers are looked at beyond those of the entries; further while records are found among the last ones.
SPARE, MOST = 4, 20_000
# Beyond so many pairs of entries and records, those that are not equal are taken in their order.
MAX_PAIRS = 250_000
_PARTS = ("params", "meta")

Found = dict[int, str]


class Siblings:
    """Gives each entry the number of the record that it had at an earlier import.

    The position of an entry among its siblings does not identify it: when one is removed, the others keep theirs.
    """

    def __init__(self, database: Database, options: ImportOptions, records: Records) -> None:
        self._database = database
        self._options = options
        self._records = records
        self._entries: defaultdict[str, list[tuple[Item, Sibling]]] = defaultdict(list)
        # By position: the id of an entry, or the remark that it is no model of its own.
        self._resolved: dict[str, Item] = {}

    def expect(self, item: Item) -> None:
        """Add an entry, in the pass before the models are written."""
        if item.sibling is not None and item.problem is None:
            self._entries[item.sibling.identity].append((item, item.sibling))

    def resolved(self, item: Item) -> Item:
        """Return an entry under its id, once all are numbered; an entry that equals another one becomes a note."""
        return self._resolved.get(item.position, item) if item.sibling is not None else item

    async def number(self) -> None:
        """Give every entry its number."""
        for identities in batches(list(self._entries), BATCH):
            existing = await self._existing(identities)
            for identity in identities:
                await self._number(self._entries[identity], existing[identity])
        self._entries.clear()
        for item in self._resolved.values():
            self._records.expect(item.value)

    async def _existing(self, identities: Sequence[str]) -> Mapping[str, Found]:
        """Return, for each identity, the ids of the records that are here, by their numbers."""
        found: dict[str, Found] = {identity: {} for identity in identities}
        wanted = {identity: len(self._entries[identity]) + SPARE for identity in identities}
        asked = dict.fromkeys(identities, 0)
        while wanted:
            numbered = {
                self._entries[identity][0][1].id_of(number): (identity, number)
                for identity, most in wanted.items()
                for number in range(asked[identity], most)
            }
            for ids in batches(list(numbered), MAX_IDS):
                for key, record_id in (await self._ids_here(ids)).items():
                    identity, number = numbered[key]
                    found[identity][number] = record_id
            asked |= wanted
            wanted = {
                identity: min(2 * most, MOST)
                for identity, most in wanted.items()
                if most < MOST and max(found[identity], default=-1) >= most - SPARE
            }
        return found

    async def _ids_here(self, keys: Sequence[str]) -> dict[str, str]:
        here = await self._database.find(ModelRecord, self._readable(keys), fields=["_id"])
        return {record["_id"]: record["_id"] for record in here} | await self._records.by_key(keys)

    def _readable(self, ids: Sequence[str]) -> Match:
        """Return the match fragment of the records of these ids that may be looked at."""
        rule = {} if self._options.caller is None else access_rule.readable(self._options.caller)
        return {**rule, "_id": {"$in": list(ids)}}

    async def _number(self, entries: Sequence[tuple[Item, Sibling]], existing: Found) -> None:
        own = [entry for entry in entries if entry[1].equals is None]
        # Entries that equal others are one model with them, unless they have been models of their own.
        equal = [entry for entry in entries if entry[1].equals is not None]
        numbers = await self._matched(own, existing)
        left = sorted(set(existing) - set(numbers.values()))
        numbers |= {item.position: number for (item, _), number in zip(equal, left, strict=False)}
        free = (number for number in range(len(entries) + len(existing)) if number not in existing)
        for item, _ in own:
            if item.position not in numbers:
                numbers[item.position] = next(free)
        for item, sibling in entries:
            number = numbers.get(item.position)
            if number is not None:
                self._resolved[item.position] = replace(item, value={**item.value, "id": sibling.id_of(number)})
                continue
            assert sibling.equals is not None  # noqa: S101  # all others have a number
            first = self._resolved[sibling.equals]
            note = f"equals {sibling.equals} apart from secrets; both are one model"
            self._resolved[item.position] = Item(
                NOTE, item.position, {"id": first.value["id"]}, notes=(*item.notes, note)
            )

    async def _matched(self, entries: Sequence[tuple[Item, Sibling]], existing: Found) -> dict[str, int]:
        """Return the numbers of the records that entries had, by the positions of the entries."""
        if len(existing) == 1 == len(entries):
            return {entries[0][0].position: next(iter(existing))}
        if not existing:
            return {}
        records = await self._records_of(existing)
        matched = _equal_ones(entries, records)
        rest = [item for item, _ in entries if item.position not in matched]
        left = {number: record for number, record in records.items() if number not in matched.values()}
        return matched | _most_alike(rest, left)

    async def _records_of(self, existing: Found) -> dict[int, Record]:
        numbers = {record_id: number for number, record_id in existing.items()}
        records: dict[int, Record] = {}
        fields = ["params", "meta", "access_grants", "is_active", "user_id", ORIGIN]
        for ids in batches(list(numbers), BATCH):
            for record in await self._database.find(ModelRecord, self._readable(ids), fields=fields):
                records[numbers[record["_id"]]] = record
        return dict(sorted(records.items()))


def _equal_ones(entries: Iterable[tuple[Item, Sibling]], records: Mapping[int, Record]) -> dict[str, int]:
    by_content: defaultdict[str, list[int]] = defaultdict(list)
    for number, record in records.items():
        by_content[_content(record)].append(number)
    return {
        item.position: numbers.pop(0) for item, _ in entries if (numbers := by_content.get(_content(item.value), []))
    }


def _content(value: Mapping[str, Any]) -> str:
    return json.dumps([value.get(part) for part in _PARTS] + [sorted(_grants(value))], sort_keys=True, default=str)


def _most_alike(items: Sequence[Item], records: Mapping[int, Record]) -> dict[str, int]:
    if len(items) * len(records) > MAX_PAIRS:
        return {item.position: number for item, number in zip(items, records, strict=False)}
    parts = [set(_members(item.value)) for item in items]
    pairs = sorted(
        (-len(parts[at] & set(members)), at, number)
        for number, members in ((number, list(_members(record))) for number, record in records.items())
        for at in range(len(items))
    )
    matched: dict[int, int] = {}
    for _, at, number in pairs:
        if at not in matched and number not in matched.values():
            matched[at] = number
    return {items[at].position: number for at, number in matched.items()}


def _members(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield each part of a model as text, so that equal parts can be counted."""
    for part in _PARTS:
        held = value.get(part)
        for name, member in held.items() if isinstance(held, Mapping) else ():
            yield json.dumps([part, name, member], sort_keys=True, default=str)
    yield from _grants(value)


def _grants(value: Mapping[str, Any]) -> set[str]:
    grants = value.get("access_grants")
    named = ("principal_type", "principal_id", "permission")
    return {
        json.dumps([grant.get(name) for name in named], default=str)
        for grant in (grants if isinstance(grants, list) else ())
        if isinstance(grant, Mapping)
    }
