"""The ready queries on directories with records of every kind, in Python and in SQL over an exported file."""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest
from bson.json_util import dumps

from indexes.dictionary.page import Query
from service.database.client import Database
from service.exporting.content import whole_directory
from service.exporting.parquet import write_parquet
from service.people.groups import join_group, leave_group
from tests.conftest import Raw, empty, settings_in
from tests.integration.indexes.test_ready_queries import QUERIES, answer_name
from tests.support.directory import Directory, grant, model
from tests.support.documentation import ROOT, blocks
from tests.support.every_case import repetitions
from tests.support.queries import ANSWERS
from tests.support.random_directory import RandomDirectory

SEEDS = [21, 22, 23][: repetitions(1, 3)]
MODELS = repetitions(80, 200)
IMAGE = "data:image/png;base64,iVBORw0KGgo="
IN_SQL = [query for query in QUERIES if query.sql]
FILE = "models.parquet"


@pytest.fixture(scope="module", params=SEEDS)
async def filled(
    request: pytest.FixtureRequest, real_database: Database, raw: Raw, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """The folder of an exported file of a random directory, with what the queries name and with odd records."""
    folder = tmp_path_factory.mktemp("random_directory")
    empty(raw)
    async with Directory.on(real_database, settings_in(folder)) as directory:
        made = await RandomDirectory.fill(directory, folder, MODELS, request.param)
        await _add_what_queries_name(directory, folder)
        _add_odd_records(made, raw, random.Random(request.param))
        parts = [part async for part in write_parquet(whole_directory(real_database, with_columns=True))]
        (folder / FILE).write_bytes(b"".join(parts))
        yield folder
    empty(raw)


async def _add_what_queries_name(directory: Directory, folder: Path) -> None:
    await directory.group("g-engineering")
    await directory.user("u-tomas", groups=["g-engineering"])
    await directory.user("gone-soon")
    await directory.group("g-left")
    await join_group(directory.database, "g-left", ["u-tomas"], by=None)
    await leave_group(directory.database, "g-left", ["u-tomas"], by=None)
    models = [
        model(
            "sql-tuning", "u-tomas", access_grants=[grant("group:g-engineering", "write")], meta={"tags": ["x", "X"]}
        ),
        model("second", "gone-soon", base_model_id="gone/base", meta={"tags": ["X", "y"]}, is_active=False),
        model("third", "gone-soon", base_model_id="sql-tuning", params={"system": "Ä🚀" * 300}),
        model("fourth", "nobody", base_model_id="gone/base", meta={"tags": ["left alone"]}, is_active=False),
    ]
    assert (await directory.load({"models": models}, folder)).clean


def _add_odd_records(made: RandomDirectory, raw: Raw, chance: random.Random) -> None:
    for user_id in [*chance.sample(made.callers, 8), "gone-soon"]:
        raw.users.update_one({"_id": user_id}, {"$set": {"is_active": False, "leaving": chance.random() < 0.5}})
    for group in chance.sample(made.generator.groups, 3):
        raw.groups.update_one({"_id": group["id"]}, {"$set": {"leaving": True}})
    images = {"profile_image_url": IMAGE}, {"profile_image_url": ""}, {"profile_image_url": "https://x.org/x.png"}
    for one, image in zip(made.generator.models, images, strict=False):
        raw.models.update_one({"_id": one["id"]}, {"$set": {f"meta.{name}": value for name, value in image.items()}})
    for one, system in zip(made.generator.models[5:], (["no", "text"], "", "x" * 5000), strict=False):
        raw.models.update_one({"_id": one["id"]}, {"$set": {"params": {"system": system}}})


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
async def test_in_python(filled: Path, raw: Raw, query: Query) -> None:
    around: dict[str, Any] = {"db": raw}
    exec(query.python, around)
    assert _written(around["rows"]) == _written(_expected(query, raw))


@pytest.mark.parametrize("query", IN_SQL, ids=lambda query: query.name)
async def test_in_sql(filled: Path, raw: Raw, query: Query) -> None:
    with duckdb.connect(config={"file_search_path": str(filled)}) as connection:
        # Whatever the zone of the reader, a month begins in UTC.
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        answer = connection.sql(query.sql)
        columns = answer.columns
        rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    expected = [_in_columns(row, columns) for row in _expected(query, raw)]
    assert _written(map(_in_utc, rows)) == _written(expected)


def _expected(query: Query, raw: Raw) -> list[dict[str, Any]]:
    expected = ANSWERS[answer_name(query)](raw)
    assert expected, "nothing shows whether the query is right"
    return expected


def _in_columns(row: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Return a row of the aggregation as SQL has it: what it groups by has a name, and parts of it are columns."""
    identity = row.get("_id", {})
    parts = identity if isinstance(identity, dict) else {columns[0]: identity}
    return parts | {name: value for name, value in row.items() if name != "_id"}


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with all times as the database gives them: those of DuckDB have its zone, or none."""
    return {
        name: value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _written(rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> list[str]:
    return [dumps(row, sort_keys=True) for row in rows]


async def test_an_exported_file_has_the_values_of_the_view(filled: Path, raw: Raw) -> None:
    frame = polars.read_parquet(filled / FILE).sort("_id")
    view = [row for row in raw.models_flat.find().sort("_id") if row.pop("keys")]
    rows = [{name: row[name] for name in view[0]} for row in map(_in_utc, frame.to_dicts())]
    assert len(rows) > MODELS
    assert _written(rows) == _written(view)
    active = {user["_id"]: user["is_active"] for user in raw.users.find({"leaving": {"$ne": True}})}
    assert dict(frame.select("owner_id", "owner_is_active").iter_rows()) == {
        row["owner_id"]: active.get(row["owner_id"]) for row in view
    }


async def test_the_page_says_how_to_query_an_exported_file(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    [lines] = [block for block in blocks(ROOT / "docs/data.md", "sh") if "duckdb.sql" in block]
    code = lines.splitlines()[-1].removeprefix('python -c "').removesuffix('"')
    (filled / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(filled)
    exec(code, {})
    assert "owner_name" in capfd.readouterr().out
