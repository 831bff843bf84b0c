"""D6: the service is killed during changes of many models, and MongoDB during an import; then both are repeated."""

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

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Installation, Service
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.stored_state import StoredState
from service.embedded_mongo.server import EmbeddedMongo
from tests.support.interrupted_imports import ImportTarget, Progress, bundle, differences

TIMES = 10
BULK_MODELS, SET_MODELS, RECORDS = 2_000, 1_000, 10_000
MUST_HOLD = "repeated: all as requested, 0 twice; repeated once more: 0 changes; the doctor reports nothing"
Record = dict[str, Any]


@dataclass(slots=True)
class Findings:
    """How many interruptions came midway, and the problems found after them."""

    midway: int = 0
    problems: list[str] = field(default_factory=list)


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield a row for each kind of change during which the service is killed."""
    with workspace.replica_set() as replica_set:
        installation = Installation(workspace.folder_for("crashes"), replica_set.uri, "faults_crashes")
        for change, name in (
            (BulkState(replica_set, installation), f"POST /models/bulk/state of {BULK_MODELS:,} models"),
            (AtomicImport(replica_set, installation), f"POST /models/import of {SET_MODELS:,} models, all or none"),
        ):
            yield _killed_service_row(installation, change, name)


def run_import(workspace: Workspace) -> Iterator[Row]:
    """Yield the row of an import during which MongoDB is killed."""
    yield asyncio.run(_killed_mongod_row(workspace))


class BulkState:
    """A bulk change that activates all models that a filter selects, then deactivates them, and so on."""

    def __init__(self, replica_set: ReplicaSet, installation: Installation) -> None:
        self._stored = StoredState(replica_set, installation.database)
        self._duration = 0.0
        self.findings = Findings()

    def prepare(self, service: Service) -> None:
        """Create the models, and time one change without an interruption."""
        models = [{"id": f"bulk/{number:05}", "name": f"Bulk {number}"} for number in range(BULK_MODELS)]
        for start in range(0, BULK_MODELS, 1000):
            _import_models(service, models[start : start + 1000])
        self._duration = _seconds_of(lambda: _set_state(service, is_active=False))

    def interrupt(self, service: Service, number: int) -> None:
        """Kill the service during the next change."""
        is_active = number % 2 == 0
        _kill_during(service, _moment(number) * self._duration, lambda: _set_state(service, is_active=is_active))
        self._stored.abort_transactions()
        done = self._stored.count({"is_active": is_active})
        self.findings.midway += 0 < done < BULK_MODELS
        progress(f"D6 bulk state, {number + 1} of {TIMES}: {done} of {BULK_MODELS} had been changed")

    def repeat(self, service: Service, number: int) -> None:
        """Repeat the change, then repeat it once more."""
        is_active = number % 2 == 0
        _set_state(service, is_active=is_active)
        counts = _set_state(service, is_active=is_active)["counts"]
        self.findings.problems += [f"repeated once more: {counts}"] if counts["unchanged"] != BULK_MODELS else []
        wrong = BULK_MODELS - self._stored.count({"is_active": is_active, "version": number + 3})
        self.findings.problems += [f"{wrong} models were not changed exactly once"] if wrong else []
        self.findings.problems += self._stored.revision_problems()


class AtomicImport:
    """Imports of sets of new models, each all or none."""

    def __init__(self, replica_set: ReplicaSet, installation: Installation) -> None:
        self._stored = StoredState(replica_set, installation.database)
        self._duration = 0.0
        self.findings = Findings()

    def prepare(self, service: Service) -> None:
        """Time the import of one set without an interruption."""
        self._duration = _seconds_of(lambda: _import_models(service, _models(TIMES)))

    def interrupt(self, service: Service, number: int) -> None:
        """Kill the service during the import of another set."""
        _kill_during(service, _moment(number) * self._duration, lambda: _import_models(service, _models(number)))
        self.findings.midway += self._stored.abort_transactions() > 0
        done = self._stored.count(_in_set(number))
        self.findings.problems += [f"{done} of {SET_MODELS} are stored"] if done not in {0, SET_MODELS} else []
        progress(f"D6 import of a set, {number + 1} of {TIMES}: {done} of {SET_MODELS} were stored")

    def repeat(self, service: Service, number: int) -> None:
        """Repeat the import of the set, then repeat it once more."""
        _import_models(service, _models(number))
        counts = _import_models(service, _models(number))["counts"]
        self.findings.problems += [f"repeated once more: {counts}"] if counts["unchanged"] != SET_MODELS else []
        wrong = SET_MODELS - self._stored.count({**_in_set(number), "version": 1})
        self.findings.problems += [f"{wrong} models are not stored exactly once"] if wrong else []
        self.findings.problems += self._stored.revision_problems() if number == TIMES - 1 else []


def _killed_service_row(installation: Installation, change: BulkState | AtomicImport, name: str) -> Row:
    with installation.serving() as service:
        change.prepare(service)
    for number in range(TIMES + 1):
        with installation.serving() as service:
            if number > 0:
                change.repeat(service, number - 1)
            if number < TIMES:
                change.interrupt(service, number)
    change.findings.problems += installation.doctor_problems()
    return _row(f"kill -9 of the service during {name}, {TIMES} times", change.findings)


async def _killed_mongod_row(workspace: Workspace) -> Row:
    """Kill MongoDB while the command line imports a file, restart it, and import the file again."""
    folder = workspace.folder_for("import")
    embedded = EmbeddedMongo(folder / "data")
    findings = Findings()
    with embedded.lease(), MongoClient[Record](embedded.uri("admin")) as client:
        target = ImportTarget(folder, client)
        source = bundle(folder, RECORDS)
        complete = target.complete_import(source)

        def restart_mongod(_: subprocess.Popen[str]) -> None:
            target.kill_mongod()
            target.start_mongod()

        interruptions = target.interrupt_imports(source, complete, restart_mongod, TIMES, after=(Progress.STORING,))
        for number, interruption in enumerate(interruptions):
            findings.midway += interruption.midway
            target.shell.ok("import", source.path.name)
            findings.problems += differences(target.contents(), complete.contents)
            progress(f"D6 import of records, {number + 1} of {TIMES}")
        # The stored records are the same each time, so this is done once.
        rerun = await target.rerun(source)
        findings.problems += rerun.problems if rerun.clean else ["the import was not clean", *rerun.problems]
        if rerun.changes_of_second:
            findings.problems.append(f"{rerun.changes_of_second} changes when imported once more")
    return _row(
        f"kill -9 of mongod during an import of {RECORDS:,} records by the command line, {TIMES} times", findings
    )


def _row(test: str, findings: Findings) -> Row:
    problems = findings.problems or ([] if findings.midway else ["no interruption came midway"])
    return checked_row("D6", test, f"{findings.midway} of {TIMES} interrupted midway", MUST_HOLD, problems)


def _moment(number: int) -> float:
    """Return when to interrupt, as a share of the duration: random, in the part with this number."""
    return (number + random.random()) / TIMES


def _seconds_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _kill_during(service: Service, seconds: float, send: Callable[[], object]) -> None:
    """Send a request to a service and kill the service some seconds later."""

    def send_without_answer() -> None:
        # The killed service closes the connection instead of answering.
        with suppress(httpx.HTTPError):
            send()

    thread = threading.Thread(target=send_without_answer, daemon=True)
    thread.start()
    time.sleep(seconds)
    service.served.process.kill()
    service.served.process.wait()
    thread.join()


def _models(set_number: int) -> list[Record]:
    return [
        {"id": f"set{set_number}/{n:05}", "name": f"Set {n}", "meta": {"tags": [f"t{n % 9}"]}}
        for n in range(SET_MODELS)
    ]


def _in_set(number: int) -> Record:
    return {"_id": {"$regex": f"^set{number}/"}}


def _set_state(service: Service, *, is_active: bool) -> Record:
    return _post(service, "/api/models/bulk/state", {"filter": {"query": "Bulk"}, "is_active": is_active})


def _import_models(service: Service, models: list[Record]) -> Record:
    return _post(service, "/api/models/import", {"models": models})


def _post(service: Service, path: str, body: Any) -> Record:
    with service.client() as client:
        answer = client.post(path, json=body)
    content: Record = answer.json()
    if answer.status_code != 200:
        raise AssertionError(f"{path} was answered {answer.status_code}: {content.get('detail')}")
    return content
