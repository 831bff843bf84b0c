"""Imports that are interrupted at any moment, or whose MongoDB is killed, are completed when they are run again.

All tests but one run only with `python -m faults D6`.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from service.embedded_mongo.server import EmbeddedMongo
from tests.support.commands import COMMAND_SECONDS, Done, finish, mongods
from tests.support.interrupted_imports import (
    CompleteImport,
    ImportTarget,
    Interruption,
    Progress,
    Rerun,
    Source,
    bundle,
    differences,
    old_openwebui_database,
)

# How many imports of each source are interrupted; together, ten with each signal.
INTERRUPTIONS = {"bundle.json": 3, "webui.db": 7}
MONGOD_KILLS = {"bundle.json": 1, "webui.db": 2}
FAILED, INTERRUPTED = 2, 130

only_a_bundle = pytest.mark.parametrize("source", [bundle], ids=["bundle"], indirect=True)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportTarget]:
    folder = tmp_path_factory.mktemp("interrupted")
    embedded = EmbeddedMongo(folder / "data")
    try:
        with embedded.lease(), MongoClient[dict[str, Any]](embedded.uri("admin")) as client:
            yield ImportTarget(folder, client)
    finally:
        for pid in mongods(folder / "data"):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module", params=[bundle, old_openwebui_database], ids=lambda make: make.__name__)
def source(request: pytest.FixtureRequest, target: ImportTarget) -> Source:
    make: Callable[[Path], Source] = request.param
    return make(target.shell.folder)


@pytest.fixture(scope="module")
def complete(target: ImportTarget, source: Source) -> CompleteImport:
    """An import that nothing interrupts, into an empty database."""
    stored = target.complete_import(source)
    assert target.stored(source) == source.records
    return stored


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


async def require_all_of(target: ImportTarget, source: Source, complete: CompleteImport) -> None:
    rerun = await target.rerun(source)
    assert differences(target.contents(), complete.contents) == []
    assert (rerun.clean, rerun.changes_of_second, rerun.problems) == (True, 0, [])


async def test_an_import_that_was_killed_once_goes_on_where_it_stopped(target: ImportTarget) -> None:
    source = bundle(target.shell.folder, models=1_100)
    target.empty()
    assert (await target.rerun(source)).clean
    complete = target.contents()
    target.delete_records()
    # The second batch waits for a record of another transaction, so that the import is killed between the two.
    with target.database.client.start_session() as session, session.start_transaction():
        target.database.models.insert_one({"_id": "team/m1099"}, bypass_document_validation=True, session=session)
        process = target.shell.start("import", source.path.name)
        target.watch(process, source, Progress.STORING)
        process.kill()
        finish(process)
        session.abort_transaction()
    assert target.stored(source) == 1_000
    target.end_transactions()
    assert await target.rerun(source) == Rerun(clean=True, changes_of_second=0, problems=[])
    assert differences(target.contents(), complete) == []


@pytest.mark.faults
async def test_an_import_that_was_killed_goes_on_where_it_stopped(
    target: ImportTarget, source: Source, complete: CompleteImport
) -> None:
    for interrupted in target.interrupt_imports(
        source, complete, subprocess.Popen.kill, INTERRUPTIONS[source.path.name]
    ):
        assert interrupted.done.status in (0, -signal.SIGKILL)
        target.end_transactions()
        await require_all_of(target, source, complete)
    assert target.shell.ok("import", source.path.name).endswith("\n0 changes")
    assert target.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.faults
async def test_an_import_that_was_interrupted_leaves_nothing_open_and_goes_on(
    target: ImportTarget, source: Source, complete: CompleteImport
) -> None:
    for interrupted in target.interrupt_imports(source, complete, interrupt, INTERRUPTIONS[source.path.name]):
        assert interrupted.open_transactions == 0
        # Before it stores records, the program may still be starting; it then ends like any interrupted program.
        if 0 < target.stored(source) < source.records:
            assert interrupted.done.status == INTERRUPTED
            assert "Traceback" not in interrupted.done.stderr
        await require_all_of(target, source, complete)
    assert target.shell.ok("import", source.path.name).endswith("\n0 changes")
    assert target.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.faults
async def test_an_import_whose_mongod_was_killed_goes_on_where_it_stopped(
    target: ImportTarget, source: Source, complete: CompleteImport
) -> None:
    def kill_mongod(_: subprocess.Popen[str]) -> None:
        target.kill_mongod()
        target.start_mongod()

    for interrupted in target.interrupt_imports(source, complete, kill_mongod, MONGOD_KILLS[source.path.name]):
        # The driver may reconnect and continue, so that the import succeeds.
        assert interrupted.done.status == 0 or reported_lost_database(interrupted.done)
        await require_all_of(target, source, complete)
    assert target.shell.ok("import", source.path.name).endswith("\n0 changes")


@pytest.mark.faults
@only_a_bundle
async def test_an_import_says_so_when_its_mongod_does_not_come_back_and_goes_on_when_it_does(
    target: ImportTarget, source: Source, complete: CompleteImport
) -> None:
    def kill_mongod(process: subprocess.Popen[str]) -> None:
        target.kill_mongod()
        try:
            process.wait(COMMAND_SECONDS)
        finally:
            target.start_mongod()

    # An import retries for six times the request timeout.
    for interrupted in target.interrupt_imports(
        source, complete, kill_mongod, 1, after=(Progress.STORING,), request_timeout="4"
    ):
        if target.stored(source) < source.records:
            assert reported_lost_database(interrupted.done)
        await require_all_of(target, source, complete)


def reported_lost_database(done: Done) -> bool:
    # The log is written to standard error too, and may report lost connections after this line.
    return done.status == FAILED and "modeldeck: The database " in done.stderr


@pytest.mark.faults
@only_a_bundle
@pytest.mark.parametrize("interruption", [subprocess.Popen.kill, interrupt], ids=["killed", "interrupted"])
async def test_of_an_atomic_import_all_is_there_or_nothing(
    target: ImportTarget, source: Source, complete: CompleteImport, interruption: Interruption
) -> None:
    for interrupted in target.interrupt_imports(
        source, complete, interruption, 1, "--atomic", after=(Progress.STARTED,)
    ):
        stored = target.contents()
        assert not stored or differences(stored, complete.contents) == []
        if interruption is interrupt:
            assert interrupted.open_transactions == 0
        target.end_transactions()
        target.shell.ok("import", source.path.name, "--atomic")
        await require_all_of(target, source, complete)
