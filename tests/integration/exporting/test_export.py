"""What an export contains, in every format, on the command line."""

import gzip
import json
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, finish
from tests.support.directory import model
from tests.support.export_samples import BUNDLE, MODELS, ordered
from tests.support.import_samples import Raw, write_source

EMPTIED = ("users", "groups", "models", "revisions")


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


def test_a_packed_export_is_the_same_each_time(filled: CommandLine, tmp_path: Path) -> None:
    packed = [tmp_path / name for name in ("one.csv.gz", "two.csv.gz")]
    for path in packed:
        filled.ok("export", "--out", str(path))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert gzip.decompress(packed[0].read_bytes()).startswith(b"id,name,")
