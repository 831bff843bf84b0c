"""The ready queries and change stream examples of docs/data.md, executed as printed there."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bson import Int64
from bson.json_util import dumps, loads
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents import DOCUMENTS
from indexes.dictionary.fields import fields
from indexes.dictionary.page import Query, read_queries
from indexes.ensure import ensure
from indexes.views import VIEWS
from service.database.client import Database
from service.demo.catalogue import load_demo
from service.people.groups import join_group, leave_group
from service.settings import Settings
from tests.conftest import TIMEOUT_SECONDS
from tests.support.commands import end, until
from tests.support.directory import Directory, grant, model
from tests.support.documentation import ROOT, blocks
from tests.support.page import browser
from tests.support.queries import ANSWERS
from tests.support.tools import install, output_of_command

Raw = SyncDatabase[dict[str, Any]]

NAME = "modeldeck"
PAGE, FOLDER, MONGOSH = ROOT / "docs/data.md", ROOT / "docs/queries", ROOT / "tests/mongosh"
QUERIES = read_queries(FOLDER)
SHOWN = [query for query in QUERIES if query.shell]
INSTALL_SECONDS = 150.0


def answer_name(query: Query) -> str:
    return query.name.partition("-")[2].replace("-", "_")


@pytest.fixture(scope="module")
def uri(mongo_uri: str) -> str:
    return mongo_uri.replace("/modeldeck_test?", f"/{NAME}?")


@pytest.fixture(scope="module")
async def demo(uri: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Raw]:
    """The demo catalogue, with some data for every query."""
    folder = tmp_path_factory.mktemp("demo")
    with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        client.drop_database(NAME)
        database = Database.connect(uri, NAME, TIMEOUT_SECONDS)
        await database.open()
        await ensure(database)
        await load_demo(database)
        async with Directory.on(database, Settings(_env_file=None, data_dir=folder)) as directory:
            await directory.user("left")
            await directory.group("g-left")
            await join_group(database, "g-left", ["u-tomas"], by=None)
            await leave_group(database, "g-left", ["u-tomas"], by="u-admin")
            tags = {"tags": ["sql", "left alone"]}
            models = [
                model("orphan", "nobody", base_model_id="gone/base"),
                model("shared-orphan", "nobody", access_grants=[grant("group:g-engineering")]),
                model("of-one-who-left", "left", is_active=False, meta=tags, params={"system": "Ä" * 5000}),
            ]
            await directory.load({"models": models}, folder, source="elsewhere")
            await directory.post("/api/models/model/toggle", "u-admin", id="nda-checker")
            nothing = {"filter": {"query": "found nowhere"}, "is_active": True}
            done = await directory.post("/api/models/bulk/state", "u-admin", nothing, once="of-the-demo")
            assert done.status_code == 200, done.text
            async with browser(directory, "u-admin") as opened:
                await opened.get("/")
        client[NAME].users.update_one({"_id": "left"}, {"$set": {"is_active": False}})
        yield client[NAME]
        database.close()
        client.drop_database(NAME)


@pytest.fixture(scope="module")
def mongosh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a mongosh that only these tests use."""
    folder = tmp_path_factory.mktemp("mongosh")
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((MONGOSH / name).read_bytes())
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    install(*npm, cwd=folder, seconds=INSTALL_SECONDS)
    return str(folder / "node_modules/.bin/mongosh")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    # mongosh stores its settings and its log in the home directory.
    return {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="module")
def shown(mongosh: str, demo: Raw, uri: str, environment: dict[str, str]) -> Any:
    """The results of all queries in mongosh."""
    script = Path(environment["HOME"]) / "queries.js"
    answers = [f"answers[{json.dumps(answer_name(query))}] = ({query.shell}).toArray();" for query in SHOWN]
    script.write_text("\n".join(["const answers = {};", *answers, "print(EJSON.stringify(answers));"]))
    printed = output_of_command(mongosh, "--quiet", uri, "--file", str(script), env=environment)
    return loads(printed)


def test_every_query_has_expected_results() -> None:
    assert sorted(answer_name(query) for query in QUERIES) == sorted(ANSWERS)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_in_python(demo: Raw, query: Query) -> None:
    around: dict[str, Any] = {"db": demo}
    exec(query.python, around)
    _compare(around["rows"], demo, query)


@pytest.mark.tools
@pytest.mark.parametrize("query", SHOWN, ids=lambda query: query.name)
def test_in_mongosh(demo: Raw, shown: dict[str, Any], query: Query) -> None:
    _compare(shown[answer_name(query)], demo, query)


def _compare(rows: list[dict[str, Any]], demo: Raw, query: Query) -> None:
    expected = ANSWERS[answer_name(query)](demo)
    assert expected, "the demo has nothing to show for this query"
    assert [dumps(row, sort_keys=True) for row in rows] == [dumps(row, sort_keys=True) for row in expected]


_TYPES = {str: "string", bool: "bool", int: "int", Int64: "long", datetime: "date", type(None): "null", dict: "object"}
_TYPES[bytes] = "binData"


def _types(value: Any, path: list[str]) -> Iterator[str]:
    """Yield the types of the values at a path, in every element of arrays on the way."""
    if path:
        for one in value if isinstance(value, list) else [value]:
            assert path[0] in one, (path, one)
            yield from _types(one[path[0]], path[1:])
    elif isinstance(value, list):
        yield from {f"array of {_TYPES[type(element)]}" for element in value}
    else:
        yield _TYPES[type(value)]


def test_types_are_those_of_the_database(demo: Raw) -> None:
    described = [(view.name, view.columns) for view in VIEWS]
    described += [(str(document.Settings.name), list(fields(document))) for document in DOCUMENTS]
    for name, columns in described:
        rows = list(demo[name].find())
        assert rows, name
        for column in columns:
            path = column.name.split(".")
            # An optional field is not in every record.
            found = {found for row in rows if path[0] in row for found in _types(row, path)}
            assert found, (name, column.name)
            assert found <= set(column.bson_type.split(" or ")), (name, column.name, found)


def test_the_page_names_the_right_database(demo: Raw, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_MONGODB_URI", uri)
    around: dict[str, Any] = {}
    exec(blocks(PAGE, "python")[0], around)
    assert around["db"].models_flat.find_one() is not None
    around["db"].client.close()


@pytest.fixture
def changed(demo: Raw) -> Iterator[Raw]:
    yield demo
    demo.models.delete_many({"_id": {"$regex": "^followed"}})


def test_changes_are_followed_in_python_from_where_it_ended(changed: Raw, uri: str, tmp_path: Path) -> None:
    around = f"from pymongo import MongoClient\ndb = MongoClient({uri!r}, tz_aware=True)[{NAME!r}]\n"
    script = around + (FOLDER / "follow.py").read_text(encoding="utf-8")
    _follow(changed, tmp_path, sys.executable, "-u", "-c", script)


@pytest.mark.tools
def test_changes_are_followed_in_mongosh_from_where_it_ended(
    changed: Raw, uri: str, mongosh: str, environment: dict[str, str], tmp_path: Path
) -> None:
    _follow(changed, tmp_path, mongosh, "--quiet", uri, "--file", str(FOLDER / "follow.js"), env=environment)


def _follow(raw: Raw, folder: Path, *command: str, **options: Any) -> None:
    """Run the example, stop it, and run it again: it must report the changes made in between."""
    output = folder / "output"
    record = raw.models.find_one({"_id": "sql-tuning"}) or {}

    def is_reported(name: str) -> bool:
        # It is unknown when the stream begins, so changes are made until one is reported.
        raw.models.insert_one({**record, "_id": f"followed-{name}-{uuid4()}"})
        return f"insert followed-{name}" in output.read_text()

    def run_until_reported(name: str) -> None:
        with output.open("a") as file:
            process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, text=True, **options)
        try:
            until(lambda: is_reported(name) or process.poll() is not None, f"{name} is reported")
            until(lambda: (folder / "models.token").exists() or process.poll() is not None, "the token is kept")
            assert process.poll() is None, output.read_text()
        finally:
            end(process)

    run_until_reported("before")
    raw.models.insert_one({**record, "_id": "followed-between"})
    raw.models.update_one({"_id": "followed-between"}, {"$inc": {"version": 1}})
    run_until_reported("after")
    between = [line for line in output.read_text().splitlines() if "between" in line]
    version = record["version"]
    assert between == [f"insert followed-between {version}", f"update followed-between {version + 1}"]
