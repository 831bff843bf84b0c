"""D6: the service is killed amid changes of many models, and MongoDB amid an import; both are done again."""

import asyncio
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from pymongo import MongoClient

from faults.crashed_database import Database
from faults.place import Place
from faults.replica_set import ReplicaSet
from faults.report import Row, judged, progress
from faults.services import Installation, Service
from service.embedded_mongo.server import EmbeddedMongo
from tests.support.interruptions import Sign, Site, bundle, differences

POINTS = 10
BULK_MODELS, SET_MODELS, RECORDS = 2_000, 1_000, 10_000
MUST_HOLD = "done again: all as asked, 0 twice, 0 changes when done once more, the doctor finds nothing"
Report = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What was found after each blow."""

    midway: int = 0
    broken: list[str] = field(default_factory=list)


def run(place: Place) -> Iterator[Row]:
    """Yield a row for each kind of change that is cut off."""
    with place.replica_set() as replica_set:
        installation = Installation(place.folder_for("crashes"), replica_set.uri, "faults_crashes")
        for change, what in (
            (BulkState(replica_set, installation), f"POST /models/bulk/state of {BULK_MODELS:,} models"),
            (AtomicImport(replica_set, installation), f"POST /models/import of {SET_MODELS:,} models, all or none"),
        ):
            yield _struck(installation, change, what)


def run_import(place: Place) -> Iterator[Row]:
    """Yield the row for MongoDB that is killed amid an import."""
    yield asyncio.run(import_of_records(place))


class BulkState:
    """All models that a filter selects are switched on, then off, and so on."""

    def __init__(self, replica_set: ReplicaSet, installation: Installation) -> None:
        self._database = Database(replica_set, installation.database)
        self._whole = 0.0
        self.seen = Seen()

    def prepare(self, service: Service) -> None:
        """Make the models, and switch them for the first time."""
        models = [{"id": f"bulk/{number:05}", "name": f"Bulk {number}"} for number in range(BULK_MODELS)]
        for start in range(0, BULK_MODELS, 1000):
            _imported(service, models=models[start : start + 1000])
        self._whole = _timed(lambda: _switched(service, on=False))

    def strike(self, service: Service, number: int) -> None:
        """Kill the service somewhere amid another change."""
        on = number % 2 == 0
        _kill_amid(service, _share(number) * self._whole, lambda: _switched(service, on=on))
        self._database.end_transactions()
        done = self._database.count({"is_active": on})
        self.seen.midway += 0 < done < BULK_MODELS
        progress(f"D6 bulk state, {number + 1} of {POINTS}: {done} of {BULK_MODELS} had been changed")

    def settle(self, service: Service, number: int) -> None:
        """Ask for the same change again, and once more."""
        on = number % 2 == 0
        _switched(service, on=on)
        again = _switched(service, on=on)["counts"]
        self.seen.broken += [f"changed once more: {again}"] if again["unchanged"] != BULK_MODELS else []
        left = BULK_MODELS - self._database.count({"is_active": on, "version": number + 3})
        self.seen.broken += [f"{left} models were not changed exactly once"] if left else []
        self.seen.broken += self._database.torn()


class AtomicImport:
    """Sets of new models are imported, each of them as a whole."""

    def __init__(self, replica_set: ReplicaSet, installation: Installation) -> None:
        self._database = Database(replica_set, installation.database)
        self._whole = 0.0
        self.seen = Seen()

    def prepare(self, service: Service) -> None:
        """Import one set without an interruption."""
        self._whole = _timed(lambda: _imported(service, models=_set(POINTS)))

    def strike(self, service: Service, number: int) -> None:
        """Kill the service somewhere amid the import of another set."""
        _kill_amid(service, _share(number) * self._whole, lambda: _imported(service, models=_set(number)))
        self.seen.midway += self._database.end_transactions() > 0
        done = self._database.count(_of_set(number))
        self.seen.broken += [f"{done} of {SET_MODELS} are there"] if done not in {0, SET_MODELS} else []
        progress(f"D6 import of a set, {number + 1} of {POINTS}: {done} of {SET_MODELS} were there")

    def settle(self, service: Service, number: int) -> None:
        """Import the same set again, and once more."""
        _imported(service, models=_set(number))
        again = _imported(service, models=_set(number))["counts"]
        self.seen.broken += [f"imported once more: {again}"] if again["unchanged"] != SET_MODELS else []
        left = SET_MODELS - self._database.count({**_of_set(number), "version": 1})
        self.seen.broken += [f"{left} models are not there exactly once"] if left else []
        self.seen.broken += self._database.torn() if number == POINTS - 1 else []


def _struck(installation: Installation, change: BulkState | AtomicImport, what: str) -> Row:
    with installation.serving() as service:
        change.prepare(service)
    for number in range(POINTS + 1):
        with installation.serving() as service:
            if number > 0:
                change.settle(service, number - 1)
            if number < POINTS:
                change.strike(service, number)
    change.seen.broken += installation.problems()
    return _row(f"kill -9 of the service amid {what}, {POINTS} times", change.seen)


async def import_of_records(place: Place) -> Row:
    """Kill MongoDB while the command line imports a file, start it again, and import the file again."""
    folder = place.folder_for("import")
    embedded = EmbeddedMongo(folder / "data")
    seen = Seen()
    with embedded.lease(), MongoClient[Report](embedded.uri("admin")) as client:
        site = Site(folder, client)
        origin = bundle(folder, RECORDS)
        whole = site.whole(origin)

        def kill_mongod(_: subprocess.Popen[str]) -> None:
            site.kill_mongod()
            site.bring_up()

        struck_at = site.strikes(origin, whole, kill_mongod, POINTS, signs=(Sign.FILLING,))
        for number, struck in enumerate(struck_at):
            seen.midway += struck.midway
            site.shell.ok("import", origin.path.name)
            seen.broken += differences(site.contents(), whole.contents)
            progress(f"D6 import of records, {number + 1} of {POINTS}")
        # Of contents that are the same each time, once is enough.
        settled = await site.settled(origin)
        seen.broken += settled.problems if settled.clean else ["the import was not clean", *settled.problems]
        if settled.changes_of_another:
            seen.broken.append(f"{settled.changes_of_another} changes when imported once more")
    return _row(f"kill -9 of mongod amid an import of {RECORDS:,} records by the command line, {POINTS} times", seen)


def _row(test: str, seen: Seen) -> Row:
    broken = seen.broken or ([] if seen.midway else ["none was struck midway"])
    return judged("D6", test, f"{seen.midway} of {POINTS} struck midway", MUST_HOLD, broken)


def _share(number: int) -> float:
    """Return a random moment in one of as many parts as there are points."""
    return (number + random.random()) / POINTS


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _kill_amid(service: Service, seconds: float, ask: Callable[[], object]) -> None:
    """Ask something of a service and kill it some seconds later."""

    def asked() -> None:
        # Nobody is there any more to answer.
        with suppress(httpx.HTTPError):
            ask()

    thread = threading.Thread(target=asked, daemon=True)
    thread.start()
    time.sleep(seconds)
    service.served.process.kill()
    service.served.process.wait()
    thread.join()


def _set(number: int) -> list[Report]:
    return [
        {"id": f"set{number}/{n:05}", "name": f"Set {n}", "meta": {"tags": [f"t{n % 9}"]}} for n in range(SET_MODELS)
    ]


def _of_set(number: int) -> Report:
    return {"_id": {"$regex": f"^set{number}/"}}


def _switched(service: Service, *, on: bool) -> Report:
    return _posted(service, "/api/models/bulk/state", {"filter": {"query": "Bulk"}, "is_active": on})


def _imported(service: Service, *, models: list[Report]) -> Report:
    return _posted(service, "/api/models/import", {"models": models})


def _posted(service: Service, path: str, body: Any) -> Report:
    with service.client() as client:
        answer = client.post(path, json=body)
    told: Report = answer.json()
    if answer.status_code != 200:
        raise AssertionError(f"{path} was answered {answer.status_code}: {told.get('detail')}")
    return told
