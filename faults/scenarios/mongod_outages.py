"""F5 and F6: mongods end because their disks are full, or are all killed at once, during writes."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pymongo.errors import PyMongoError

from faults.environment.member import Member, MemberConfig
from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Installation
from faults.environment.workspace import CannotRunError, Workspace
from faults.report import Row, checked_row, progress
from faults.workload.concurrent_writer import ConcurrentWriter
from faults.workload.ledger import MAX_ANSWER_SECONDS, answer_problems, compare
from faults.workload.stored_state import stored_writes
from tests.support.commands import free_port

DISK_MB = 400
# By default, preallocated journal files take three quarters of such a small disk, and the writes soon fill the rest.
SMALL_JOURNAL = ("--wiredTigerEngineConfigString", "log=(enabled=true,path=journal,file_max=10MB,prealloc=false)")
# Lower than elsewhere: two cores also have to serve the members that catch up, and the disks are in memory.
WRITES_A_SECOND = 30.0
FILLER_BYTES = 8_000
DISK_FULL_SECONDS = 60.0
RECOVERY_SECONDS = 60.0
BALLAST = "ballast"
MUST_HOLD = (
    f"0 acknowledged writes lost, none applied twice, only 2xx, 503 or 504, each answer within {MAX_ANSWER_SECONDS} s, "
    "recovers by itself, the doctor reports nothing"
)


@dataclass(frozen=True, slots=True)
class Outage:
    """A replica set, the service on it, and the writer."""

    replica_set: ReplicaSet
    installation: Installation
    writer: ConcurrentWriter

    def row(self, id_: str, test: str, moments: Sequence[float], problems: Sequence[str]) -> Row:
        """Return the row of an outage; `moments` are the times from which recoveries are measured."""
        self.replica_set.wait_until_healthy()
        stored = stored_writes(self.replica_set, self.installation.database, self.writer.prefix)
        attempts = self.writer.attempts
        comparison = compare(attempts, stored)
        doctor = self.installation.doctor_problems()
        all_problems = [*problems, *comparison.problems, *answer_problems(attempts), *doctor]
        ends = [*moments[1:], None]
        recoveries = [self.writer.recovery(begin, end) for begin, end in zip(moments, ends, strict=True)]
        texts = ["none" if seconds is None else f"{seconds:.1f} s" for seconds in recoveries]
        measured = f"{self.writer.summary(comparison)}; recovery {', then '.join(texts)}"
        return checked_row(id_, test, measured, MUST_HOLD, all_problems)


def run_all_killed(workspace: Workspace) -> Iterator[Row]:
    """Kill all mongods at once and start them again; yield the row."""
    with workspace.replica_set() as replica_set:
        installation = Installation(workspace.folder_for("killed"), replica_set.uri, "faults_killed")
        with installation.serving() as service:
            outage = Outage(replica_set, installation, ConcurrentWriter(service.url, service.key, "all"))
            with outage.writer.writing():
                time.sleep(2.0)
                for member in replica_set.members:
                    member.kill()
                moment = time.monotonic()
                time.sleep(1.0)
                for member in replica_set.members:
                    member.start()
                problems = _recovery_problems(outage.writer, moment)
            yield outage.row("F6", "kill -9 of all three mongods, restarted after 1 s", [moment], problems)


def run_full_disks(workspace: Workspace) -> Iterator[Row]:
    """Fill the disk of the primary, then the disks of all members, and free space again; yield a row for each."""
    folder = workspace.folder_for("disks")
    filler = secrets.token_hex(FILLER_BYTES // 2)
    with ExitStack() as stack:
        disks = [stack.enter_context(_disk(folder / f"disk{number}")) for number in range(3)]
        # The logs are on another disk: a mongod that can't write its log ends before the full disk affects its data.
        configs = [
            MemberConfig("127.0.0.1", free_port(), disk / "db", disk.with_suffix(".log"), options=SMALL_JOURNAL)
            for disk in disks
        ]
        replica_set = ReplicaSet(workspace.mongod, configs)
        stack.callback(replica_set.stop)
        replica_set.start()
        installation = Installation(workspace.folder_for("full"), replica_set.uri, "faults_full")
        service = stack.enter_context(installation.serving())
        for disk_name, members in (
            (f"the primary's disk ({DISK_MB} MB)", [replica_set.primary()]),
            (f"all disks ({DISK_MB} MB each)", replica_set.members),
        ):
            writer = ConcurrentWriter(
                service.url, service.key, f"full{len(members)}", filler=filler, rate=WRITES_A_SECOND
            )
            yield _full_disk_row(Outage(replica_set, installation, writer), members, disk_name)


def _full_disk_row(outage: Outage, members: Sequence[Member], disk_name: str) -> Row:
    problems, moments = [], []
    with outage.writer.writing():
        time.sleep(2.0)
        for member in members:
            _fill_disk(member)
        moments.append(time.monotonic())
        ended = _wait_until_ended(members)
        problems += [] if ended else ["no mongod ended because of its full disk"]
        progress(f"F5 {disk_name} full: {ended} of {len(members)} mongods ended")
        if len(members) == 1:
            problems += _recovery_problems(outage.writer, moments[0])
        else:
            moments.clear()
        for member in members:
            (member.config.data.parent / BALLAST).unlink()
            if not member.is_running:
                member.start()
        moments.append(time.monotonic())
        problems += _recovery_problems(outage.writer, moments[-1])
    test = f"{disk_name} full, at {WRITES_A_SECOND:.0f} writes a second; then space is freed"
    return outage.row("F5", test, moments, problems)


def _recovery_problems(writer: ConcurrentWriter, moment: float) -> list[str]:
    found = writer.wait_for_recovery(moment, RECOVERY_SECONDS)
    return [] if found is not None else [f"writes were not acknowledged again within {RECOVERY_SECONDS:.0f} s"]


def _wait_until_ended(members: Sequence[Member]) -> int:
    """Wait until the members end because their disks are full; return how many did in time."""
    deadline = time.monotonic() + DISK_FULL_SECONDS
    while any(member.is_running for member in members) and time.monotonic() < deadline:
        for member in members:
            # Writes data from memory to the full disk now; by itself, mongod does so once a minute.
            with suppress(PyMongoError):
                member.command("fsync")
        time.sleep(1.0)
    return sum(not member.is_running for member in members)


def _fill_disk(member: Member) -> None:
    with (member.config.data.parent / BALLAST).open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)


@contextmanager
def _disk(path: Path) -> Iterator[Path]:
    """Mount a small disk in memory while the block runs."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotRunError("a tmpfs needs Linux and root")
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", path],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if mounted.returncode != 0:
        raise CannotRunError(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        # Lazily, because a process may still have a file on it open.
        subprocess.run(["umount", "--lazy", path], check=True, timeout=10)
