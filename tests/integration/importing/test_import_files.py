"""The files that an import reads: their shapes, incomplete ones, and the command `modeldeck import`."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from service.errors import ModeldeckError
from service.importing.source import open_source
from tests.support.commands import CommandLine, Done, finish
from tests.support.directory import Directory, model

Raw = SyncDatabase[dict[str, Any]]

NAME = "modeldeck_import"
USERS = [{"id": "ann", "name": "Änn", "email": "ann@x.org"}]
MODELS = [model(f"m{number}", "ann", name=f"Größe {number}") for number in range(3)]
OBJECT = json.dumps({"users": USERS, "models": MODELS}, ensure_ascii=False)
PRETTY = json.dumps({"models": MODELS, "users": USERS}, indent=4)
LINES = "\n".join(
    json.dumps({"kind": kind, **record}) for kind, records in (("model", MODELS), ("user", USERS)) for record in records
)
# More than one read returns, so that values span two reads.
LONG = json.dumps({"users": USERS, "models": [*MODELS, model("long", "ann", params={"p": 'ü\\"' * 100_000})]})


@pytest.mark.parametrize(
    "content",
    [
        OBJECT.encode(),
        PRETTY.encode(),
        LINES.encode(),
        f"\n\r\n{LINES}\n\n".replace("\n", "\r\n").encode(),
        OBJECT.encode("utf-8-sig"),
        LINES.encode("utf-8-sig"),
        gzip.compress(OBJECT.encode(), mtime=0),
        gzip.compress(LINES.encode("utf-8-sig"), mtime=0),
        LONG.encode(),
    ],
    ids=["object", "pretty", "lines", "CRLF", "BOM", "lines BOM", "gzip", "gzip lines BOM", "long"],
)
async def test_every_shape_of_a_bundle_is_read(directory: Directory, raw: Raw, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(content)
    report = await directory.load_file(path)
    assert report.clean, (report.fatal, list(report.faults()))
    found = {record["_id"]: record["name"] for record in raw["models"].find({"_id": {"$ne": "long"}})}
    assert found == {record["id"]: record["name"] for record in MODELS}
    assert [user["name"] for user in raw["users"].find()] == ["Änn"]
    assert (await directory.load_file(path)).changes == 0


@pytest.mark.parametrize(
    "content", ["", "\n \n", "{}", ' {"models": [ ] } \n'], ids=["empty", "blank", "{}", "no models"]
)
async def test_a_file_of_nothing_changes_nothing(directory: Directory, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bundle"
    path.write_text(content)
    report = await directory.load_file(path)
    assert (report.clean, report.changes) == (True, 0)


MIDDLE = OBJECT.index('{"id": "m2"')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OBJECT[:-2].encode(), f"after {len(OBJECT) - 2} characters: expected , or ], found the end"),
        (OBJECT[: MIDDLE + 12].encode(), f"after {MIDDLE} characters: "),
        ((OBJECT[:MIDDLE] + "oops " + OBJECT[MIDDLE:]).encode(), f"after {MIDDLE} characters: not valid JSON"),
        (OBJECT.replace('}, {"id": "m2"', '} {"id": "m2"').encode(), f"after {MIDDLE - 1} characters: expected ,"),
        (OBJECT.encode() + b"{}", f"after {len(OBJECT)} characters: more text"),
        (OBJECT[:-1].encode() + b', "models": []}', "the part models is given twice"),
        (OBJECT.encode().replace("Größe 2".encode(), b"Gr\xff"), "can't be read"),
        (LINES.encode().replace(b"m2", b"\xff"), "can't be read"),
        (OBJECT.encode("utf-16"), "can't be read"),
        (json.dumps(MODELS).encode(), "after 0 characters: a bundle is a JSON object"),
        (OBJECT[:-2].encode() + b', {"id": "m", "params": ' + b"[" * 100_000, "nested too deeply"),
        (gzip.compress(LONG.encode(), mtime=0)[:-500], "can't be read"),
        (b"\x1f\x8bnonsense", "can't be read"),
    ],
    ids=[
        "breaks off",
        "breaks off in a model",
        "syntax error",
        "no comma",
        "goes on",
        "part twice",
        "no UTF-8",
        "line of no UTF-8",
        "UTF-16",
        "array",
        "endless depth",
        "gzip that breaks off",
        "no gzip",
    ],
)
async def test_a_file_that_cannot_be_read_to_its_end_writes_no_model(
    directory: Directory, raw: Raw, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(content)
    report = await directory.load_file(path)
    assert not report.clean
    assert report.fatal is not None
    assert message in report.fatal
    assert raw["models"].count_documents({}) == 0


@pytest.mark.parametrize("at", [20, 100, 300])
async def test_damaged_gzip_is_reported_and_writes_no_model(
    directory: Directory, raw: Raw, tmp_path: Path, at: int
) -> None:
    packed = bytearray(gzip.compress(LINES.encode()))
    packed[min(at, len(packed) - 20)] ^= 0xFF
    path = tmp_path / "bundle.gz"
    path.write_bytes(packed)
    report = await directory.load_file(path)
    assert not report.clean
    assert raw["models"].count_documents({}) == 0


async def test_a_stream_that_cannot_be_read_twice_is_copied(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_text, args=(LINES,), daemon=True)
    writer.start()
    assert (await directory.load_file(path)).clean
    writer.join(30)
    assert raw["models"].count_documents({}) == 3


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_path_that_is_no_file_is_named(path: str) -> None:
    with pytest.raises(ModeldeckError, match=f"^{path}: "), open_source(path):
        pass


@pytest.fixture(scope="module")
def stored(mongo_uri: str) -> Iterator[Raw]:
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield client[NAME]


@pytest.fixture
def shell(mongo_uri: str, stored: Raw, tmp_path: Path) -> CommandLine:
    for collection in ("models", "users"):
        stored[collection].delete_many({})
    return CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)


def test_the_command_reads_standard_input_and_says_what_it_did(shell: CommandLine, stored: Raw) -> None:
    done = shell.run("import", "-", stdin=LINES)
    assert done == Done(0, "models: 3 created\nusers: 1 created\n4 changes\n", "")
    plan = shell.ok("import", "-", "--dry-run", stdin=OBJECT)
    assert plan.splitlines()[:2] == [
        "read as modeldeck, since a JSON object of users, models: a bundle",
        "unchanged users[0] user 'ann'",
    ]
    assert plan.endswith("0 changes, had this not been a dry run")
    assert stored["models"].count_documents({}) == 3


def test_the_command_gives_models_an_owner_and_reports_every_rejection(
    shell: CommandLine, stored: Raw, tmp_path: Path
) -> None:
    shell.ok("import", "-", stdin=LINES)
    models = [model("a", None), model("\u00fc\u001b[31m\n", None), model("m1", "ann", name="x")]
    (tmp_path / "more.json").write_text(json.dumps({"models": models}))
    more = ("import", "more.json", "--owner", "ANN@x.org", "--on-conflict", "fail", "--report", "report.json")
    # Output that can't hold every character must not stop an import.
    shell.environment["PYTHONIOENCODING"] = "ascii"
    done = finish(shell.start(*more))
    assert (done.status, done.stderr) == (1, "")
    bad_id, conflict, *summary = done.stdout.splitlines()
    assert bad_id.startswith("rejected models[1] model '\\xfc\\x1b[31m\\n': id: must not contain whitespace")
    assert conflict == "conflict models[2] model 'm1': exists and differs: name"
    assert summary == ["models: 1 created, 1 conflict, 1 rejected", "1 changes"]
    assert [record["user_id"] for record in stored["models"].find({"_id": "a"})] == ["ann"]

    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["changes"], report["fatal"]) == (1, None)
    assert report["counts"] == {"model": {"created": 1, "conflict": 1, "rejected": 1}}
    assert [(step["outcome"], step["position"], step["id"]) for step in report["steps"]] == [
        ("rejected", "models[1]", "\u00fc\u001b[31m\n"),
        ("created", "models[0]", "a"),
        ("conflict", "models[2]", "m1"),
    ]


def test_the_command_ends_with_1_and_the_position_for_a_file_that_breaks_off(
    shell: CommandLine, stored: Raw, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text(OBJECT[: MIDDLE + 12])
    done = shell.run("import", "broken.json", "--report", "report.json")
    assert (done.status, done.stdout) == (1, "0 changes\n")
    assert f"after {MIDDLE} characters" in done.stderr
    assert f"after {MIDDLE} characters" in json.loads((tmp_path / "report.json").read_text())["fatal"]
    assert stored["models"].count_documents({}) == 0


def test_the_command_ends_with_2_for_what_it_cannot_begin(shell: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(OBJECT)
    wrong = {
        "missing.json: No such file or directory": ["missing.json"],
        "--format: must be one of": ["bundle.json", "--format", "csv"],
        "There is no user with the id or email 'nobody'": ["bundle.json", "--owner", "nobody"],
        "The report can't be written": ["bundle.json", "--report", "nowhere/report.json"],
    }
    for expected, arguments in wrong.items():
        done = shell.run("import", *arguments)
        assert (done.status, done.stderr.count("\n")) == (2, 1), done
        assert done.stderr.startswith(f"modeldeck: {expected}")
