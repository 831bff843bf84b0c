"""Which trigrams are too frequent to narrow a search: an estimate from a sample, renewed in the background."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

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


class SearchStatistics:
    """Chooses the trigrams of a search term that narrow the search most; without a sample, all are considered rare."""

    def __init__(self, counts: Counter[str] | None = None, sampled: int = 0) -> None:
        self._counts: Counter[str] = counts or Counter()
        self._sampled = sampled

    @classmethod
    def of(cls, records: Iterable[Iterable[str]]) -> "SearchStatistics":
        """Return the estimate from the trigram lists of sampled records."""
        counts: Counter[str] = Counter()
        sampled = 0
        for record in records:
            counts.update(record)
            sampled += 1
        return cls(counts, sampled)

    def narrowing(self, *folded_terms: str) -> list[str]:
        """Return up to two trigrams of folded terms, the rarest first; none when all are too frequent."""
        limit = COMMON_SHARE * self._sampled
        found = set[str]().union(*map(grams, folded_terms))
        usable = [gram for gram in found if not self._sampled or self._counts[gram] <= limit]
        return sorted(usable, key=lambda gram: (self._counts[gram], gram))[:MAX_GRAMS]


SAMPLE_PIPELINE: list[dict[str, Any]] = [{"$sample": {"size": SAMPLE_SIZE}}, {"$project": {"keys.grams": 1}}]


class SearchStatisticsMonitor:
    """Holds the latest estimate, which affects only how fast a search is, never its result."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.latest = SearchStatistics()

    async def renew(self) -> None:
        """Take a new sample."""
        sample = await self._database.aggregate(ModelRecord, SAMPLE_PIPELINE)
        self.latest = SearchStatistics.of(record.get("keys", {}).get("grams", ()) for record in sample)

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
