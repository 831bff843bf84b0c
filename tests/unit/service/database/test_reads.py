"""Batches that are bounded in bytes: how many documents the server reads for each."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from documents import ModelRecord
from service.database.reads import Reads


class Serving(Reads):
    """Answers from ids, so many at a time as fit; records how many documents were read for each answer."""

    def __init__(self, fitting: Sequence[int]) -> None:
        self.limits: list[int] = []
        self._fitting = iter(fitting)
        self._left = sum(fitting)

    async def aggregate(self, kind: Any, pipeline: Any, **_: Any) -> list[dict[str, Any]]:
        [limit] = [stage["$limit"] for stage in pipeline if "$limit" in stage]
        self.limits.append(limit)
        served = min(next(self._fitting, 0), limit)
        first, self._left = self._left, self._left - served
        return [{"_id": first - at} for at in range(served)]


async def test_what_does_not_fit_is_seldom_read() -> None:
    reads = Serving([100, 2, 2, 3, 6, 12, 24])
    found = [batch async for batch in reads.aggregate_batches(ModelRecord, {}, [], size=100)]
    assert len(list(chain(*found))) == 149
    assert reads.limits == [100, 100, 4, 4, 6, 12, 24, 48]
