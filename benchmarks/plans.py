"""What a query looks at, from the server's own account of its execution."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

# What tells how a plan works; the rest are wrappers around these.
_TELLING = {"COLLSCAN", "SORT", "SORT_MERGE", "AND_SORTED", "AND_HASH", "COUNT_SCAN", "TEXT"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The keys and documents that one query examined, and its telling stages and indexes."""

    keys: int
    documents: int
    steps: str


def explain(database: Database[dict[str, Any]], pipeline: Sequence[Mapping[str, Any]], hint: str | None = None) -> Plan:
    """Run a pipeline on `models`, which must not look anything up elsewhere, and return what it examined."""
    command: dict[str, Any] = {"aggregate": "models", "pipeline": list(pipeline), "cursor": {}}
    if hint is not None:
        command["hint"] = hint
    explained = database.command("explain", command, verbosity="executionStats")
    stats = next(_values(explained, "executionStats"))
    winning = next(_values(explained, "winningPlan"))
    steps = [str(stage) for stage in _values(winning, "stage") if stage in _TELLING]
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
