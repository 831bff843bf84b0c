"""What is imported from each format, how the format is recognised, and what the documentation says about it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.importing import SourceFormat
from service.importing.formats import FORMATS
from service.importing.source import SourceError
from tests.support.commands import COMMAND_SECONDS, CommandLine
from tests.support.directory import Directory
from tests.support.documentation import ROOT, blocks
from tests.support.import_samples import (
    CONFIGURATION,
    EXPORT,
    IMPORTABLE,
    MODEL,
    NAMED,
    OLD_KEY,
    PRICES,
    SECRETS,
    Raw,
    dump,
    imported,
    write_source,
)
from tests.support.openwebui_databases import LATE, MIDDLE, insert, make_database


def test_no_secret_of_a_configuration_is_imported_or_printed(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    write_source(tmp_path, CONFIGURATION, "config.yaml")
    import_it = ("import", "config.yaml", "--owner", "root", "--create-groups", "--report", "report.json")
    plan = shell.run(*import_it, "--dry-run")
    done = shell.run(*import_it)
    assert (plan.status, done.status, done.stderr) == (1, 1, "")
    assert done.stdout.startswith("read as litellm, since YAML with a model_list")
    report = (tmp_path / "report.json").read_text()
    for text in (dump(store), plan.stdout, plan.stderr, done.stdout, report):
        assert [secret for secret in SECRETS if secret in text] == []
    [wildcard] = [line for line in done.stdout.splitlines() if line.startswith("rejected model_list[1] ")]
    assert wildcard.endswith("is a route to any number of models, not one model")

    [found] = store["models"].find()
    assert (found["_id"], found["name"], found["base_model_id"]) == ("fast", "Fast chat", "openai/gpt-4o")
    assert (found["params"]["temperature"], found["meta"]["limits"]) == (0.2, {"max_tokens": 5})
    assert [given["principal_id"] for given in found["access_grants"]] == ["beta"]
    assert store["groups"].distinct("_id") == ["beta"]


async def test_a_price_map_is_imported_as_base_models(directory: Directory, tmp_path: Path) -> None:
    await directory.user("root", role=Role.ADMIN)
    async with imported(directory, write_source(tmp_path, PRICES), owner_id="root") as report:
        assert (report.clean, report.changes) == (True, 2)
    found = (await directory.get(MODEL, "root", id="gpt-4o")).json()
    assert (found["base_model_id"], found["user_id"], found["access_grants"]) == (None, "root", [])
    assert found["meta"]["prices"] == {"input_cost_per_token": 2.5e-06}
    assert found["meta"]["capabilities"] == {"vision": True}


# --- Exports of another age, and formats


async def test_what_an_old_export_says_of_access_is_kept(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("stranger")
    async with imported(directory, write_source(tmp_path, EXPORT)) as report:
        assert report.clean, list(report.faults())
    assert await directory.ids("stranger") == ["public"]
    assert sorted(await directory.ids("ann")) == ["absent", "private", "public"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MIDDLE, "openwebui-db, since an SQLite database"),
        (EXPORT, "openwebui, since JSON models with access_control"),
        (CONFIGURATION, "litellm, since YAML with a model_list"),
        (PRICES, "litellm-prices, since a JSON object whose values have litellm_provider"),
        (NAMED, "modeldeck, since a JSON object of models: a bundle"),
    ],
    ids=["openwebui-db", "openwebui", "litellm", "litellm-prices", "modeldeck"],
)
def test_the_format_is_recognised_by_the_content(
    shell: CommandLine, tmp_path: Path, content: Any, expected: str
) -> None:
    if content == MIDDLE:
        make_database(tmp_path / "source.json", content)
    else:
        write_source(tmp_path, content)
    done = shell.run("import", "source.json", "--dry-run", "--report", "report.json")
    assert done.stdout.startswith(f"read as {expected}")
    report = json.loads((tmp_path / "report.json").read_text())
    assert f"{report['format']}, since {report['reason']}".startswith(expected)


TOOL: dict[str, Any] = {"id": "t", "name": "T", "content": "class Tools:", "specs": [], "access_control": None}

QUOTING: dict[str, Any] = {
    "id": "c",
    "user_id": "u",
    "title": "Help",
    "chat": {"messages": [{"content": "model_list:\n- model_name: a\n  litellm_params: {model: openai/a}\n"}]},
}
RUNS = [{"id": "run-1", "name": "baseline", "params": {"lr": 0.1}, "metrics": {"acc": 0.9}}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is empty"),
        ([TOOL], "not recognised: this is an export of tools, which holds no models"),
        ([QUOTING], "not recognised: this is an export of chats, which holds no models"),
        (RUNS, "not recognised. The formats are"),
        ({"nothing": "known"}, f"not recognised. The formats are {', '.join(SourceFormat)}."),
        ({"users": [], "orders": []}, "a JSON object of users: a bundle, but with other parts too"),
    ],
    ids=["empty", "tools", "a chat", "runs", "unknown", "near"],
)
def test_what_is_not_recognised_is_refused_and_nothing_is_stored(
    shell: CommandLine, store: Raw, tmp_path: Path, content: Any, expected: str
) -> None:
    write_source(tmp_path, content)
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    for options in ("--dry-run",), ():
        done = shell.run("import", "source.json", "--owner", "ann", "--create-groups", *options)
        assert (done.status, done.stdout) == (1, "")
        assert expected in done.stderr
    assert store["models"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("wanted", "content"),
    [
        ("litellm", EXPORT),
        ("litellm", PRICES),
        ("litellm-prices", EXPORT),
        ("litellm-prices", NAMED),
        ("openwebui", PRICES),
        ("openwebui", CONFIGURATION),
        ("openwebui-db", EXPORT),
        ("modeldeck", EXPORT),
        ("modeldeck", CONFIGURATION),
    ],
)
def test_a_format_that_was_named_wrongly_is_refused(
    shell: CommandLine, store: Raw, tmp_path: Path, wanted: str, content: Any
) -> None:
    write_source(tmp_path, content)
    done = shell.run("import", "source.json", "--format", wanted)
    assert done.status in (1, 2)
    assert (done.stdout + done.stderr).count("Traceback") == 0
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
    assert store["models"].count_documents({}) == 0


@pytest.mark.parametrize("wanted", [wanted for wanted, format_ in FORMATS.items() if format_.read is not None])
def test_a_database_read_as_a_file_is_refused(
    shell: CommandLine, store: Raw, tmp_path: Path, wanted: SourceFormat
) -> None:
    make_database(tmp_path / "webui.db", LATE)
    done = shell.run("import", "webui.db", "--format", wanted)
    assert (done.status, done.stdout.splitlines()[-1]) == (1, "0 changes")
    assert done.stderr.startswith("modeldeck: the source can't be read to its end: ")
    assert OLD_KEY not in done.stderr
    assert store["users"].count_documents({}) == 0


async def test_a_database_of_something_else_is_refused(directory: Directory, tmp_path: Path) -> None:
    path = make_database(tmp_path / "other.db", "CREATE TABLE t (id TEXT);")
    with pytest.raises(SourceError, match="not the database of Open WebUI"):
        async with imported(directory, path):
            pass


@pytest.mark.usefixtures("several_batches")
async def test_more_than_one_batch_of_everything_is_imported(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    path = make_database(tmp_path / "webui.db", *IMPORTABLE)
    many = range(250)
    insert(path, "user", [(f"u{n}", f"U {n}", f"u{n}@x.org", "user", None) for n in many])
    insert(path, "model", [(f"n{n}", f"u{n}", "gpt-4o", f"N {n}", "{}", "{}", 2, 1, 1, "v") for n in many])
    insert(path, "model_history", [(f"v{n}", f"n{n}", None, '{"name": "old"}', f"u{n}", None, 7) for n in many])
    async with imported(directory, path, atomic=True) as report:
        assert report.clean, list(report.faults())[:5]
    assert raw["models"].count_documents({"version": 2}) == len(many)
    assert raw["revisions"].count_documents({"version": 1, "after": {"name": "old"}}) == len(many)


# --- The documentation


def test_the_example_for_scripts_runs(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@example.com", "--name", "Ann", "--role", "admin")
    make_database(tmp_path / "webui.db", *IMPORTABLE)
    [example] = blocks(ROOT / "docs/migrating.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**shell.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    assert done.stdout.splitlines() == ["9 changes, clean: True"]
    assert store["models"].distinct("_id") == ["gpt-4o", "m"]
    assert sorted(store["users"].distinct("_id")) == ["ann", "ben"]


def test_every_format_and_option_is_described() -> None:
    text = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
    options = ("--dry-run", "--map-users", "--create-groups", "--atomic", "--report", "--owner", "--format")
    assert [word for word in (*SourceFormat, *options) if f"`{word}" not in text] == []


def test_a_report_that_cant_be_written_is_found_out_before_anything_is(
    shell: CommandLine, store: Raw, tmp_path: Path
) -> None:
    done = shell.run("import", str(write_source(tmp_path, NAMED)), "--report", str(tmp_path / "nowhere" / "r.json"))
    assert (done.status, "The report can't be written" in done.stderr) == (2, True)
    assert store["models"].count_documents({}) == 0
