"""The data dictionary as one page of Markdown, made of the documents, indexes, views and docs/queries."""

import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beanie import Document

from documents import DOCUMENTS
from indexes.dictionary.fields import fields
from indexes.indexes import INDEXES, Index
from indexes.views import VIEWS, View
from indexes.views.joins import JOINS
from indexes.views.view import Column

_BEGINNING = """\
# The data, for those who query the database directly

<!-- Made from documents/, indexes/ and docs/queries/ by `make docs`; change those. -->

Start with the views: they are always current, contain neither prompts nor images nor hashes of API keys, and agree with the responses of the
service. [Analysts](analysts.md) may read the views and nothing else. The collections contain everything, prompts included, in the form that
the service needs. Only read them. A write past the service, that is, directly to MongoDB, updates neither derived keys nor the history; the
database refuses it if the document does not have the declared shape, and `modeldeck doctor` finds the rest.

All times are UTC. Ids are compared exactly; in a grant, the user id `*` means everyone. A model can be read by its owner, by the users in its
grants, by the members of the groups in its grants and of all groups below these, by everyone if it is public, and by admins. Only active users
have access.

```sh
mongosh "$(modeldeck database-uri)"
```

```python
import os

from pymongo import MongoClient

db = MongoClient(os.environ["MODELDECK_MONGODB_URI"], tz_aware=True)["modeldeck"]
```

`modeldeck indexes ensure` creates the views, `modeldeck indexes check` reports views that differ from this description."""

_JOINS = """\
## Joins

A `$lookup` with `localField` and `foreignField` from one view into another is answered by an index, if the `foreignField` is one of the filters
that use one. Each looked-up row costs about a millisecond, so filter first:

```python
grants = {"principal_id": "g-engineering", "keys.readers": "group:g-engineering", "is_active": True}
model = {"from": "models_flat", "localField": "model_id", "foreignField": "_id", "as": "model"}
columns = {"model_id": 1, "permission": 1, "size_bytes": {"$first": "$model.size_bytes"}}
rows = list(db.model_grants.aggregate([{"$match": grants}, {"$lookup": model}, {"$project": columns}]))
```

These joins are tested:

{joins}

A join for each of 100,000 models takes more than a minute. Read each view once instead, and bring the rows of a model together by a group, which
takes ten seconds, or in data frames:

```python
grants = [{"$project": {"_id": "$model_id", "principal_name": 1}}]
together = {"_id": "$_id", "size_bytes": {"$max": "$size_bytes"}, "shared_with": {"$addToSet": "$principal_name"}}
pipeline = [{"$project": {"size_bytes": 1}}, {"$unionWith": {"coll": "model_grants", "pipeline": grants}}]
rows = list(db.models_flat.aggregate([*pipeline, {"$group": together}]))
```"""

_QUERIES = """\
Each query for mongosh and for Python, with the `db` from above, and some in SQL over an [exported file](#sql-and-data-frames). They read views, so that
[analysts](analysts.md) may run them, where they do not say otherwise, and need nothing newer than MongoDB 6.0. What counts all models takes some
seconds in a directory of 100,000, in SQL some hundredths of one."""

_FRAMES = """\
## SQL and data frames

```sh
pip install --constraint constraints.txt '.[analytics]' duckdb     # in a clone
modeldeck export --out models.parquet
python -c "import duckdb, pathlib; duckdb.sql(pathlib.Path('docs/queries/01-most-shared.sql').read_text()).show()"
```

The file has one row for each model, as it was at one moment: the columns of `models_flat` with the same values, without `keys`; `owner_is_active`, null
for an owner who does not exist; `params` and `meta` as JSON, without images; and `access_grants` ([importing.md](importing.md#exporting)). It holds
prompts: `modeldeck export` is for those who may read the database. In DuckDB, `AT TIME ZONE 'UTC'` makes a time that does not depend on where it is shown.

With PyMongoArrow a view becomes a data frame directly: [a first look](notebooks/first-look.ipynb) plots growth, tags and access with Polars."""

_FOLLOWING = """\
## Follow changes

A change stream delivers every change of `models` as it happens. Keep the token of the last change that was processed in a file, so that the
next start continues right after it, as long as the oplog of the replica set reaches back that far. After a crash a change may be delivered a
second time, so processing it again must do no harm.

`modeldeck watch` does this by itself: it prints a line of JSON for each change, with the model as it is when the line is printed and who changed it, and
continues after outages and elections. It prints nothing where only derived keys changed, or where a model came from.
`by` is null for changes by the command line and for those written past the service. Over HTTP, `GET /api/models/changes` shows each
caller the changes of what they may read ([changes.md](changes.md)).

```sh
modeldeck watch --state models.token | while read -r line; do echo "$line"; done
```

```json
{"token": "8266…", "at": 1778845140, "change": "updated", "id": "sql-tuning", "by": "u-anna", "fields": ["name"], "model": {"id": "sql-tuning", "name": "SQL"}}
```

The same in your own code:"""


@dataclass(frozen=True, slots=True)
class Query:
    """A ready query from docs/queries: `shell` is one mongosh expression, `python` puts the result into `rows`.

    `sql` is one statement for DuckDB about an exported file. All queries have `python`, not all have the others.
    """

    name: str
    title: str
    remark: str
    shell: str
    python: str
    sql: str


def read_queries(folder: Path) -> Sequence[Query]:
    """Return the queries of a folder in order: the files whose names begin with a number."""
    return [_read_query(path) for path in sorted(folder.glob("[0-9]*.py"))]


def _read_query(path: Path) -> Query:
    shell, about_shell = _code_and_comments(path.with_suffix(".js"), "// ")
    python, about_python = _code_and_comments(path, "# ")
    sql, _ = _code_and_comments(path.with_suffix(".sql"), "-- ")
    title, *remarks = about_shell or about_python
    return Query(path.stem, title, " ".join(remarks), shell, python, sql)


def _code_and_comments(path: Path, sign: str) -> tuple[str, Sequence[str]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    comments = [line.removeprefix(sign) for line in lines if line.startswith(sign)]
    return "\n".join(line for line in lines if not line.startswith(sign)).strip(), comments


def data_page(folder: Path) -> str:
    """Return the page; `folder` contains the ready queries."""
    queries = read_queries(folder)
    parts = [
        _BEGINNING,
        "## Views",
        *map(_view, VIEWS),
        _JOINS.replace("{joins}", _joins()),
        "## Collections",
        *map(_collection, DOCUMENTS),
        "## Ready queries",
        _QUERIES,
        *map(_query, queries),
        _FRAMES,
        _FOLLOWING,
        _block("js", (folder / "follow.js").read_text(encoding="utf-8")),
        _block("python", (folder / "follow.py").read_text(encoding="utf-8")),
    ]
    return "\n\n".join(parts) + "\n"


def _view(view: View) -> str:
    same = next(other for other in VIEWS if other.columns is view.columns)
    columns = _columns(view.columns) if same is view else f"Columns: the same as `{same.name}`."
    return f"### `{view.name}`\n\n{view.meaning} Made from `{view.source}`. Filters that use an index: {view.fast}.\n\n{columns}"


def _joins() -> str:
    rows = [[f"`{name}`" for name in join] for join in JOINS]
    return _table(("from", "`localField`", "into", "`foreignField`"), rows)


def _collection(document: type[Document]) -> str:
    name = str(document.Settings.name)
    parts = [f"### `{name}`", inspect.cleandoc(document.__doc__ or ""), _columns(fields(document))]
    if declared := INDEXES.get(name):
        parts.append(_indexes(declared))
    return "\n\n".join(parts)


def _columns(columns: Iterable[Column]) -> str:
    rows = [(f"`{one.name}`", one.bson_type, one.meaning, _example(one.example)) for one in columns]
    return _table(("field", "type", "meaning", "example"), rows)


def _indexes(declared: Sequence[Index]) -> str:
    rows = []
    for index in declared:
        keys = ", ".join(f"{field}: {way}" for field, way in index.document["key"].items())
        kind = "Unique. " if index.document.get("unique") else ""
        rows.append((f"`{index.document['name']}`", f"`{{{keys}}}`", f"{kind}{index.serves}"))
    return _table(("index", "keys", "serves"), rows)


def _query(query: Query) -> str:
    forms = (("js", query.shell), ("python", query.python), ("sql", query.sql))
    blocks = [_block(language, code) for language, code in forms if code]
    return "\n\n".join([f"### {query.title}", *filter(None, [query.remark]), *blocks])


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"


def _example(value: object) -> str:
    return "" if value in (None, []) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
