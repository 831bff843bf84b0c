"""The way from a person to a model as a picture: boxes from the top down, with what leads from each to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.web.access_words import Step

WIDTH, BOX, GAP = 300, 40, 34
MAX_NAME = 30


@dataclass(frozen=True, slots=True)
class Box:
    """A step at its place."""

    kind: str
    name: str
    whole_name: str
    leads: str
    y: int


@dataclass(frozen=True, slots=True)
class Picture:
    """All boxes, and the height of the picture."""

    boxes: Sequence[Box]
    height: int
    width: int = WIDTH


def picture(steps: Sequence[Step]) -> Picture:
    """Return the picture of some steps."""
    boxes = [
        Box(step.kind, _short(step.name), step.name, step.leads, at * (BOX + GAP) + 1) for at, step in enumerate(steps)
    ]
    return Picture(boxes, len(boxes) * (BOX + GAP) - GAP + 2)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
