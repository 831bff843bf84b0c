"""Imports that are interrupted at any moment, or whose MongoDB is killed, go on when they are run again.

All but one are run by `python -m faults D6`.
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
from tests.support.commands import COMMAND_SECONDS, Done, mongods
from tests.support.interruptions import Blow, Origin, Sign, Site, Whole, bundle, differences, old_instance

# How many imports are struck; of both sources together, ten by each signal.
BLOWS = {"bundle.json": 3, "webui.db": 7}
BLOWS_TO_MONGOD = {"bundle.json": 1, "webui.db": 2}
FAILED, INTERRUPTED = 2, 130

only_a_bundle = pytest.mark.parametrize("origin", [bundle], ids=["bundle"], indirect=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("interrupted")
    embedded = EmbeddedMongo(folder / "data")
    try:
        with embedded.lease(), MongoClient[dict[str, Any]](embedded.uri("admin")) as client:
            yield Site(folder, client)
    finally:
        for pid in mongods(folder / "data"):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module", params=[bundle, old_instance], ids=lambda make: make.__name__)
def origin(request: pytest.FixtureRequest, site: Site) -> Origin:
    make: Callable[[Path], Origin] = request.param
    return make(site.shell.folder)


@pytest.fixture(scope="module")
def whole(site: Site, origin: Origin) -> Whole:
    """What is stored when nothing interrupts the import; all of it is as new."""
    stored = site.whole(origin)
    assert site.stored(origin) == origin.whole
    return stored


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


async def require_all_of(site: Site, origin: Origin, whole: Whole) -> None:
    settled = await site.settled(origin)
    assert differences(site.contents(), whole.contents) == []
    assert (settled.clean, settled.changes_of_another, settled.problems) == (True, 0, [])


@only_a_bundle
async def test_an_import_that_was_killed_once_goes_on_where_it_stopped(
    site: Site, origin: Origin, whole: Whole
) -> None:
    for struck in site.strikes(origin, whole, subprocess.Popen.kill, 1, signs=(Sign.FILLING,)):
        assert struck.done.status in (0, -signal.SIGKILL)
        site.end_transactions()
        await require_all_of(site, origin, whole)


@pytest.mark.faults
async def test_an_import_that_was_killed_goes_on_where_it_stopped(site: Site, origin: Origin, whole: Whole) -> None:
    for struck in site.strikes(origin, whole, subprocess.Popen.kill, BLOWS[origin.path.name]):
        assert struck.done.status in (0, -signal.SIGKILL)
        site.end_transactions()
        await require_all_of(site, origin, whole)
    assert site.shell.ok("import", origin.path.name).endswith("\n0 changes")
    assert site.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.faults
async def test_an_import_that_was_interrupted_leaves_nothing_open_and_goes_on(
    site: Site, origin: Origin, whole: Whole
) -> None:
    for struck in site.strikes(origin, whole, interrupt, BLOWS[origin.path.name]):
        assert struck.left_open == 0
        # Before that, it was being loaded, and is interrupted as any Python program is.
        if 0 < site.stored(origin) < origin.whole:
            assert struck.done.status == INTERRUPTED
            assert "Traceback" not in struck.done.stderr
        await require_all_of(site, origin, whole)
    assert site.shell.ok("import", origin.path.name).endswith("\n0 changes")
    assert site.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.faults
async def test_an_import_whose_mongod_was_killed_goes_on_where_it_stopped(
    site: Site, origin: Origin, whole: Whole
) -> None:
    def kill_mongod(_: subprocess.Popen[str]) -> None:
        site.kill_mongod()
        site.bring_up()

    for struck in site.strikes(origin, whole, kill_mongod, BLOWS_TO_MONGOD[origin.path.name]):
        # A driver that reaches the server again may go on as if nothing had been.
        assert struck.done.status == 0 or said_why(struck.done)
        await require_all_of(site, origin, whole)
    assert site.shell.ok("import", origin.path.name).endswith("\n0 changes")


@pytest.mark.faults
@only_a_bundle
async def test_an_import_says_so_when_its_mongod_does_not_come_back_and_goes_on_when_it_does(
    site: Site, origin: Origin, whole: Whole
) -> None:
    def kill_mongod(process: subprocess.Popen[str]) -> None:
        site.kill_mongod()
        try:
            process.wait(COMMAND_SECONDS)
        finally:
            site.bring_up()

    # It hopes for six times as long as one call may take.
    for struck in site.strikes(origin, whole, kill_mongod, 1, signs=(Sign.FILLING,), request_timeout="4"):
        if site.stored(origin) < origin.whole:
            assert said_why(struck.done)
        await require_all_of(site, origin, whole)


def said_why(done: Done) -> bool:
    # The log is on the same stream, and what it tells of the lost connections may come afterwards.
    return done.status == FAILED and "modeldeck: The database " in done.stderr


@pytest.mark.faults
@only_a_bundle
@pytest.mark.parametrize("blow", [subprocess.Popen.kill, interrupt], ids=["killed", "interrupted"])
async def test_of_an_atomic_import_all_is_there_or_nothing(
    site: Site, origin: Origin, whole: Whole, blow: Blow
) -> None:
    for struck in site.strikes(origin, whole, blow, 1, "--atomic", signs=(Sign.BEGUN,)):
        stored = site.contents()
        assert not stored or differences(stored, whole.contents) == []
        if blow is interrupt:
            assert struck.left_open == 0
        site.end_transactions()
        site.shell.ok("import", origin.path.name, "--atomic")
        await require_all_of(site, origin, whole)
