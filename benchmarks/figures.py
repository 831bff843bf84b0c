"""The landed figures, `figures.json`: each as a ratio to the floor of its run, so that machines can be compared."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.size_benchmark import SizeFigures

FIGURES = Path(__file__).with_name("figures.json")
WORSE_FACTOR = 1.5

# By the number of models, then by the name of the figure.
Ratios = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The ratio of one figure to its floor now, and as it landed; None where it is new."""

    size: str
    name: str
    now: float
    landed: float | None

    @property
    def worse(self) -> float:
        """How many times as much as the landed figure it is."""
        return self.now / self.landed if self.landed else 1.0


def ratios(figures: SizeFigures) -> dict[str, float]:
    """Return the figures of one size, by name: what was measured, divided by the floor of the same run."""
    return dict(_ratios(figures))


def _ratios(figures: SizeFigures) -> Iterator[tuple[str, float]]:
    yield "import", figures.import_ratio
    for result in figures.results:
        yield result.key, result.ratio
    for route in figures.routes:
        yield route.route, route.ratio
    for load in (*figures.throughput.alone, *figures.throughput.loaded):
        yield load.key, figures.throughput.ratio(load)


def read_landed(path: Path = FIGURES) -> Ratios:
    """Return the landed figures; none when there are none yet."""
    if not path.exists():
        return {}
    landed: Ratios = json.loads(path.read_text(encoding="utf-8"))
    return landed


def keep(sizes: Sequence[SizeFigures], path: Path = FIGURES) -> None:
    """Write the figures of these sizes as the landed ones; those of other sizes stay."""
    measured = {
        str(figures.size): {name: round(ratio, 2) for name, ratio in ratios(figures).items()} for figures in sizes
    }
    kept = dict(sorted({**read_landed(path), **measured}.items(), key=lambda size: int(size[0])))
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def compared(sizes: Sequence[SizeFigures], landed: Ratios) -> list[Comparison]:
    """Return each figure beside the landed one of the same size and name."""
    return [
        Comparison(str(figures.size), name, ratio, landed.get(str(figures.size), {}).get(name))
        for figures in sizes
        for name, ratio in ratios(figures).items()
    ]
