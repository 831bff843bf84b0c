"""The thresholds of the figures: whether the service is as fast as it promises, compared within one run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.list_requests import ABSENT, FIRST_PAGE, RARE
from benchmarks.list_timings import Result
from benchmarks.size_benchmark import SizeFigures

FLOOR_FACTOR, FLOOR_ALLOWANCE_MS = 2.0, 3.0
LITERAL_FACTOR = 5.0
DATABASE_FACTOR = 3.0
# In a small directory the literal pipeline processes few records, and the round trip dominates both times.
LITERAL_FROM_SIZE = 100_000
GROWTH_FACTOR, SMALL, LARGE = 2.0, 10_000, 100_000


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it is kept (None: can't be judged at this size), and the figures."""

    promise: str
    kept: bool | None
    figures: str

    def __str__(self) -> str:
        """Return the check as one line."""
        result = {True: "PASS", False: "FAIL", None: "n/a "}[self.kept]
        return f"{result}  {self.promise}: {self.figures}"


def checks(sizes: Sequence[SizeFigures]) -> list[Check]:
    """Return all checks of the sizes that were measured."""
    found = []
    for figures in sizes:
        found += [_near_floor(figures), _faster_than_literal(figures), _documents(figures, "user")]
        found += [_documents(figures, "admin"), _near_database(figures)]
    return [*found, *_growth({figures.size: figures for figures in sizes})]


def _result(figures: SizeFigures, case: str, caller: str) -> Result:
    return next(result for result in figures.results if (result.case, result.caller) == (case, caller))


def _near_floor(figures: SizeFigures) -> Check:
    over = [result.http_p50 / (FLOOR_FACTOR * result.floor_p50 + FLOOR_ALLOWANCE_MS) for result in figures.results]
    middle = median(over)
    worst = max(zip(over, figures.results, strict=True), key=lambda pair: pair[0])
    return Check(
        f"{figures.size:,}: HTTP p50 at most {FLOOR_FACTOR:g} x floor + {FLOOR_ALLOWANCE_MS:g} ms "
        "(median of all requests)",
        middle <= 1,
        f"{middle:.2f} of it; {sum(share > 1 for share in over)} of {len(over)} requests above, "
        f"worst {worst[0]:.2f} ({worst[1].caller}, {worst[1].case})",
    )


def _near_database(figures: SizeFigures) -> Check:
    slowest = max(figures.routes, key=lambda route: route.ratio)
    above = sum(route.ratio > DATABASE_FACTOR for route in figures.routes)
    return Check(
        f"{figures.size:,}: every route at most {DATABASE_FACTOR:g} x its database calls",
        not above,
        f"{above} of {len(figures.routes)} above, worst {slowest.ratio:.2f} ({slowest.route})",
    )


def _faster_than_literal(figures: SizeFigures) -> Check:
    result = _result(figures, FIRST_PAGE, "user")
    factor = result.literal_p50 / result.pipeline_p50
    return Check(
        f"{figures.size:,}: a user's first page {LITERAL_FACTOR:g} x faster than the literal pipeline, "
        "both without HTTP",
        factor >= LITERAL_FACTOR if figures.size >= LITERAL_FROM_SIZE else None,
        f"{factor:.1f} x (only the service with HTTP: {result.literal_p50 / result.http_p50:.1f} x)",
    )


def _documents(figures: SizeFigures, caller: str) -> Check:
    above = [
        f"{result.case} {result.page.documents:,} of {_bound(result)}"
        for result in figures.results
        if result.caller == caller and result.plain and result.page.documents > _bound(result)
    ]
    tag = _result(figures, "tag", caller)
    return Check(
        f"{figures.size:,}: the {caller}'s pages without search or tag examine at most a page of records "
        "and one per principal",
        not above,
        f"{'; '.join(above) or 'all'} (tag, apart: {tag.page.documents:,})",
    )


def _bound(result: Result) -> int:
    return result.page_size + result.principals


def _growth(sizes: dict[int, SizeFigures]) -> Iterator[Check]:
    if not {SMALL, LARGE} <= sizes.keys():
        return
    for case in (ABSENT, RARE):
        for caller in ("user", "admin"):
            small, large = (_result(sizes[size], case, caller).http_p50 for size in (SMALL, LARGE))
            yield Check(
                f"{case}, {caller}: at {LARGE:,} at most {GROWTH_FACTOR:g} x its cost at {SMALL:,}",
                large <= GROWTH_FACTOR * small,
                f"{large / small:.2f} x ({small:.1f} -> {large:.1f} ms)",
            )
