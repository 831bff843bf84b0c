"""C1: followers of changes miss nothing and see nothing twice while primaries change; a thousand take little memory."""

import asyncio
import os
import re
import resource
import time
from collections.abc import Iterator
from typing import Any

import httpx

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Installation, Service, single_member_installation
from faults.environment.workspace import CannotRunError, Workspace
from faults.report import Row, checked_row, progress
from faults.scenarios.failover import Fault, hung, killed, stepped_down
from faults.workload.concurrent_writer import ConcurrentWriter
from faults.workload.following import CHANGES, SILENT_SECONDS, Crowd, PersistentFollower
from faults.workload.stored_state import stored_writes

TIMES, RATE = 2, 50.0
BEFORE_SECONDS, GIVE_UP_SECONDS = 2.0, 45.0
FOLLOWERS, FILES = 1_000, 1_500
# One user, who follows so often here, has an eighth of the places.
PLACES = 8 * FOLLOWERS
MAX_GROWTH_MB, MAX_LIST_SECONDS = 150.0, 2.0
EVENTS, LARGE = 5, 200_000
MAX_OPLOG_MB = 3_000


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield a row for each kind of fault, and one for a crowd."""
    with workspace.replica_set() as replica_set:
        installation = Installation(workspace.folder_for("followers"), replica_set.uri, "faults_followers")
        with installation.serving() as service:
            for name, fault in (("kill -9", killed), ("step-down", stepped_down), ("SIGSTOP", hung)):
                yield _primary_row(replica_set, installation, service, name, fault)
    yield _lost_row(workspace)
    yield _crowd_row(workspace)


def _primary_row(replica_set: ReplicaSet, installation: Installation, service: Service, name: str, fault: Fault) -> Row:
    prefix = f"followed-{fault.__name__}"
    writer = ConcurrentWriter(service.url, service.key, prefix, rate=RATE)
    follower = PersistentFollower(service.url, service.key)
    with follower.following():
        with writer.writing():
            for number in range(TIMES):
                time.sleep(BEFORE_SECONDS)
                moment = time.monotonic()
                undo = fault(replica_set, replica_set.primary(), number)
                writer.wait_for_recovery(moment, GIVE_UP_SECONDS)
                undo()
                replica_set.wait_until_healthy()
                progress(f"C1 {name}, {number + 1} of {TIMES}: {follower.shown.total()} changes shown")
        revisions = stored_writes(replica_set, installation.database, prefix).revisions
        stored = {(model_id, version) for model_id, version, _ in revisions}
        deadline = time.monotonic() + SILENT_SECONDS
        while stored - follower.shown.keys() and time.monotonic() < deadline:
            time.sleep(0.1)
    found = {
        "missed": stored - follower.shown.keys(),
        "shown and not stored": follower.shown.keys() - stored,
        "shown twice": {one for one, times in follower.shown.items() if times > 1},
    }
    problems = [f"{len(changes)} {how}: {min(changes)}" for how, changes in found.items() if changes]
    problems += [f"{follower.others[other]} × {other}" for other in ("resync", "410") if other in follower.others]
    measured = f"{len(stored):,} changes over {follower.connections} connections: " + ", ".join(
        f"{len(changes)} {how}" for how, changes in found.items()
    )
    test = f"{name} of the primary, {TIMES} times, at {RATE:.0f} writes a second, and somebody who follows"
    return checked_row("C1", test, measured, "each change that is stored is shown, once, and nothing else", problems)


def _lost_row(workspace: Workspace) -> Row:
    with single_member_installation(workspace, "lost") as (replica_set, installation):
        with installation.serving() as service, service.client() as client:
            begun = client.get(CHANGES, params={"follow": "false"})
            [token] = re.findall(r"^id: (\S+)$", begun.text, re.MULTILINE)
            client.post("/api/models/create", json={"id": "m", "name": "M"}).raise_for_status()
            kept = client.get(CHANGES, params={"follow": "false", "since": token})
        written = _fill_oplog(replica_set)
        with installation.serving() as service, service.client() as client:
            lost = client.get(CHANGES, params={"follow": "false", "since": token})
            anew = client.get(CHANGES, params={"follow": "false"})
    problems = [] if "event: created" in kept.text else ["what was missed was not shown"]
    problems += [] if lost.status_code == 410 else [f"afterwards it was answered {lost.status_code}"]
    problems += [] if anew.status_code == 200 else [f"without a token it was answered {anew.status_code}"]
    measured = f"before {kept.status_code}, after {written} MB {lost.status_code}, without a token {anew.status_code}"
    return checked_row("C1", "an oplog that no longer reaches back to a token", measured, "200, 410, 200", problems)


def _fill_oplog(replica_set: ReplicaSet) -> int:
    """Write until the oplog no longer has its present end; return how many megabytes that took."""
    with replica_set.client() as client:
        oplog = client.local["oplog.rs"]
        [last] = oplog.find().sort("$natural", -1).limit(1)
        for written in range(MAX_OPLOG_MB):
            client.filling.junk.insert_one({"x": os.urandom(500_000).hex()})
            [first] = oplog.find().sort("$natural", 1).limit(1)
            if first["ts"] > last["ts"]:
                return written
    raise CannotRunError(f"the oplog still reaches back after {MAX_OPLOG_MB} MB")


def _crowd_row(workspace: Workspace) -> Row:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise CannotRunError(f"needs {FILES} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    with (
        single_member_installation(workspace, "crowd", max_followers=str(PLACES)) as (_, installation),
        installation.serving() as service,
    ):
        return asyncio.run(_crowd(service))


async def _crowd(service: Service) -> Row:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=SILENT_SECONDS, trust_env=False) as client:
        api = _Api(client, service)
        for number in range(EVENTS):
            await api.post("create", id=f"m{number}", name="M", params={"system": "x" * LARGE})
        before = service.resident_mb()
        crowd = Crowd(client, service.url, service.key, FOLLOWERS)
        async with asyncio.TaskGroup() as tasks:
            followers = await crowd.gather(tasks)
            idle = service.resident_mb() - before
            took: list[float] = []
            lists: list[float] = []
            for number in range(EVENTS):
                began = time.monotonic()
                await api.post("model/update", id=f"m{number}", name=f"Renamed {number}")
                lists.append(await api.list_seconds())
                await crowd.shown(number + 1)
                took.append(time.monotonic() - began)
                progress(f"C1: {FOLLOWERS} were shown a model of {LARGE:,} bytes after {took[-1]:.1f} s")
            grown = service.resident_mb() - before
            for one in followers:
                one.cancel()
    most = max(idle, grown)
    problems = [f"memory + {most:.0f} MB"] if most >= MAX_GROWTH_MB else []
    problems += [f"a list took {max(lists):.1f} s"] if max(lists) > MAX_LIST_SECONDS else []
    measured = (
        f"memory + {idle:.0f} MB while nothing changes, + {grown:.0f} MB after {EVENTS} changes of models of "
        f"{LARGE:,} bytes; all were shown each within {max(took):.1f} s; lists meanwhile within {max(lists):.2f} s"
    )
    must_hold = f"memory + < {MAX_GROWTH_MB:.0f} MB, lists within {MAX_LIST_SECONDS:.0f} s"
    return checked_row("C1", f"{FOLLOWERS:,} followers of one process", measured, must_hold, problems)


class _Api:
    """Requests besides those that follow."""

    def __init__(self, client: httpx.AsyncClient, service: Service) -> None:
        self._client = client
        self._url = f"{service.url}/api/models"
        self._headers = {"Authorization": f"Bearer {service.key}"}

    async def post(self, path: str, **body: Any) -> None:
        answer = await self._client.post(f"{self._url}/{path}", json=body, headers=self._headers)
        assert answer.status_code == 200, answer.text

    async def list_seconds(self) -> float:
        # In a thread: this loop is busy with what the followers are shown.
        return await asyncio.to_thread(self._list_seconds)

    def _list_seconds(self) -> float:
        began = time.monotonic()
        answer = httpx.get(f"{self._url}/list", params={"page_size": 1}, headers=self._headers, timeout=SILENT_SECONDS)
        assert answer.status_code == 200, answer.text
        return time.monotonic() - began
