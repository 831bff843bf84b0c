"""Moving in from services that only list their models: each is tried first, then imported, and once more."""

from pathlib import Path

import pytest

from documents.user import Role
from service.importing import ImportOutcome
from tests.support.catalogue_sources import SAMPLES, write_sample
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.import_samples import Raw, dump, imported, write_source

EACH = [(wanted, name) for wanted, samples in SAMPLES.items() for name in samples]


@pytest.mark.parametrize(("wanted", "name"), EACH)
async def test_a_rehearsal_says_what_is_done_and_a_second_run_does_nothing(
    directory: Directory, raw: Raw, tmp_path: Path, wanted: str, name: str
) -> None:
    await directory.user("root", role=Role.ADMIN)
    path = write_sample(tmp_path, wanted, name)
    results = []
    for dry_run in (True, False):
        async with imported(directory, path, owner_id="root", dry_run=dry_run, whole_report=True) as report:
            assert report.fatal is None
            results.append((report.changes, report.summary(), list(report.results())))
    assert results[0] == results[1]
    before = dump(raw)
    async with imported(directory, path, owner_id="root") as report:
        assert report.changes == 0
    assert dump(raw) == before
    stored = list(raw["models"].find())
    assert len(stored) == results[0][1].get("model", {}).get(ImportOutcome.CREATED, 0)
    assert {model["user_id"] for model in stored} <= {"root"}
    assert [model["_id"] for model in stored if model["access_grants"]] == []


def test_a_folder_of_modelfiles_is_imported_by_the_command(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    (tmp_path / "ours" / "tutor").mkdir(parents=True)
    write_source(tmp_path, "FROM llama3.2\nSYSTEM Teach.\n", "ours/tutor/Modelfile")
    write_source(tmp_path, "FROM llama3.2\n", "ours/plain.modelfile")
    write_source(tmp_path, "FROM debian\nRUN make\n", "ours/Dockerfile")
    rehearsed = shell.ok("import", "ours", "--owner", "root", "--dry-run")
    assert rehearsed.startswith("read as modelfile, since it is a folder")
    assert rehearsed.endswith("2 changes, had this not been a dry run")
    assert shell.ok("import", "ours", "--owner", "root").endswith("\n2 changes")
    assert shell.ok("import", "ours", "--owner", "root").endswith("\n0 changes")
    assert store["models"].distinct("_id") == ["plain", "tutor"]


def test_a_folder_of_something_else_is_refused(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    write_source(tmp_path, "x", "ours/notes.txt")
    done = shell.run("import", "ours")
    assert (done.status, "there is no Modelfile in the folder" in done.stderr) == (1, True)
    done = shell.run("import", "ours", "--format", "litellm")
    assert (done.status, "which can only be read as modelfile" in done.stderr) == (2, True)
    assert store["models"].count_documents({}) == 0


def test_a_modelfile_from_standard_input_has_no_name(shell: CommandLine, store: Raw) -> None:
    done = shell.run("import", "-", stdin="FROM llama3\nSYSTEM x\n")
    assert (done.status, "a Modelfile is named by its file" in done.stdout) == (1, True)
    assert store["models"].count_documents({}) == 0
