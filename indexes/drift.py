"""How the indexes, validators and views of a database differ from the declared ones; pure comparisons, no I/O."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import bson

from indexes.indexes import INDEXES
from indexes.validators import ACTION, LEVEL, RULE, SHAPE, VALIDATORS, shape_of
from indexes.views import VIEWS, View

# The options of each collection and view, by name, as the server reports them.
Options = Mapping[str, Mapping[str, Any]]
# The fields of an index with their directions, and its options that matter.
Shape = tuple[list[tuple[str, Any]], dict[str, Any]]

# Marks, in a description, an index that the server has not finished: no query can use it yet.
BUILDING = "building"
# Options that the server adds by itself, or that never change an answer.
_INCIDENTAL = {"v", "ns", "name", "key", "background", BUILDING}
# Two indexes on the same fields can exist side by side only if they differ in one of these options.
_DISTINGUISHING = ("collation", "partialFilterExpression", "sparse")


class DriftKind(StrEnum):
    """In which way a part of the database differs."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the declared and the actual database: of an index, a validator or a view.

    `keeps_unique` is set for an index that enforces uniqueness; `tolerable` when everything can still be answered
    and stored.
    """

    collection: str
    name: str
    kind: DriftKind
    detail: str
    keeps_unique: bool = False
    tolerable: bool = False

    def __str__(self) -> str:
        """Write the difference as one line."""
        return f"{self.kind}: {self.collection}.{self.name} ({self.detail})"

    @property
    def affects_service(self) -> bool:
        """Whether the service can't be relied on until this is fixed."""
        return self.kind is not DriftKind.EXTRA and not self.tolerable


def index_drift(collection: str, descriptions: Sequence[Mapping[str, Any]]) -> list[Drift]:
    """Return how the indexes of a collection, as the server describes them, differ from the declared ones."""
    declared = {index.document["name"]: _shape(index.document) for index in INDEXES[collection]}
    actual = {item["name"]: _shape(item) for item in descriptions if item["name"] != "_id_"}
    building = {item["name"] for item in descriptions if item.get(BUILDING)}
    compared = (_compare_index(collection, name, shape, actual, building) for name, shape in declared.items())
    extra = [
        Drift(collection, name, DriftKind.EXTRA, _rendered(shape))
        for name, shape in actual.items()
        if name not in declared
    ]
    return [drift for drift in compared if drift is not None] + extra


def _compare_index(
    collection: str, name: str, declared: Shape, actual: Mapping[str, Shape], building: Collection[str]
) -> Drift | None:
    unique = bool(declared[1].get("unique"))
    if actual.get(name) == declared:
        detail = f"{_rendered(declared)}, which is being built"
        return Drift(collection, name, DriftKind.MISSING, detail, unique) if name in building else None
    if name in actual:
        detail = f"declared {_rendered(declared)}, found {_rendered(actual[name])}"
        return Drift(collection, name, DriftKind.DIFFERENT, detail, unique)
    for other, shape in actual.items():
        if _clash(declared, shape):
            detail = f"declared {_rendered(declared)}, found {_rendered(shape)} under the name {other}"
            return Drift(collection, name, DriftKind.DIFFERENT, detail, unique)
    return Drift(collection, name, DriftKind.MISSING, _rendered(declared), unique)


def _shape(description: Mapping[str, Any]) -> Shape:
    options = {name: value for name, value in description.items() if name not in _INCIDENTAL and value is not False}
    # Some clients return directions as floats; other kinds of index have a word there, such as "hashed".
    fields = description["key"].items()
    return [(field, kind if isinstance(kind, str) else int(kind)) for field, kind in fields], options


def _clash(declared: Shape, actual: Shape) -> bool:
    # The server refuses two indexes on the same fields that differ only in their names or uniqueness.
    return declared[0] == actual[0] and all(
        declared[1].get(option) == actual[1].get(option) for option in _DISTINGUISHING
    )


def _rendered(shape: Shape) -> str:
    fields, options = shape
    written = ", ".join(f"{field}: {direction}" for field, direction in fields)
    return f"{{{written}}}" + (f" {options}" if options else "")


def validator_drift(collection: str, options: Mapping[str, Any]) -> list[Drift]:
    """Return how the validator in a collection's options differs from the declared one."""
    actual = options.get("validator") or {}
    if not actual:
        return [Drift(collection, RULE, DriftKind.MISSING, f"{LEVEL}, {ACTION}", tolerable=True)]
    drifts = []
    if actual != VALIDATORS[collection]:
        shape = shape_of(actual)
        found = "one that modeldeck did not make" if shape is None else f"shape {shape}"
        # A later version accepts what this one writes; otherwise it could not be rolled out.
        tolerable = shape is not None and shape > SHAPE
        detail = f"declared shape {SHAPE}, found {found}"
        drifts.append(Drift(collection, RULE, DriftKind.DIFFERENT, detail, tolerable=tolerable))
    for option, declared in (("validationLevel", LEVEL), ("validationAction", ACTION)):
        if (value := options.get(option, declared)) != declared:
            detail = f"declared {declared}, found {value}"
            drifts.append(Drift(collection, option, DriftKind.DIFFERENT, detail, tolerable=True))
    return drifts


def view_drift(options: Options) -> list[Drift]:
    """Return how the views in these options differ from the declared ones."""
    return [drift for view in VIEWS if (drift := compare_view(view, options.get(view.name))) is not None]


def compare_view(view: View, options: Mapping[str, Any] | None) -> Drift | None:
    """Return how a view differs from the declared one; None when it does not."""
    if options is None:
        return _view_drift(view, DriftKind.MISSING, f"of {view.source}")
    if is_collection(options):
        return _view_drift(view, DriftKind.DIFFERENT, "there is a collection of this name")
    if options["viewOn"] != view.source:
        return _view_drift(view, DriftKind.DIFFERENT, f"declared of {view.source}, found of {options['viewOn']}")
    # Compared as BSON, where order counts: that of sort fields and of columns.
    if bson.encode({"stages": options.get("pipeline")}) != bson.encode({"stages": view.pipeline}):
        return _view_drift(view, DriftKind.DIFFERENT, "its pipeline is not the declared one")
    return None


def is_collection(options: Mapping[str, Any]) -> bool:
    """Return whether these options are those of a collection, not of a view."""
    return "viewOn" not in options


def _view_drift(view: View, kind: DriftKind, detail: str) -> Drift:
    # Tolerable, since the service itself reads no view.
    return Drift(view.name, "view", kind, detail, tolerable=True)
