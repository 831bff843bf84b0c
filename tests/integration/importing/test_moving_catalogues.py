"""Moving in from services that only list their models: each is tried first, then imported, and once more."""

import json
from pathlib import Path

import pytest

from documents.user import Role
from service.importing import ImportOutcome
from tests.support.catalogue_sources import SAMPLES, write_sample
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.import_samples import Raw, dump, imported, write_source
from tests.support.model_answers import OLLAMA_SHOW

IMPORT = "/api/models/import"
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


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("wanted", "name"), [(wanted, name) for wanted, name in EACH if wanted != "modelfile"])
async def test_a_file_is_sent_over_http_by_a_user(directory: Directory, wanted: str, name: str) -> None:
    await directory.user("ann")
    await directory.user("bob")
    content = SAMPLES[wanted][name]
    body = (content if isinstance(content, str) else json.dumps(content)).encode()
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    for changes in (None, 0):
        sent = await directory.client.post(IMPORT, content=body, params={"format": "auto"}, headers=headers)
        assert sent.status_code == 200, sent.text
        report = sent.json()
        assert (report["format"], report["clean"]) == (wanted, True)
        assert changes is None or report["changes"] == changes
    assert await directory.ids("bob") == []


async def test_a_modelfile_that_is_sent_has_no_name_unless_ollama_wrote_one(directory: Directory, raw: Raw) -> None:
    await directory.user("ann")
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    for content, status in (("FROM llama3\nSYSTEM x\n", 422), (OLLAMA_SHOW["modelfile"], 200)):
        sent = await directory.client.post(IMPORT, content=content, params={"format": "auto"}, headers=headers)
        assert sent.status_code == status, sent.text
        assert status == 200 or "a Modelfile is named by its file" in sent.text
    assert raw["models"].distinct("_id") == ["tutor:latest"]


@pytest.mark.parametrize(
    ("wanted", "limit"),
    [("librechat", "1,000,000"), ("modelfile", "1,000,000"), ("models-dev", "4,000,000"), ("ollama", "4,000,000")],
)
async def test_what_takes_long_to_read_may_be_smaller(directory: Directory, wanted: str, limit: str) -> None:
    await directory.user("ann")
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    sent = await directory.client.post(IMPORT, content=b" " * 4_000_001, params={"format": wanted}, headers=headers)
    assert (sent.status_code, f"A file of the format {wanted} may have {limit} bytes." in sent.text) == (413, True)


async def test_a_list_with_a_name_leaves_what_was_shared_here(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    path = write_sample(tmp_path, "openai-models", "OpenRouter")
    import_it = ("import", path.name, "--owner", "root", "--source", "openrouter")
    assert shell.ok(*import_it).endswith("\n1 changes")
    shared = {"id": "g", "principal_type": "user", "principal_id": "*", "permission": "read"}
    store["models"].update_one({}, {"$set": {"access_grants": [shared]}})
    assert shell.ok(*import_it).endswith("\n0 changes")
    [model] = store["models"].find()
    assert model["access_grants"] == [shared]
