"""`modeldeck watch`: every change of a model is one line, none lost and none repeated, also after interruptions."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.models import operations
from service.models.bulk_change import BulkChange, change_matching
from service.models.record import Content
from tests.support.commands import CommandLine, end, until
from tests.support.directory import grant, model
from tests.support.import_samples import NAME, Raw, write_source

Line = dict[str, Any]


class Watching:
    """A running `watch`, and the lines that it has printed so far."""

    def __init__(self, process: Popen[str], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def lines(self) -> list[Line]:
        """The lines printed so far, without a last line that is still incomplete."""
        return [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line[-1] == "\n"]

    def has_seen(self, count: int) -> bool:
        """Return whether it has printed at least this many lines; fail if it has exited."""
        assert self.process.poll() is None, self._output.with_suffix(".err").read_text()
        return len(self.lines) >= count


@contextmanager
def watching(shell: CommandLine, name: str, *options: str) -> Iterator[Watching]:
    """Run `watch` for the duration of a block, which begins once `watch` misses no change any more."""
    output = shell.folder / f"{name}.out"
    errors = output.with_suffix(".err")
    with output.open("w") as out, errors.open("w") as err:
        process = shell.start("watch", *options, stdout=out, stderr=err)
    try:
        until(lambda: "watching" in errors.read_text() or process.poll() is not None, "it watches")
        assert process.poll() is None, errors.read_text()
        yield Watching(process, output)
    finally:
        end(process)


def change(store: Raw, model_id: str, **fields: Any) -> None:
    store["models"].update_one({"_id": model_id}, {"$set": fields, "$inc": {"version": 1}})


def change_summaries(lines: list[Line]) -> list[tuple[str, str, int | None]]:
    return [(line["change"], line["id"], line["model"] and line["model"]["version"]) for line in lines]


def test_each_change_is_a_line(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    with watching(shell, "first") as watch:
        original = model("m", "ann", params={"$ref": 1, "b": [2**60]}, access_grants=[grant("user:*")])
        shell.ok("import", str(write_source(tmp_path, {"models": [original]})))
        # The origin that such an import stores is no field of a model, and no change if there is no other.
        for one in (original, original, {**original, "name": "New"}):
            shell.ok("import", str(write_source(tmp_path, {"models": [one]})), "--source", "elsewhere")
        store["models"].update_one({"_id": "m"}, {"$unset": {"origin": 1}})
        store["models"].delete_one({"_id": "m"})
        until(lambda: watch.has_seen(3), "three changes were printed")
        watch.process.send_signal(signal.SIGINT)
        assert watch.process.wait(20) == 130
        created, updated, deleted = watch.lines
    assert change_summaries(watch.lines) == [("created", "m", 1), ("updated", "m", 2), ("deleted", "m", None)]
    assert {name: created["model"][name] for name in ("user_id", "params")} == {
        "user_id": "ann",
        "params": original["params"],
    }
    assert "keys" not in created["model"]
    assert updated["fields"] == ["name"]
    assert created["at"] > 1_700_000_000
    assert len({line["token"] for line in (created, updated, deleted)}) == 3


async def live(uri: str) -> None:
    """Create two models, change one and delete one, as ann and bob through the service."""
    database = Database.connect(uri, NAME, 60.0)
    await database.open()
    ann, bob = [Caller(user, is_admin=True, principals=frozenset()) for user in ("ann", "bob")]
    content: Content = {
        "base_model_id": None,
        "name": "M",
        "params": {},
        "meta": {},
        "access_grants": [],
        "is_active": True,
    }
    for model_id in ("m", "n"):
        await operations.create(database, ann, model_id, content)
    toggled = BulkChange(ChangeKind.TOGGLE, bob.user_id, {}, lambda _: {"is_active": False})
    assert [results async for results in change_matching(database, {}, toggled)]
    await operations.delete(database, operations.ChangeRequest(bob, "m", ChangeKind.DELETE))
    database.close()


def test_a_line_says_who_it_was(shell: CommandLine, store: Raw, mongo_uri: str) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    with watching(shell, "authors") as watch:
        asyncio.run(live(mongo_uri))
        change(store, "n", name="Past the service")
        until(lambda: watch.has_seen(6), "six changes were printed")
        told = [(line["change"], line["id"], line["by"]) for line in watch.lines]
    assert sorted(told[2:4]) == [("updated", "m", "bob"), ("updated", "n", "bob")]
    assert told[:2] == [("created", "m", "ann"), ("created", "n", "ann")]
    assert told[4:] == [("deleted", "m", "bob"), ("updated", "n", None)]


def test_it_starts_again_where_it_stopped(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("import", str(write_source(tmp_path, {"models": [model("m", "ann")]})))
    state = tmp_path / "watch.token"
    with watching(shell, "first", "--state", str(state)) as watch:
        for number in range(5):
            change(store, "m", name=f"N{number}")
        until(lambda: watch.has_seen(5), "five changes were printed")
        # A change is printed before its token is saved, so a kill in between would repeat it. Tokens sort by time.
        until(lambda: state.read_text().strip() >= watch.lines[-1]["token"], "the token is saved")
        watch.process.kill()
        watch.process.wait()
        seen = change_summaries(watch.lines)
    for number in range(5, 9):
        change(store, "m", name=f"N{number}")
    with watching(shell, "second", "--state", str(state)) as watch:
        until(lambda: watch.has_seen(4), "the others were printed")
        seen += change_summaries(watch.lines)
        token = watch.lines[-2]["token"]
    assert [version for _, _, version in seen if version] and len(seen) == 9
    with watching(shell, "third", "--after", token) as watch:
        until(lambda: watch.has_seen(1), "the last was printed again")
        assert [line["model"]["name"] for line in watch.lines] == ["N8"]


def test_nothing_is_missed_before_the_first_change(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    state = tmp_path / "watch.token"
    with watching(shell, "first", "--state", str(state)):
        pass
    store["models"].insert_one({"_id": "m", "version": 1}, bypass_document_validation=True)
    with watching(shell, "second", "--state", str(state)) as watch:
        until(lambda: watch.has_seen(1), "it was printed")
        assert change_summaries(watch.lines) == [("created", "m", 1)]


@pytest.mark.parametrize("token", ["nonsense", "82", "é" * 10])
def test_an_invalid_token_is_refused(shell: CommandLine, token: str) -> None:
    done = shell.run("watch", "--after", token)
    assert (done.status, done.stdout) == (2, "")
    assert "token" in done.stderr.splitlines()[-1]


def test_both_places_to_start_from_exclude_each_other(shell: CommandLine, tmp_path: Path) -> None:
    done = shell.run("watch", "--after", "82", "--state", str(tmp_path / "state"))
    assert (done.status, "--after" in done.stderr) == (2, True)


@pytest.mark.faults
def test_it_survives_another_primary_and_a_crash(tmp_path: Path) -> None:
    embedded = EmbeddedMongo(tmp_path / "data")
    with embedded.lease():
        shell = CommandLine(tmp_path, mongodb_uri=embedded.uri(NAME), database=NAME)
        with MongoClient[dict[str, Any]](embedded.uri(NAME)) as client, watching(shell, "all") as watch:
            models = client[NAME]["models"]
            models.insert_one({"_id": "m", "version": 1}, bypass_document_validation=True)
            until(lambda: watch.has_seen(1), "the first was printed")
            with suppress(AutoReconnect):
                client.admin.command("replSetStepDown", 1, force=True)
            until(lambda: client.admin.command("hello")["isWritablePrimary"], "there is a primary again")
            models.insert_one({"_id": "n", "version": 1}, bypass_document_validation=True)
            until(lambda: watch.has_seen(2), "the second was printed")
            client.admin.command("killAllSessions", [])
            models.insert_one({"_id": "o", "version": 1}, bypass_document_validation=True)
            until(lambda: watch.has_seen(3), "the third was printed")
            assert [line["id"] for line in watch.lines] == ["m", "n", "o"]
