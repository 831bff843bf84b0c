"""The times and query plans of one list request: over HTTP, the pipeline alone, the floor and the literal pipeline."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pymongo.database import Database

from benchmarks.api_client import ApiClient
from benchmarks.callers import BenchmarkUser
from benchmarks.commands import BenchmarkError
from benchmarks.floor import Floor, Stages, page_stages
from benchmarks.list_requests import ListRequest, case_key
from benchmarks.query_plans import Plan, explain
from documents import User
from service.listing.counting import counts
from service.listing.parts import order_of
from service.listing.pipeline import Resolved, in_order, list_hint, list_match, list_pipeline
from service.listing.position import Position
from service.listing.search_statistics import SAMPLE_PIPELINE, SearchStatistics
from service.listing.terms import search_terms

Step = Callable[[], Any]

# A slow step is repeated as often as fits into this time, but at least so many times.
STEP_SECONDS, LEAST_REPETITIONS = 3.0, 5


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one list request of one user; times in ms.

    `case` is the name of the request. `literal` is the pipeline as one would write it first, with a `$facet`; None
    where it is not measured, since it can't answer the same. `http_least` is the shortest time, which is least
    affected by what else the machine does.
    """

    case: str
    caller: str
    principals: int
    page_size: int
    plain: bool
    total: int | None
    http_p50: float
    http_p99: float
    http_least: float
    pipeline_p50: float
    floor_p50: float
    literal_p50: float | None
    repetitions: int
    page: Plan
    count: Plan | None
    narrowing: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name of the request and of its user."""
        return case_key(self.caller, self.case)

    @property
    def ratio(self) -> float:
        """How many times as long as the floor the request takes."""
        return self.http_p50 / self.floor_p50


class ListBenchmark:
    """Measures list requests on one database and the service that runs on it."""

    def __init__(self, database: Database[dict[str, Any]], repetitions: int, warm_up: int) -> None:
        self._database = database
        self._models = database.models
        self._repetitions = repetitions
        self._warm_up = warm_up
        sample = list(self._models.aggregate(SAMPLE_PIPELINE))
        self._statistics = SearchStatistics.of(sample, self._models.estimated_document_count())

    def run(self, wanted: ListRequest, user: BenchmarkUser, api: ApiClient) -> Result:
        """Measure one list request of one user."""
        request = wanted.prepared(api, user.visible)
        params = request.params
        terms = search_terms(params.query, literal=False) if params.query else []
        narrowing = self._statistics.narrowing(*terms)
        resolved = Resolved(terms, narrowing, params.owner, self._statistics)
        match = list_match(params, user.caller, resolved)
        counted = None if params.total == "none" else counts(params, user.caller, resolved).pipelines[0]
        order = order_of(params, terms)
        pipeline = list_pipeline(params, order, Position.requested(params), in_order(match, order), counted)
        hint = list_hint(params, match, resolved)
        options: dict[str, Any] = {"hint": hint} if hint else {}
        page = page_stages(pipeline)
        floor = Floor(self._database, params, match, page, hint, params.wanted_facets)
        total = self._require_same(request, api, floor)
        http, least, alone, *literal = self._timed_in_turns(
            [
                lambda: api.get(request.path, request.headers),
                floor.run,
                lambda: list(self._models.aggregate(pipeline, **options)),
                *([lambda: list(self._models.aggregate(_literal(match, page)))] if request.literal else []),
            ]
        )
        return Result(
            case=request.name,
            caller=user.label,
            principals=len(user.caller.principals),
            page_size=params.page_size,
            plain=request.reads_only_its_page,
            total=total,
            http_p50=median(http),
            http_p99=percentile(http, 0.99),
            http_least=min(http),
            pipeline_p50=median(alone),
            floor_p50=median(least),
            literal_p50=median(literal[0]) if literal else None,
            repetitions=len(http),
            page=explain(self._database, page, hint),
            count=None if counted is None else explain(self._database, counted),
            narrowing=tuple(narrowing),
        )

    def _require_same(self, request: ListRequest, api: ApiClient, floor: Floor) -> int | None:
        """Return the total; raise BenchmarkError where the service and the floor do not find the same."""
        # The time of a wrong answer would prove nothing.
        answer = json.loads(api.get(request.path).body)
        records, total, counts = floor.run()
        # The page's query finds one more, to know whether there is a next page.
        ids = [record["_id"] for record in records[: request.params.page_size]]
        same = [item["id"] for item in answer["items"]] == ids and answer["total"] == total
        for facet, values in answer.get("facets", {}).items():
            same = same and all(counts[facet].get(one["value"]) == one["count"] for one in values)
        if not same:
            raise BenchmarkError(f"{request.name}: the answer is not what the database holds")
        return total

    def _timed_in_turns(self, steps: Sequence[Step]) -> list[list[float]]:
        # Alternately and in a different order each time, so that drift and warm caches affect all steps alike.
        every = []
        for step in steps:
            took = min(_timed(step) for _ in range(2)) / 1000
            repetitions = min(self._repetitions, max(LEAST_REPETITIONS, int(STEP_SECONDS / took)))
            every.append(max(1, self._repetitions // repetitions))
            for _ in range(self._warm_up if repetitions == self._repetitions else 0):
                step()
        times: list[list[float]] = [[] for _ in steps]
        for turn in range(self._repetitions):
            order = [(turn + at) % len(steps) for at in range(len(steps))]
            for at in order:
                if turn % every[at] == 0:
                    times[at].append(_timed(steps[at]))
        return times


def _literal(match: dict[str, Any], page: Stages) -> Stages:
    stages = {name: value for stage in page for name, value in stage.items()}
    lookup = {"from": User.Settings.name, "localField": "user_id", "foreignField": "_id", "as": "owner"}
    items = [{"$skip": stages["$skip"]}, {"$limit": stages["$limit"]}, {"$lookup": lookup}]
    return [
        {"$match": match},
        {"$sort": stages["$sort"]},
        {"$facet": {"items": items, "total": [{"$count": "total"}]}},
    ]


def _timed(step: Step) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


def percentile(times: Sequence[float], share: float) -> float:
    """Return the time that this share of all does not exceed."""
    return sorted(times)[math.ceil(share * len(times)) - 1]
