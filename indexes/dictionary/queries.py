"""The ready queries: files in docs/queries, in JavaScript for mongosh and in Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Query:
    """A question that the database answers; `shell` is one expression, `python` puts the answer into `rows`."""

    name: str
    title: str
    remark: str
    shell: str
    python: str


def read_queries(folder: Path) -> Sequence[Query]:
    """Return the queries of a folder in order: those whose names begin with a number."""
    return [_read(path) for path in sorted(folder.glob("[0-9]*.js"))]


def _read(path: Path) -> Query:
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("// ") for line in lines if line.startswith("// ")]
    shell = "\n".join(line for line in lines if not line.startswith("// "))
    python = path.with_suffix(".py").read_text(encoding="utf-8").strip()
    return Query(path.stem, comments[0], " ".join(comments[1:]), shell, python)
