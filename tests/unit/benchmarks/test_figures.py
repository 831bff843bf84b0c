"""The landed figures, and what counts as worse."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import figures
from benchmarks.figures import FIGURES, Comparison, compared, keep, read_landed
from benchmarks.list_requests import LIST_REQUESTS, case_key
from benchmarks.thresholds import CALLERS, checks


class Size:
    """The figures of one size, as far as they are compared."""

    def __init__(self, size: int) -> None:
        self.size = size


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What is measured at any size."""
    ratios = {"import": 2.0, "user, first page": 3.004}
    monkeypatch.setattr(figures, "ratios", lambda _: ratios)
    return ratios


def test_what_is_kept_is_what_later_runs_are_compared_with(tmp_path: Path, measured: dict[str, float]) -> None:
    file, sizes = tmp_path / "figures.json", [Size(10_000)]
    assert read_landed(file) == {}
    keep(sizes, file)  # type: ignore[arg-type]
    keep([Size(2000)], file)  # type: ignore[list-item]
    assert json.loads(file.read_text()) == {
        size: {"import": 2.0, "user, first page": 3.0} for size in ("2000", "10000")
    }
    measured |= {"import": 5.0, "new": 1.0}
    found = {one.name: one for one in compared(sizes, read_landed(file))}  # type: ignore[arg-type]
    assert found["import"].worse == 2.5
    assert (found["new"].landed, found["new"].worse) == (None, 1.0)


@pytest.mark.parametrize(
    ("now", "landed", "kept", "named"),
    [(2.9, 2.0, True, "0 of 1"), (3.1, 2.0, False, "10000, import: 1.55 x"), (3.1, None, None, "0 of 0")],
)
def test_a_figure_that_is_much_worse_is_named(now: float, landed: float | None, kept: bool | None, named: str) -> None:
    [check] = checks([], [Comparison("10000", "import", now, landed)])
    assert check.kept is kept
    assert named in check.figures


def test_the_landed_figures_are_of_requests_that_are_measured() -> None:
    landed: Any = read_landed(FIGURES)
    assert landed
    requests = {case_key(caller, request.name) for caller in CALLERS for request in LIST_REQUESTS}
    for ratios in landed.values():
        assert requests <= ratios.keys()
        assert all(ratio > 0 for ratio in ratios.values())
