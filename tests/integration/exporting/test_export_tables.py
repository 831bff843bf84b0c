"""Exports as a table: CSV that is safe to open."""

import csv
import io
import json
from pathlib import Path

import pytest

from service.exporting import csv as csv_writer
from tests.support.commands import CommandLine
from tests.support.directory import Directory, model
from tests.support.export_samples import BUNDLE, EXPORT, IMAGE, MODELS
from tests.support.import_samples import write_source


def test_a_table_is_safe_to_open_in_a_spreadsheet(shell: CommandLine, tmp_path: Path) -> None:
    named = [
        model(f"m{at}", "ann", name=name)
        for at, name in enumerate(["=1+1", "+1", "-1", "@x", '"a,\r\nb"', "\n=1", "＝1"])
    ]
    shell.ok("import", str(write_source(tmp_path, {**BUNDLE, "models": [*MODELS, *named]})))
    text = shell.ok("export", "--out", "models.csv")
    assert text == ""
    raw = (tmp_path / "models.csv").read_bytes().decode()
    assert raw.count("\r\n") == len(named) + len(MODELS) + 2
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert [row["name"] for row in rows[1:-1]] == ["'=1+1", "'+1", "'-1", "'@x", '"a,\r\nb"', "'\n'=1", "'＝1"]
    assert IMAGE not in raw
    last = rows[-1]
    assert (last["id"], last["owner_name"], last["owner_email"], last["version"]) == ("team/ß", "Ben", "Ben@x.org", "7")
    assert (json.loads(last["tags"]), json.loads(last["params"])) == (["sql", "日本"], MODELS[1]["params"])
    assert (json.loads(last["meta"]), json.loads(last["access_grants"])) == ({"x": None}, MODELS[1]["access_grants"])
    assert (last["created_at"], last["updated_at"]) == ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    assert (last["is_active"], rows[0]["is_active"], rows[0]["capabilities"]) == ("false", "true", "")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a;=1", "a;'=1"),
        ("a\t+1", "a\t'+1"),
        ("a\n-1\r\n@x\r＝1", "a\n'-1\r\n'@x\r'＝1"),
        ('a; "=1', "a; \"'=1"),
        ("a=1; b-2, -3", "a=1; b-2, -3"),
    ],
)
def test_no_cell_begins_with_a_formula_at_another_separator(name: str, written: str) -> None:
    assert csv_writer._cell(name) == written
    assert csv_writer._cell({"a": [name]}).count("'") <= written.count("'")


def test_a_table_can_begin_with_a_byte_order_mark(filled: CommandLine, tmp_path: Path) -> None:
    plain, marked = filled.ok("export", "--format", "csv"), filled.ok("export", "--format", "csv", "--bom")
    assert marked == "\ufeff" + plain
    refused = filled.run("export", "--bom")
    assert (refused.status, "--bom" in refused.stderr) == (2, True)


async def test_a_table_by_http_can_begin_with_one_too(directory: Directory) -> None:
    await directory.user("ann")
    plain, marked = [await directory.get(EXPORT, "ann", format="csv", bom=bom) for bom in ("false", "true")]
    assert marked.content == "\ufeff".encode() + plain.content
    for parameters in ({}, {"format": "jsonl"}):
        refused = await directory.get(EXPORT, "ann", bom="true", **parameters)
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "bom"])
