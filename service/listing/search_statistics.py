"""What is rare among the records, such as trigrams: an estimate from a sample, renewed in the background."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from fastapi import Request

from documents import ModelRecord
from documents.derived_keys import grams
from service.database.client import Database

log = logging.getLogger("modeldeck")

SAMPLE_SIZE = 2000
# Fetching and checking a candidate costs several times as much as one record in a scan of index keys, so a trigram
# that occurs in more than this share of all records makes a search slower.
COMMON_SHARE = 0.2
MAX_GRAMS = 2
RENEW_SECONDS = 60.0


class _Sample(NamedTuple):
    """What a search finds a sampled record by."""

    text: str
    described: str | None
    tags: frozenset[str]
    capabilities: frozenset[str]


class SearchStatistics:
    """Says what is rare among the records; without a sample, all trigrams and tags are considered rare."""

    def __init__(
        self,
        counts: Mapping[str, Counter[str]] | None = None,
        samples: Sequence[_Sample] = (),
        *,
        records: int = 0,
        middle: datetime | None = None,
    ) -> None:
        """Take for each derived key how many of the sampled records have each value; see the attributes."""
        self._counts = counts or {key: Counter() for key in _COUNTED}
        self._samples = samples
        self._sampled = len(samples)
        # A request asks for the same several times.
        self._found_share = lru_cache(maxsize=64)(self._count_found)
        self.records = records
        """How many records there are about."""
        self.middle = middle
        """About half of the records were created before this."""

    @classmethod
    def of(cls, sample: Sequence[Mapping[str, Any]], records: int | None = None) -> "SearchStatistics":
        """Return the estimate from sampled records with their derived keys, of `records`, by default only these."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
        samples = []
        # What was written past the service can be of any type.
        for keys in (found if isinstance(found := record.get("keys"), Mapping) else {} for record in sample):
            held = {name: _texts(keys.get(name)) for name in _COUNTED}
            for name, values in held.items():
                counts[name].update(values)
            text = found if isinstance(found := keys.get("text"), str) else ""
            described = found if isinstance(found := keys.get("described"), str) else None
            samples.append(_Sample(text, described, held["tags"], held["capabilities"]))
        created = sorted(at for record in sample if isinstance(at := record.get("created_at"), datetime))
        middle = created[len(created) // 2] if created else None
        return cls(counts, samples, records=len(sample) if records is None else records, middle=middle)

    def narrowing(self, *folded_terms: str) -> list[str]:
        """Return up to two trigrams of folded terms, the rarest first; none when all are too frequent."""
        limit = COMMON_SHARE * self._sampled
        found = set[str]().union(*map(grams, folded_terms))
        held = self._counts["grams"]
        usable = [gram for gram in found if not self._sampled or held[gram] <= limit]
        return sorted(usable, key=lambda gram: (held[gram], gram))[:MAX_GRAMS]

    def share_with(self, key: str, values: Iterable[str]) -> float:
        """Return the share of the records that have the rarest of these values of a derived key; 1 without values."""
        held = self._counts[key]
        return min((held[value] / (self._sampled or 1) for value in values), default=1.0)

    def found_share(
        self, terms: Iterable[str], tags: Iterable[str], capabilities: Iterable[str], *, in_description: bool = False
    ) -> float:
        """Return the share of the records that have all of these folded terms, folded tags and capabilities.

        What is rarer than the sample can tell has a share of 0.
        """
        return self._found_share(tuple(terms), frozenset(tags), frozenset(capabilities), in_description)

    def _count_found(
        self, terms: tuple[str, ...], tags: frozenset[str], capabilities: frozenset[str], in_description: bool
    ) -> float:
        if not self._samples:
            return 1.0
        having = [one for one in self._samples if tags <= one.tags and capabilities <= one.capabilities]
        searched = [one.described if in_description else one.text for one in having]
        found = [text for text in searched if text is not None]
        known = self._sampled - (len(searched) - len(found))
        for term in terms:
            found = [text for text in found if term in text]
        return len(found) / known if known else 1.0

    def visible_share(self, principals: Iterable[str]) -> float:
        """Return the share of the records that these principals may read, or more where several of them may."""
        held = self._counts["readers"]
        return min(1.0, sum(held[principal] for principal in principals) / (self._sampled or 1))


# The derived keys that are counted.
_COUNTED = ("grams", "tags", "readers", "capabilities")
# Longer ones are unknown, so that the sample is small.
_MAX_BYTES = 4_000
_IS_SHORT = {"$lt": [{"$bsonSize": {"described": "$keys.described"}}, _MAX_BYTES]}
_DESCRIBED = {"$cond": [_IS_SHORT, "$keys.described", None]}
SAMPLE_PIPELINE: list[dict[str, Any]] = [
    {"$sample": {"size": SAMPLE_SIZE}},
    {
        "$project": {
            **{"created_at": 1, "keys.text": 1, "keys.described": _DESCRIBED},
            **{f"keys.{name}": 1 for name in _COUNTED},
        }
    },
]


def _texts(values: Any) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str)) if isinstance(values, list) else frozenset()


class SearchStatisticsMonitor:
    """Holds the latest estimate, which affects only how fast a search is, never its result."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.latest = SearchStatistics()

    async def renew(self) -> None:
        """Take a new sample."""
        sample = await self._database.aggregate(ModelRecord, SAMPLE_PIPELINE)
        self.latest = SearchStatistics.of(sample, await self._database.estimated_count(ModelRecord))

    async def run(self) -> None:
        """Renew the estimate again and again; after a failure, which is logged, the last one is kept."""
        while True:
            try:
                await self.renew()
            except Exception as error:  # searches continue with the last estimate
                log.warning("could not renew the search statistics: %s", type(error).__name__)
            await asyncio.sleep(RENEW_SECONDS)


def search_statistics(request: Request) -> SearchStatistics:
    """Return the latest search statistics of the app that handles `request`."""
    monitor: SearchStatisticsMonitor = request.app.state.search_statistics
    return monitor.latest
