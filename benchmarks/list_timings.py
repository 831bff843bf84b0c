"""The times and query plans of one list request: over HTTP, the pipeline alone, the floor and the literal pipeline."""

import http.client
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pymongo.database import Database

from benchmarks.commands import BenchmarkError
from benchmarks.list_requests import BenchmarkUser, ListRequest
from documents import User
from service.listing.counting import count_pipelines
from service.listing.parts import order_of
from service.listing.pipeline import Resolved, list_hint, list_match, list_pipeline
from service.listing.position import Position
from service.listing.search_statistics import SAMPLE_PIPELINE, SearchStatistics
from service.listing.terms import search_terms
from service.models.item import WITHOUT_LARGE

Stages = list[dict[str, Any]]
Step = Callable[[], Any]

# A slow literal pipeline is repeated as often as fits into this time, but at least so many times.
LITERAL_SECONDS, LITERAL_REPETITIONS = 3.0, 5
# The stages of a query plan that show how it works; the others only wrap these.
_SIGNIFICANT_STAGES = {"COLLSCAN", "SORT", "SORT_MERGE", "AND_SORTED", "AND_HASH", "COUNT_SCAN", "TEXT"}


class Api:
    """One keep-alive connection to the service, with one API key."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> bytes:
        """Return the body of an answer; raise BenchmarkError for any status but 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchmarkError(f"GET {path}: {answer.status} {body[:500]!r}")
        return body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """How many index keys and documents a query examined, and the significant stages and indexes of its plan."""

    keys: int
    documents: int
    steps: str


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one list request of one user; times in ms.

    `case` is the name of the request. `literal` is the pipeline as one would write it first: with a `$facet`.
    """

    case: str
    caller: str
    principals: int
    page_size: int
    plain: bool
    total: int
    http_p50: float
    http_p99: float
    pipeline_p50: float
    floor_p50: float
    literal_p50: float
    literal_repetitions: int
    page: Plan
    count: Plan
    narrowing: tuple[str, ...]


class ListBenchmark:
    """Measures list requests on one database and the service that runs on it."""

    def __init__(self, database: Database[dict[str, Any]], repetitions: int, warm_up: int) -> None:
        self._database = database
        self._models = database.models
        self._repetitions = repetitions
        self._warm_up = warm_up
        sample = list(self._models.aggregate(SAMPLE_PIPELINE))
        self._statistics = SearchStatistics.of(sample, self._models.estimated_document_count())

    def run(self, request: ListRequest, user: BenchmarkUser, api: Api) -> Result:
        """Measure one list request of one user."""
        params = request.params
        terms = search_terms(params.query, literal=False) if params.query else []
        narrowing = self._statistics.narrowing(*terms)
        resolved = Resolved(terms, narrowing, statistics=self._statistics)
        match = list_match(params, user.caller, resolved)
        [counted, *_] = count_pipelines(params, user.caller, resolved)
        pipeline = list_pipeline(params, match, order_of(params, terms), Position.requested(params), counted)
        hint = list_hint(params, match, resolved)
        options: dict[str, Any] = {"hint": hint} if hint else {}
        page = pipeline[: pipeline.index(WITHOUT_LARGE)]
        literal = _literal(match, page)
        floor = self._floor(match, page)
        total = self._require_same(api.get(request.path), floor(), request)
        times = self._timed_in_turns(
            [
                lambda: api.get(request.path),
                floor,
                lambda: list(self._models.aggregate(pipeline, **options)),
                lambda: list(self._models.aggregate(literal)),
            ]
        )
        http_times, floor_times, pipeline_times, literal_times = times
        return Result(
            case=request.name,
            caller=user.label,
            principals=len(user.caller.principals),
            page_size=params.page_size,
            plain=request.without_search,
            total=total,
            http_p50=median(http_times),
            http_p99=_percentile(http_times, 0.99),
            pipeline_p50=median(pipeline_times),
            floor_p50=median(floor_times),
            literal_p50=median(literal_times),
            literal_repetitions=len(literal_times),
            page=explain(self._database, page, hint),
            count=explain(self._database, counted),
            narrowing=tuple(narrowing),
        )

    def _floor(self, match: dict[str, Any], page: Stages) -> Callable[[], tuple[list[dict[str, Any]], int]]:
        """Return what no service can be faster than: the query of the page and the count, alone."""
        stages = {name: value for stage in page for name, value in stage.items()}
        sort = list(stages["$sort"].items())

        def floor() -> tuple[list[dict[str, Any]], int]:
            found = self._models.find(stages["$match"], sort=sort, skip=stages["$skip"], limit=stages["$limit"])
            return list(found), self._models.count_documents(match)

        return floor

    def _require_same(self, body: bytes, floor: tuple[list[dict[str, Any]], int], request: ListRequest) -> int:
        # The time of a wrong answer would prove nothing.
        answer, (records, total) = json.loads(body), floor
        ids = [item["id"] for item in answer["items"]]
        # The page's query finds one more, to know whether there is a next page.
        if ids != [record["_id"] for record in records[: request.params.page_size]] or answer["total"] != total:
            raise BenchmarkError(f"{request.name}: the answer is not what the database holds")
        return total

    def _timed_in_turns(self, steps: Sequence[Step]) -> list[list[float]]:
        # Alternately and in a different order each time, so that drift and warm caches affect all steps alike.
        for step in steps[:-1]:
            for _ in range(self._warm_up):
                step()
        literal_seconds = min(_timed(steps[-1]) for _ in range(2)) / 1000
        affordable = int(LITERAL_SECONDS / literal_seconds)
        literals = min(self._repetitions, max(LITERAL_REPETITIONS, affordable))
        every = max(1, self._repetitions // literals)
        times: list[list[float]] = [[] for _ in steps]
        for turn in range(self._repetitions):
            order = [(turn + at) % len(steps) for at in range(len(steps))]
            for at in order:
                if at < len(steps) - 1 or turn % every == 0:
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


def _percentile(times: Sequence[float], share: float) -> float:
    return sorted(times)[math.ceil(share * len(times)) - 1]


def explain(database: Database[dict[str, Any]], pipeline: Sequence[Mapping[str, Any]], hint: str | None = None) -> Plan:
    """Run a pipeline without `$lookup` on `models`, and return what `explain` reports of its execution."""
    command: dict[str, Any] = {"aggregate": "models", "pipeline": list(pipeline), "cursor": {}}
    if hint is not None:
        command["hint"] = hint
    explained = database.command("explain", command, verbosity="executionStats")
    stats = next(_values(explained, "executionStats"))
    winning = next(_values(explained, "winningPlan"))
    steps = [str(stage) for stage in _values(winning, "stage") if stage in _SIGNIFICANT_STAGES]
    indexes = [str(index) for index in _values(winning, "indexName")]
    return Plan(stats["totalKeysExamined"], stats["totalDocsExamined"], " ".join(dict.fromkeys(steps + indexes)))


def _values(tree: Any, name: str) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        if name in tree:
            yield tree[name]
        for child in tree.values():
            yield from _values(child, name)
    elif isinstance(tree, list):
        for child in tree:
            yield from _values(child, name)
