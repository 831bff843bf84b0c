"""What `explain` says of a query: how much it reads, and by which indexes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson.codec_options import DatetimeConversion
from pymongo.database import Database

# The stages of a query plan that show how it works; the others only wrap these.
_SIGNIFICANT_STAGES = {"COLLSCAN", "SORT", "SORT_MERGE", "AND_SORTED", "AND_HASH", "COUNT_SCAN", "TEXT"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How many index keys and documents a query examined, and the significant stages and indexes of its plan."""

    keys: int
    documents: int
    steps: str


def explain(database: Database[dict[str, Any]], pipeline: Sequence[Mapping[str, Any]], hint: str | None = None) -> Plan:
    """Run a pipeline without `$lookup` on `models`, and return what `explain` reports of its execution."""
    command: dict[str, Any] = {"aggregate": "models", "pipeline": list(pipeline), "cursor": {}}
    if hint is not None:
        command["hint"] = hint
    # A plan names the least and the greatest date, which Python lacks.
    options = database.codec_options.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    explained = database.command("explain", command, verbosity="executionStats", codec_options=options)
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
