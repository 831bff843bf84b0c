"""Imports that are interrupted: their sources, the moments of interruption, and what is stored in the end."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from pydantic import SecretStr
from pymongo import MongoClient

from documents import DOCUMENTS
from documents.lock import Lock
from service.cli.open_database import open_database
from service.doctor import examine
from service.embedded_mongo.server import EmbeddedMongo
from service.importing import ImportOptions, import_source
from service.settings import Settings
from tests.support.commands import COMMAND_SECONDS, CommandLine, Done, finish, mongods, until
from tests.support.directory import grant, model
from tests.support.import_samples import Raw, write_source
from tests.support.openwebui_databases import LATE, insert, make_database
from tests.support.raw_database import collection_names

NAME = "modeldeck_interrupted"
MODELS, USERS, GROUPS = 2_100, 150, 20
OLD_MODELS, OLD_VERSIONS, OLD_KEYS = 60, 3, 25
# The maximum number of attempts for each import that is to be interrupted.
MOST_ATTEMPTS = 10
LONG_AGO = 1_700_000_000
COLLECTIONS = [document.Settings.name for document in DOCUMENTS if document is not Lock]
AWARE = CodecOptions[dict[str, Any]](tz_aware=True)

Interruption = Callable[[subprocess.Popen[str]], object]


class Progress(StrEnum):
    """A sign in the database that an import has reached a certain point."""

    STARTED = "something is in the database, if only an index"
    STORING = "the first of many records is stored"


@dataclass(frozen=True, slots=True)
class Source:
    """A source, a collection that its import fills step by step, and the number of its records after the import."""

    path: Path
    collection: str
    records: int


@dataclass(frozen=True, slots=True)
class CompleteImport:
    """An import that nothing interrupted: what it stored, and how long it ran after each sign of progress."""

    contents: Counter[bytes]
    seconds: dict[Progress, float]


@dataclass(frozen=True, slots=True)
class InterruptedImport:
    """How an interrupted command ended, whether it was midway, and how many transactions it left open."""

    done: Done
    midway: bool
    open_transactions: int


@dataclass(frozen=True, slots=True)
class Rerun:
    """The results of two more runs after an interrupted import, and the problems that the doctor found then."""

    clean: bool
    changes_of_second: int
    problems: list[str]


def bundle(folder: Path, models: int = MODELS) -> Source:
    """Write a bundle of users, nested groups with members, and models with grants to both."""
    users = [{"id": f"u{n}", "name": f"User {n}", "email": f"u{n}@example.com"} for n in range(USERS)]
    groups = [
        {
            "id": f"g{n}",
            "name": f"Group {n}",
            "parent_id": f"g{n - 1}" if n % 4 else None,
            "member_ids": [f"u{member}" for member in range(n, USERS, 7)],
        }
        for n in range(GROUPS)
    ]
    records = [
        model(
            f"team/m{n}",
            f"u{n % USERS}",
            base_model_id=f"base/{n % 9}",
            params={"system": f"Prompt {n}.", "temperature": n / models},
            meta={"description": "d" * (n % 50), "tags": [{"name": f"t{n % 11}"}]},
            access_grants=[grant(f"group:g{n % GROUPS}"), grant(f"user:u{n % 149}", "write")],
        )
        for n in range(models)
    ]
    path = write_source(folder, {"users": users, "groups": groups, "models": records}, "bundle.json")
    return Source(path, "models", models)


def old_openwebui_database(folder: Path) -> Source:
    """Make an Open WebUI database with models, their histories, users and API keys."""
    path = make_database(
        folder / "webui.db", LATE, "DELETE FROM model_history", "DELETE FROM model", "DELETE FROM api_key"
    )
    numbers = range(OLD_MODELS)
    insert(path, "user", [(f"o{n}", f"Old {n}", f"o{n}@example.com", "user", None) for n in range(OLD_KEYS)])
    insert(path, "group_member", [(f"gm{n}", "team", f"o{n}") for n in range(OLD_KEYS)])
    insert(path, "api_key", [(f"k{n}", f"o{n}", f"sk-{n:032}", 1_900_000_000, 5) for n in range(OLD_KEYS)])
    models = [(f"m{n}", f"o{n % OLD_KEYS}", None, f"M {n}", "{}", "{}", LONG_AGO, LONG_AGO, 1, "v") for n in numbers]
    insert(path, "model", models)
    insert(path, "access_grant", [(f"ag{n}", "model", f"m{n}", "group", "all", "read", LONG_AGO) for n in numbers])
    versions = [(n, version) for n in numbers for version in range(OLD_VERSIONS)]
    history = [
        (f"h{n}-{v}", f"m{n}", f"h{n}-{v - 1}" if v else None, f'{{"name": "M {n} {v}"}}', "ann", None, LONG_AGO + v)
        for n, v in versions
    ]
    insert(path, "model_history", history)
    return Source(path, "revisions", OLD_MODELS * (OLD_VERSIONS + 1))


class ImportTarget:
    """A MongoDB of its own, the command line for it, and one database that is emptied before each import."""

    def __init__(self, folder: Path, client: MongoClient[dict[str, Any]]) -> None:
        self.data_dir = folder / "data"
        self.shell = self._shell(folder)
        self._uri = EmbeddedMongo(self.data_dir).uri(NAME)
        self._client = client

    def _shell(self, folder: Path, **settings: str) -> CommandLine:
        return CommandLine(folder, data_dir=str(self.data_dir), database=NAME, **settings)

    @property
    def database(self) -> Raw:
        """The database."""
        return self._client[NAME]

    def complete_import(self, source: Source) -> CompleteImport:
        """Import without an interruption, and measure the time."""
        self.empty()
        process = self.shell.start("import", source.path.name)
        seen = {}
        for progress in Progress:
            self.watch(process, source, progress)
            seen[progress] = time.monotonic()
        assert finish(process).status == 0
        ended = time.monotonic()
        return CompleteImport(self.contents(), {progress: ended - moment for progress, moment in seen.items()})

    def interrupt_imports(
        self,
        source: Source,
        complete: CompleteImport,
        interruption: Interruption,
        points: int,
        *options: str,
        after: Sequence[Progress] = (Progress.STORING, Progress.STARTED),
        **settings: str,
    ) -> Iterator[InterruptedImport]:
        """Interrupt `points` imports at moments spread over their duration; go on until one was interrupted midway."""
        shell = self._shell(self.shell.folder, **settings)
        chance = random.Random(f"{source.path.name} {points} {options}")
        seconds = dict(complete.seconds)
        interrupted = midway = 0
        for number in range(MOST_ATTEMPTS * points):
            if interrupted >= points and midway:
                return
            progress = after[number % len(after)]
            share = (number // len(after) + chance.random()) * len(after) / points % 1.0
            found = self._interrupt_import(source, progress, share * seconds[progress], interruption, shell, *options)
            if found is None or self.stored(source) == source.records:
                # The import is faster than the measured one.
                seconds[progress] *= 0.7
            elif not found.midway and self.stored(source) == 0:
                seconds[progress] *= 1.4
            if found is not None:
                interrupted += 1
                midway += found.midway
                yield found
        pytest.fail(f"{interrupted} imports were interrupted, {midway} of them midway")

    def _interrupt_import(
        self,
        source: Source,
        progress: Progress,
        delay: float,
        interruption: Interruption,
        shell: CommandLine,
        *options: str,
    ) -> InterruptedImport | None:
        """Import into an empty database and interrupt after a sign; return None if the import ended before."""
        self.empty()
        process = shell.start("import", source.path.name, *options)
        try:
            self.watch(process, source, progress)
            process.wait(delay)
        except subprocess.TimeoutExpired:
            # What one transaction writes is not visible before its commit.
            midway = self._open_transactions() > 0 if options else 0 < self.stored(source) < source.records
            interruption(process)
        else:
            assert finish(process).status == 0
            return None
        done = finish(process)
        return InterruptedImport(done, midway, self._open_transactions())

    def watch(self, process: subprocess.Popen[str], source: Source, progress: Progress) -> None:
        """Wait until there is a sign of progress, or the import has ended."""

        def seen() -> bool:
            if progress is Progress.STARTED:
                return bool(self.database.list_collection_names())
            return self.database[source.collection].find_one({}, {"_id": 1}) is not None

        until(lambda: seen() or process.poll() is not None, progress, COMMAND_SECONDS)

    def stored(self, source: Source) -> int:
        """Return how many records the observed collection has."""
        return self.database[source.collection].count_documents({})

    def empty(self) -> None:
        """Drop the database, including its indexes."""
        self.end_transactions()
        self._client.drop_database(NAME)

    def delete_records(self) -> None:
        """Delete all records; collections and indexes stay."""
        for name in collection_names(self.database):
            self.database[name].delete_many({})

    def kill_mongod(self) -> None:
        """Kill the mongod of this data directory, and no other."""
        [pid] = mongods(self.data_dir)
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in mongods(self.data_dir), "mongod is gone")

    def start_mongod(self) -> None:
        """Start MongoDB if it does not run."""
        with EmbeddedMongo(self.data_dir).lease():
            pass

    def _open_transactions(self) -> int:
        """Return the number of open transactions, including those of killed clients."""
        stages: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"transaction": {"$exists": True}}},
        ]
        return len(list(self._client.admin.aggregate(stages)))

    def end_transactions(self) -> None:
        """Abort the transactions of killed clients, as the server does by itself after a minute or more."""
        self._client.admin.command("killAllSessions", [])

    async def rerun(self, source: Source) -> Rerun:
        """Import twice more without an interruption."""
        settings = Settings(_env_file=None, mongodb_uri=SecretStr(self._uri), database=NAME, request_timeout=60)
        async with open_database(settings) as database:
            runs = []
            for _ in range(2):
                report = await import_source(database, str(source.path), ImportOptions())
                report.close()
                runs.append(report)
            return Rerun(runs[0].clean, runs[1].changes, (await examine(database, repair=False)).examples)

    def contents(self) -> Counter[bytes]:
        """Return all stored records exactly, without what differs each time: current times and random ids."""
        return Counter(
            name.encode() + bson.encode(self._timeless(name, record))
            for name in COLLECTIONS
            for record in self.database.get_collection(name, AWARE).find()
        )

    def _timeless(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        timeless = {field: "now" if _is_of_these_days(value) else value for field, value in record.items()}
        by_chance = name in ("revisions", "people_changes") and timeless["at"] == "now"
        return {**timeless, "_id": "by chance"} if by_chance else timeless


def _is_of_these_days(value: object) -> bool:
    # Two days allow for a clock that is set while an import runs. No source contains a date that recent.
    return isinstance(value, datetime) and abs(datetime.now(UTC) - value) < timedelta(days=2)


def differences(found: Counter[bytes], expected: Counter[bytes]) -> list[str]:
    """Return the first few unexpected and missing records, for a readable message."""
    more = [f"not expected: {record!r}" for record in found - expected]
    return more[:3] + [f"missing: {record!r}" for record in expected - found][:3]
