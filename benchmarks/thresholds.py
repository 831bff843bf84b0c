"""The thresholds of the figures: whether the service is as fast as it promises, compared within one run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from benchmarks.figures import WORSE_FACTOR, Comparison
from benchmarks.list_requests import ABSENT, ALL_FACETS, BOUNDED, FACETS, FIRST_PAGE, RARE
from benchmarks.list_timings import Result
from benchmarks.size_benchmark import SizeFigures

FLOOR_FACTOR, FLOOR_ALLOWANCE_MS = 2.0, 3.0
LITERAL_FACTOR = 5.0
DATABASE_FACTOR = 3.0
# In a small directory the literal pipeline processes few records, and the round trip dominates both times.
LITERAL_FROM_SIZE = 100_000
SEARCH_GROWTH_FACTOR, BOUNDED_GROWTH_FACTOR, IMPORT_GROWTH_FACTOR = 2.0, 1.5, 1.5
SMALL, MEDIUM, LARGE = 10_000, 100_000, 1_000_000
# The sizes are measured minutes apart, so that the same request differs by this share of its time.
NOISE_SHARE = 0.25
CALLERS = ("user", "admin")


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


def checks(sizes: Sequence[SizeFigures], comparisons: Sequence[Comparison]) -> list[Check]:
    """Return all checks of the sizes that were measured, and of how they compare with the landed figures."""
    found = []
    for figures in sizes:
        found += [_near_floor(figures), _near_database(figures), _faster_than_literal(figures)]
        for caller in CALLERS:
            found += [_documents(figures, caller), _first_page(figures, caller), _facets(figures, caller)]
    by_size = {figures.size: figures for figures in sizes}
    return [*found, *_search_growth(by_size), *_bounded_growth(by_size), *_import_growth(by_size), _landed(comparisons)]


def _result(figures: SizeFigures, case: str, caller: str) -> Result:
    return next(result for result in figures.results if (result.case, result.caller) == (case, caller))


def _share_of_bound(result: Result) -> float:
    return result.http_p50 / (FLOOR_FACTOR * result.floor_p50 + FLOOR_ALLOWANCE_MS)


def _near_floor(figures: SizeFigures) -> Check:
    over = [_share_of_bound(result) for result in figures.results]
    middle = median(over)
    worst = max(figures.results, key=_share_of_bound)
    return Check(
        f"{figures.size:,}: HTTP p50 at most {FLOOR_FACTOR:g} x floor + {FLOOR_ALLOWANCE_MS:g} ms "
        "(median of all requests)",
        middle <= 1,
        f"{middle:.2f} of it; {sum(share > 1 for share in over)} of {len(over)} requests above, "
        f"worst {max(over):.2f} ({worst.key})",
    )


def _first_page(figures: SizeFigures, caller: str) -> Check:
    share = _share_of_bound(_result(figures, FIRST_PAGE, caller))
    return Check(
        f"{figures.size:,}: the {caller}'s first page at most {FLOOR_FACTOR:g} x floor + {FLOOR_ALLOWANCE_MS:g} ms",
        share <= 1,
        f"{share:.2f} of it",
    )


def _facets(figures: SizeFigures, caller: str) -> Check:
    cases = [*(f"facet {facet}" for facet in FACETS), ALL_FACETS]
    worst = max((_result(figures, case, caller) for case in cases), key=_share_of_bound)
    return Check(
        f"{figures.size:,}: the {caller}'s facets at most {FLOOR_FACTOR:g} x floor + {FLOOR_ALLOWANCE_MS:g} ms",
        _share_of_bound(worst) <= 1,
        f"{_share_of_bound(worst):.2f} of it at worst ({worst.case})",
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
    literal = result.literal_p50 or 0.0
    factor = literal / result.pipeline_p50
    return Check(
        f"{figures.size:,}: a user's first page {LITERAL_FACTOR:g} x faster than the literal pipeline, "
        "both without HTTP",
        factor >= LITERAL_FACTOR if figures.size >= LITERAL_FROM_SIZE else None,
        f"{factor:.1f} x (only the service with HTTP: {literal / result.http_p50:.1f} x)",
    )


def _documents(figures: SizeFigures, caller: str) -> Check:
    above = [
        f"{result.case} {result.page.documents:,} of {_bound(result)}"
        for result in figures.results
        if result.caller == caller and result.plain and result.page.documents > _bound(result)
    ]
    tag = _result(figures, "tag", caller)
    return Check(
        f"{figures.size:,}: the {caller}'s pages whose filters are in the index of the order examine at most a page of "
        "records and one per principal",
        not above,
        f"{'; '.join(above) or 'all'} (tag, apart: {tag.page.documents:,})",
    )


def _bound(result: Result) -> int:
    return result.page_size + result.principals


def _search_growth(sizes: dict[int, SizeFigures]) -> Iterator[Check]:
    if not {SMALL, MEDIUM} <= sizes.keys():
        return
    for case in (ABSENT, RARE):
        for caller in CALLERS:
            small, large = (_result(sizes[size], case, caller).http_p50 for size in (SMALL, MEDIUM))
            yield Check(
                f"{case}, {caller}: at {MEDIUM:,} at most {SEARCH_GROWTH_FACTOR:g} x its cost at {SMALL:,}",
                large <= SEARCH_GROWTH_FACTOR * small,
                f"{large / small:.2f} x ({small:.1f} -> {large:.1f} ms)",
            )


def _bounded_growth(sizes: dict[int, SizeFigures]) -> Iterator[Check]:
    for smaller, larger in pairwise(size for size in (SMALL, MEDIUM, LARGE) if size in sizes):
        for case in BOUNDED:
            for caller in CALLERS:
                # The shortest times, because neither size may seem slow only since the machine had more to do.
                small, large = (_result(sizes[size], case, caller).http_least for size in (smaller, larger))
                yield Check(
                    f"{case}, {caller}: at {larger:,} at most {BOUNDED_GROWTH_FACTOR:g} x its cost at {smaller:,}, "
                    f"and {NOISE_SHARE:.0%} for noise",
                    large <= (BOUNDED_GROWTH_FACTOR + NOISE_SHARE) * small,
                    f"{large / small:.2f} x ({small:.1f} -> {large:.1f} ms)",
                )


def _import_growth(sizes: dict[int, SizeFigures]) -> Iterator[Check]:
    if not {MEDIUM, LARGE} <= sizes.keys():
        return
    medium, large = (sizes[size].first_import.cpu_ms_a_change for size in (MEDIUM, LARGE))
    yield Check(
        f"import: a model at {LARGE:,} at most {IMPORT_GROWTH_FACTOR:g} x its processor time at {MEDIUM:,}",
        large <= IMPORT_GROWTH_FACTOR * medium,
        f"{large / medium:.2f} x ({medium:.2f} -> {large:.2f} ms)",
    )


def _landed(comparisons: Sequence[Comparison]) -> Check:
    known = [one for one in comparisons if one.landed is not None]
    worse = sorted((one for one in known if one.worse > WORSE_FACTOR), key=lambda one: -one.worse)
    named = "; ".join(f"{one.size}, {one.name}: {one.worse:.2f} x" for one in worse)
    return Check(
        f"no figure more than {WORSE_FACTOR:g} x worse than landed, as a ratio to the floor",
        not worse if known else None,
        f"{len(worse)} of {len(known)}{': ' if worse else ''}{named}",
    )
