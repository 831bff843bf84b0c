"""The indexes around a large first load: dropped before its models, and built whatever becomes of it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from documents.user import Role
from indexes.ensure import check, drop_until_loaded, ensure
from indexes.indexes import INDEXES, LOADED
from service.cli import open_database as opening
from service.cli.open_database import open_database
from service.database.client import Database
from service.importing import first_load as module
from service.importing.first_load import BEGUN, BUILDING, NOT_BUILT, first_load
from service.importing.plan import ImportOptions
from service.settings import Settings
from tests.conftest import DATABASE, Commands
from tests.support.commands import CommandLine, finish, until
from tests.support.directory import Directory, model
from tests.support.import_samples import Raw, write_source

ALL = {name: {"_id_", *(index.document["name"] for index in INDEXES[name])} for name in LOADED}
FEW = {"models": {"_id_", "origin"}, "revisions": {"_id_", "history"}}
MANY = 5
# Imports like the command, but no batch that was stored comes to its end.
STOPPING = f"""
import asyncio
from service.cli import main
from service.importing import first_load
from service.importing.writers import models

first_load.MIN_MODELS = models.BATCH_RECORDS = {MANY}
store = models.store_planned

async def store_and_stop(*arguments, **options):
    await store(*arguments, **options)
    await asyncio.Event().wait()

models.store_planned = store_and_stop
main()
"""


@pytest.fixture(autouse=True)
def small_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_MODELS", MANY)


@pytest.fixture
async def indexed(mongod: Database) -> AsyncIterator[Database]:
    """The real database; what a test leaves undone with its indexes is made up for."""
    yield mongod
    assert await ensure(mongod) == []


@pytest.fixture
def located(settings: Settings, mongo_uri: str) -> Settings:
    """Settings with which a command opens the database under test."""
    return settings.model_copy(update={"mongodb_uri": SecretStr(mongo_uri), "database": DATABASE})


def source(folder: Path, models: int = MANY, **extra: Any) -> Path:
    records = [model(f"m{n}", "ann", **extra) for n in range(models)]
    return write_source(folder, {"users": [{"id": "ann", "name": "Ann", "email": "a@x.org"}], "models": records})


def names(store: Raw) -> dict[str, set[str]]:
    return {name: set(store[name].index_information()) for name in LOADED}


async def names_in(database: Database) -> dict[str, set[str]]:
    return {name: {index["name"] for index in await database.list_indexes(name)} for name in LOADED}


def test_after_a_load_all_indexes_are_there(shell: CommandLine, store: Raw) -> None:
    done = shell.run("import", source(shell.folder).name)

    assert (done.status, done.stderr.splitlines()) == (0, [BEGUN, BUILDING])
    assert done.stdout.endswith("6 changes\n")
    assert shell.ok("indexes", "check") == "indexes are as declared"
    assert names(store) == ALL


def test_after_a_load_with_rejected_records_all_indexes_are_there(shell: CommandLine) -> None:
    path = source(shell.folder)
    content = json.loads(path.read_text())
    content["models"][0]["name"] = 5
    path.write_text(json.dumps(content))

    done = shell.run("import", path.name)

    assert (done.status, done.stderr.splitlines()) == (1, [BEGUN, BUILDING])
    assert shell.ok("indexes", "check") == "indexes are as declared"


@pytest.mark.parametrize("options", [("--dry-run",), ("--atomic",), ()], ids=["dry run", "atomic", "few models"])
def test_no_other_import_into_an_empty_directory_drops_indexes(
    shell: CommandLine, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> bool:
        raise AssertionError("indexes are dropped")

    monkeypatch.setattr(module, "drop_until_loaded", refuse)
    done = shell.run("import", source(shell.folder, models=MANY if options else MANY - 1).name, *options)
    assert (done.status, done.stderr) == (0, "")


async def test_a_directory_with_models_keeps_its_indexes(
    indexed: Database, directory: Directory, commands: Commands, tmp_path: Path
) -> None:
    await directory.load({"models": [model("here", "ann")]}, tmp_path)
    commands.clear()

    notices: list[str] = []
    async with first_load(indexed, ImportOptions(), notices.append) as options:
        await options.before_models(MANY)

    assert notices == []
    assert {command for command, _ in commands.on("models")} == {"find"}


async def test_while_it_loads_only_the_indexes_are_there_that_an_import_needs(indexed: Database) -> None:
    notices: list[str] = []
    async with first_load(indexed, ImportOptions(), notices.append) as options:
        assert await names_in(indexed) == ALL
        await options.before_models(MANY)
        assert await names_in(indexed) == FEW
        assert all(drift.affects_service for drift in await check(indexed))
        assert notices == [BEGUN]
    assert await names_in(indexed) == ALL
    assert notices == [BEGUN, BUILDING]


async def test_each_collection_is_read_once_for_all_its_indexes(indexed: Database, commands: Commands) -> None:
    async with first_load(indexed, ImportOptions(), lambda _: None) as options:
        await options.before_models(MANY)
        commands.clear()
    built = [event.command for event in commands.started_events if event.command_name == "createIndexes"]
    assert [(command["createIndexes"], len(command["indexes"])) for command in built] == [
        (name, len(ALL[name] - FEW[name])) for name in LOADED
    ]


async def test_an_index_that_is_not_as_declared_stays_as_it_is(indexed: Database, raw: Raw) -> None:
    raw.models.drop_index("owner")
    raw.models.create_index([("user_id", 1)], name="owner")
    raw.models.create_index([("name", 1)], name="theirs")

    assert await drop_until_loaded(indexed)

    assert set(raw.models.index_information()) == {"_id_", "origin", "owner", "theirs"}
    for name in ("owner", "theirs"):
        raw.models.drop_index(name)


async def test_when_the_import_fails_its_own_failure_is_reported_and_the_indexes_are_built(indexed: Database) -> None:
    notices: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with first_load(indexed, ImportOptions(), notices.append) as options:
            await options.before_models(MANY)
            raise ZeroDivisionError
    assert notices == [BEGUN, BUILDING]
    assert await names_in(indexed) == ALL


async def test_when_they_cannot_be_built_the_user_is_told(indexed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(_: Database, before_building: Callable[[], None]) -> None:
        before_building()
        raise AutoReconnect

    notices: list[str] = []
    monkeypatch.setattr(module, "ensure", lost)
    with pytest.raises(AutoReconnect):
        async with first_load(indexed, ImportOptions(), notices.append) as options:
            await options.before_models(MANY)
    assert notices == [BEGUN, BUILDING, NOT_BUILT]


async def test_another_interruption_leaves_them_to_the_next_command(
    indexed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(_: Database, before_building: Callable[[], None]) -> None:
        before_building()
        building.set()
        await asyncio.Event().wait()

    async def load() -> None:
        async with first_load(indexed, ImportOptions(), notices.append) as options:
            await options.before_models(MANY)
            loading.set()
            await asyncio.Event().wait()

    notices: list[str] = []
    loading, building = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(module, "ensure", endless)
    running = asyncio.create_task(load())
    for reached in (loading, building):
        await reached.wait()
        running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert notices == [BEGUN, BUILDING, NOT_BUILT]


async def test_what_nobody_built_is_built_by_the_next_command(
    indexed: Database,
    located: Settings,
    directory: Directory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # As after a load that was killed.
    await drop_until_loaded(indexed)
    assert (await directory.client.get("/health/ready")).status_code == 503

    # What takes as long as with a large directory is said, and nothing else.
    monkeypatch.setattr(opening, "SLOW_SECONDS", 0.0)
    async with open_database(located) as database:
        assert await check(database) == []
    assert caplog.messages == [opening.BUILDING]
    assert (await directory.client.get("/health/ready")).status_code == 200


async def test_lists_are_right_without_the_indexes(indexed: Database, directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    read = model("m1", "ann", name="Contract reader", meta={"tags": [{"name": "legal"}]})
    await directory.load({"models": [read, model("m2", "ann", name="Other")]}, tmp_path)
    await drop_until_loaded(indexed)
    for caller in ("ann", "root"):
        assert await directory.ids(caller, order_by="name", direction="desc") == ["m2", "m1"]
        for filtered in ({"query": "contract"}, {"tag": "legal"}):
            assert await directory.ids(caller, **filtered) == ["m1"]


async def test_two_loads_at_the_same_time_end_with_all_indexes(indexed: Database) -> None:
    async def load() -> None:
        async with first_load(indexed, ImportOptions(), lambda _: None) as options:
            await options.before_models(MANY)

    await asyncio.gather(load(), load())
    assert await names_in(indexed) == ALL


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_an_interrupted_load_builds_its_indexes(shell: CommandLine, store: Raw, how: signal.Signals) -> None:
    path, said = source(shell.folder, models=3 * MANY), shell.folder / "stderr"
    shell.ok("indexes", "ensure")
    shell.program = (sys.executable, "-c", STOPPING)
    with said.open("w") as stderr:
        process = shell.start("import", path.name, stderr=stderr)
        try:
            until(lambda: store.models.find_one() or process.poll() is not None, "the first batch is stored")
            assert names(store) == FEW
            process.send_signal(how)
        finally:
            done = finish(process)

    assert (done.status, said.read_text().splitlines()) == (130, [BEGUN, BUILDING])
    assert MANY <= store.models.count_documents({}) < 3 * MANY
    assert names(store) == ALL
