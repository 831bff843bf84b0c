"""What an export contains, in every format, on the command line and for each caller."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest

from documents.user import Role
from service.exporting import csv as csv_writer
from tests.support.commands import CommandLine, finish
from tests.support.directory import Directory, grant, model
from tests.support.import_samples import Raw, write_source

EXPORT = "/api/models/export"
IMAGE = "data:image/png;base64,iVBORw0KGgo="
USERS = [
    {"id": "ann", "name": "Ann", "email": "ann@x.org", "username": None, "role": "admin", "is_active": True},
    {"id": "ben", "name": "Ben", "email": "Ben@x.org", "username": "benny", "role": "user", "is_active": True},
    {"id": "cy", "name": "Cy", "email": "cy@x.org", "username": None, "role": "user", "is_active": False},
]
GROUPS = [
    {"id": "all", "name": "All", "parent_id": None, "member_ids": []},
    {"id": "team", "name": "Team", "parent_id": "all", "member_ids": ["ben", "cy"]},
]
MODELS = [
    model(
        "gpt-4o",
        "ann",
        base_model_id=None,
        params={},
        meta={},
        access_grants=[{"id": "g1", **grant("user:*")}],
        is_active=True,
        version=1,
    ),
    model(
        "team/ß",
        "ben",
        base_model_id="gpt-4o",
        params={"b": 1, "a": 1.0, "$ref": "x", "$id": [2**63 - 1, -(2**63), 1e-7, "\0"]},
        meta={"tags": [{"name": "sql", "by": "hand"}, {"name": "日本"}], "profile_image_url": IMAGE, "x": None},
        access_grants=[{"id": "g2", **grant("group:team", "write")}, {"id": "g3", **grant("user:cy")}],
        is_active=False,
        version=7,
        created_at=-62135596800,
        updated_at=253402300799,
    ),
]
BUNDLE = {"users": USERS, "groups": GROUPS, "models": MODELS}
EMPTIED = ("users", "groups", "models", "revisions")


@pytest.fixture
def filled(shell: CommandLine, tmp_path: Path) -> CommandLine:
    shell.ok("import", str(write_source(tmp_path, BUNDLE)))
    return shell


def ordered(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a bundle with the fields of its models in the order in which they are exported."""
    order = ["id", "user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active", "version"]
    order += ["created_at", "updated_at"]
    return {**bundle, "models": [{name: model[name] for name in order} for model in bundle["models"]]}


def test_what_went_in_comes_out(filled: CommandLine) -> None:
    done = filled.run("export")
    assert (done.status, done.stderr.splitlines()[-1]) == (0, "exported 2 models as modeldeck")
    # Compared as text: the order of names and the kinds of numbers count.
    assert json.dumps(json.loads(done.stdout)) == json.dumps(ordered(BUNDLE))


@pytest.mark.parametrize("name", ["all.json", "all.jsonl", "all.json.gz", "all.jsonl.gz"])
def test_what_comes_out_goes_in_again_without_a_change(
    filled: CommandLine, store: Raw, tmp_path: Path, name: str
) -> None:
    first = tmp_path / name
    filled.ok("export", "--out", str(first))
    assert filled.ok("import", str(first)).endswith("\n0 changes")
    for collection in EMPTIED:
        store[collection].delete_many({})
    filled.ok("import", str(first))
    second = tmp_path / f"again-{name}"
    filled.ok("export", "--out", str(second))
    assert second.read_bytes() == first.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} >= {name, f"again-{name}"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_export_for_the_other_system_has_what_its_import_needs(filled: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    filled.ok("export", "--format", "openwebui", "--out", str(path))
    base, custom = json.loads(path.read_text())
    of_resource = {"resource_type": "model", "created_at": 1_700_000_000}
    assert base["access_grants"] == [{**MODELS[0]["access_grants"][0], "resource_id": "gpt-4o", **of_resource}]
    assert "version" not in custom
    assert {name: custom[name] for name in ("id", "params", "meta")} == {
        name: MODELS[1][name] for name in ("id", "params", "meta")
    }
    # Without a grant to read, Open WebUI does not list a model for those who may write it.
    permissions = [(given["principal_id"], given["permission"]) for given in custom["access_grants"]]
    assert permissions == [("team", "read"), ("team", "write"), ("cy", "read")]

    # The format is recognised, and importing the file changes nothing but those grants and the versions.
    assert filled.ok("import", str(path)).splitlines()[0].startswith("read as openwebui")
    filled.ok("export", "--format", "openwebui", "--out", str(tmp_path / "again.json"))
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


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


def test_a_data_frame_has_types(filled: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "models.parquet"
    filled.ok("export", "--out", str(path))
    frame = polars.read_parquet(path)
    assert {name: str(kind) for name, kind in frame.schema.items()} == {
        **dict.fromkeys(
            ("id", "name", "user_id", "owner_name", "owner_email", "base_model_id", "description"), "String"
        ),
        "is_active": "Boolean",
        "tags": "List(String)",
        "capabilities": "List(String)",
        "params": "String",
        "meta": "String",
        "access_grants": "List(Struct({'principal_type': String, 'principal_id': String, 'permission': String}))",
        "version": "Int64",
        "created_at": "Datetime(time_unit='ms', time_zone='UTC')",
        "updated_at": "Datetime(time_unit='ms', time_zone='UTC')",
    }
    base, custom = frame.to_dicts()
    assert (base["base_model_id"], base["is_active"], base["tags"]) == (None, True, [])
    assert (custom["owner_email"], custom["tags"], custom["version"]) == ("Ben@x.org", ["sql", "日本"], 7)
    assert json.loads(custom["params"]) == MODELS[1]["params"]
    assert "profile_image_url" not in json.loads(custom["meta"])
    assert [given["permission"] for given in custom["access_grants"]] == ["write", "read"]


def test_many_models_are_a_data_frame_too(shell: CommandLine, tmp_path: Path) -> None:
    many = [model(f"n{at:04}", "gone", name=f"N{at}") for at in range(350)]
    shell.ok("import", str(write_source(tmp_path, {"models": many})))
    for name in ("n.parquet", "none.parquet"):
        shell.ok("export", "--out", str(tmp_path / name), "--format", "parquet")
    assert polars.read_parquet(tmp_path / "n.parquet")["name"].to_list() == [f"N{at}" for at in range(350)]


@pytest.mark.parametrize(
    ("kind", "nothing"),
    [
        ("modeldeck", '{"users": [\n], "groups": [\n], "models": [\n]}\n'),
        ("openwebui", "[]\n"),
        ("jsonl", ""),
    ],
)
def test_an_empty_directory_is_exported_too(shell: CommandLine, kind: str, nothing: str) -> None:
    done = shell.run("export", "--format", kind)
    assert (done.status, done.stdout) == (0, nothing)
    # Nothing tells that no lines are lines of a bundle.
    named = ("--format", "modeldeck") if kind == "jsonl" else ()
    assert shell.run("import", "-", *named, stdin=nothing).status == 0


def test_an_export_that_fails_leaves_the_file_as_it_was(filled: CommandLine, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("before")
    elsewhere = CommandLine(tmp_path, mongodb_uri="mongodb://127.0.0.1:9/?replicaSet=none", request_timeout="1")
    done = elsewhere.run("export", "--out", str(kept))
    assert (done.status, kept.read_text()) == (2, "before")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    missing = filled.run("export", "--out", str(tmp_path / "nowhere" / "x.json"))
    assert (missing.status, missing.stderr.splitlines()[-1].endswith("No such file or directory")) == (2, True)
    unknown = filled.run("export", "--format", "xml")
    assert unknown.status == 2


def test_what_is_replaced_stays_what_it_is(filled: CommandLine, tmp_path: Path) -> None:
    whole = filled.run("export").stdout
    kept, link = tmp_path / "kept.json", tmp_path / "link.json"
    kept.write_text("before")
    kept.chmod(0o640)
    link.symlink_to(kept)
    filled.ok("export", "--out", str(link))
    assert (link.is_symlink(), kept.read_text(), kept.stat().st_mode & 0o777) == (True, whole, 0o640)
    # A new file is readable by its owner only, because not everybody may read its content.
    (tmp_path / "dangling.json").symlink_to("new.json")
    filled.ok("export", "--out", str(tmp_path / "dangling.json"))
    assert ((tmp_path / "new.json").read_text(), (tmp_path / "new.json").stat().st_mode & 0o777) == (whole, 0o600)


def test_standard_output_by_its_name_is_left_in_its_place(filled: CommandLine, tmp_path: Path) -> None:
    # A symbolic link like /dev/stdout, which an export must not replace.
    stdout = tmp_path / "stdout"
    stdout.symlink_to("/proc/self/fd/1")
    whole = filled.run("export").stdout
    assert finish(filled.start("export", "--out", str(stdout))).stdout == whole
    with (tmp_path / "redirected").open("w") as file:
        assert finish(filled.start("export", "--out", str(stdout), stdout=file)).status == 0
    assert stdout.is_symlink()
    assert (tmp_path / "redirected").read_text() == whole


def test_a_full_disk_is_reported_in_one_line(filled: CommandLine, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = finish(filled.start("export", stdout=full))
    assert (done.status, done.stderr.splitlines()) == (
        2,
        ["modeldeck: standard output: can't be written: No space left on device"],
    )


def test_a_reader_that_has_enough_ends_an_export(filled: CommandLine) -> None:
    process = filled.start("export")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert "Traceback" not in finish(process).stderr


def test_malformed_records_are_exported_and_named(filled: CommandLine, store: Raw) -> None:
    malformed = {"$set": {"access_grants": [5], "name": 7}, "$unset": {"meta": 1}}
    store["models"].update_one({"_id": "gpt-4o"}, malformed, bypass_document_validation=True)
    for kind in ("modeldeck", "openwebui", "jsonl", "csv", "parquet"):
        done = filled.run("export", "--format", kind, "--out", f"out.{kind}")
        assert done.status == 1
        assert "model 'gpt-4o' is malformed: name, meta, access_grants" in done.stderr
        assert "team/ß".encode() in (filled.folder / f"out.{kind}").read_bytes()


def test_an_export_shows_one_moment(filled: CommandLine, store: Raw, tmp_path: Path) -> None:
    # More than a pipe holds, so that the export waits for its reader while the directory changes.
    many = [model(f"n{at:04}", "ann", params={"system": "x" * 1000}) for at in range(1000)]
    filled.ok("import", str(write_source(tmp_path, {"models": many})))
    process = filled.start("export", "--format", "jsonl")
    assert process.stdout is not None
    first = process.stdout.readline()
    store["models"].delete_many({})
    lines = [first, *process.stdout.readlines()]
    process.stdout.close()
    process.stdout = None
    assert finish(process).status == 0
    assert len([line for line in lines if '"kind":"model"' in line]) == len(many) + len(MODELS)


async def loaded(directory: Directory, tmp_path: Path) -> Directory:
    """A directory with the records of the bundle, and the admin `root`."""
    await directory.load(BUNDLE, tmp_path)
    await directory.user("root", role=Role.ADMIN)
    return directory


async def test_an_admin_gets_by_http_what_the_command_line_gives(directory: Directory, tmp_path: Path) -> None:
    directory = await loaded(directory, tmp_path)
    answer = await directory.get(EXPORT, "root", format="modeldeck")
    assert answer.headers["content-disposition"] == 'attachment; filename="models.json"'
    exported = answer.json()
    assert [user["id"] for user in exported["users"]] == ["ann", "ben", "cy", "root"]
    assert json.dumps({**exported, "users": USERS}) == json.dumps(ordered(BUNDLE))
    some = (await directory.get(EXPORT, "root", format="modeldeck", id="gpt-4o")).json()
    assert ([*some], [shown["id"] for shown in some["models"]]) == (["models"], ["gpt-4o"])


async def test_what_a_reader_exported_takes_no_prompt_away(directory: Directory, tmp_path: Path) -> None:
    directory = await loaded(directory, tmp_path)
    await directory.load({"models": [{**MODELS[0], "params": {"system": "x"}}]}, tmp_path)
    await directory.user("eve")
    exported = (await directory.get(EXPORT, "eve", format="modeldeck")).json()
    report = await directory.load(exported, tmp_path)
    assert (report.clean, report.changes) == (True, 0)
    shown = (await directory.get("/api/models/model", "root", id="gpt-4o")).json()
    assert shown["params"] == {"system": "x"}


LISTED: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "modeldeck": lambda text: json.loads(text)["models"],
    "openwebui": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: list(csv.DictReader(io.StringIO(text, newline=""))),
}


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
@pytest.mark.parametrize("kind", LISTED)
async def test_others_get_what_they_may_read_and_no_people(
    directory: Directory, tmp_path: Path, kind: str, prefix: str
) -> None:
    directory = await loaded(directory, tmp_path)
    path = f"{prefix}/models/export"
    await directory.user("eve")
    seen = {user: (await directory.get(path, user, format=kind)).text for user in ("ben", "eve")}
    ids = {user: [shown["id"] for shown in LISTED[kind](text)] for user, text in seen.items()}
    # An inactive user gets nothing.
    assert (await directory.get(path, "cy", format=kind)).status_code == 401
    assert ids["ben"] == ["gpt-4o", "team/ß"]
    assert ids["eve"] == ["gpt-4o"]
    assert not ("benny" in seen["ben"] or "benny" in seen["eve"])
    # Of the base model, which they may only read.
    assert not LISTED[kind](seen["eve"])[0].get("params")
    assert LISTED[kind](seen["ben"])[1]["params"]
    hidden = await directory.get(path, "eve", format=kind, id="team/ß")
    absent = await directory.get(path, "eve", format=kind, id="absent")
    assert hidden.status_code == absent.status_code == 404


async def test_an_unknown_format_is_refused(directory: Directory) -> None:
    await directory.user("ann")
    answer = await directory.get(EXPORT, "ann", format="parquet")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "format"]
    assert "'csv'" in answer.json()["errors"][0]["msg"]


def test_a_packed_export_is_the_same_each_time(filled: CommandLine, tmp_path: Path) -> None:
    packed = [tmp_path / name for name in ("one.csv.gz", "two.csv.gz")]
    for path in packed:
        filled.ok("export", "--out", str(path))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert gzip.decompress(packed[0].read_bytes()).startswith(b"id,name,")
