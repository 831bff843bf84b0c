"""F5 and F6: disks that fill up, and all mongods killed at once, under writes."""

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

from faults.failover import LATE_SECONDS, answers_broken, told
from faults.ledger import judge
from faults.members import Home, Member
from faults.place import CannotRunError, Place
from faults.replica_set import ReplicaSet
from faults.report import Row, judged, progress
from faults.services import Installation, stored
from faults.writers import Writers
from tests.support.commands import free_port

DISK_MB = 400
# Else three quarters of such a disk are journals made in advance, and the writes themselves soon fill the rest.
SMALL_JOURNAL = ("--wiredTigerEngineConfigString", "log=(enabled=true,path=journal,file_max=10MB,prealloc=false)")
# What two cores have to spare while members come back that write to memory.
WRITES_A_SECOND = 30.0
FILLER_BYTES = 8_000
FULL_SECONDS = 60.0
STEADY_SECONDS = 60.0
BALLAST = "ballast"
MUST_HOLD = (
    f"0 acknowledged writes lost, none applied twice, only 2xx, 503 or 504, no answer after {LATE_SECONDS} s, "
    "writes again by itself, the doctor finds nothing"
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A replica set, the service on it, and those who write."""

    replica_set: ReplicaSet
    installation: Installation
    writers: Writers

    def row(self, id_: str, test: str, moments: Sequence[float], broken: Sequence[str]) -> Row:
        """Return the row of a disaster whose blows, or whose ends, came at some moments."""
        self.replica_set.whole()
        found = stored(self.replica_set, self.installation.database, self.writers.prefix)
        attempts = self.writers.attempts
        verdict = judge(attempts, found)
        wrong = [*broken, *verdict.broken, *answers_broken(attempts), *self.installation.problems()]
        ends = [*moments[1:], None]
        found_again = [self.writers.recovery(begin, end) for begin, end in zip(moments, ends, strict=True)]
        spans = ["none" if seconds is None else f"{seconds:.1f} s" for seconds in found_again]
        return judged(id_, test, f"{told(self.writers, verdict)}; recovery {', then '.join(spans)}", MUST_HOLD, wrong)


def run_killed(place: Place) -> Iterator[Row]:
    """Kill every mongod at once, start them again, and look for what was acknowledged."""
    with place.replica_set() as replica_set:
        installation = Installation(place.folder_for("killed"), replica_set.uri, "faults_killed")
        with installation.serving() as service:
            scene = Scene(replica_set, installation, Writers(service.url, service.key, "all"))
            with scene.writers.writing():
                time.sleep(2.0)
                for member in replica_set.members:
                    member.kill()
                moment = time.monotonic()
                time.sleep(1.0)
                for member in replica_set.members:
                    member.start()
                broken = _steady(scene.writers, moment)
            yield scene.row("F6", "kill -9 of all three mongods, started again after 1 s", [moment], broken)


def run_full(place: Place) -> Iterator[Row]:
    """Fill the disk of the primary, then the disks of all members, until nothing can be written any more."""
    folder = place.folder_for("disks")
    filler = secrets.token_hex(FILLER_BYTES // 2)
    with ExitStack() as stack:
        disks = [stack.enter_context(_disk(folder / f"disk{number}")) for number in range(3)]
        # Their logs are elsewhere: a mongod that can't write its log ends before it comes to its data.
        homes = [
            Home("127.0.0.1", free_port(), disk / "db", disk.with_suffix(".log"), options=SMALL_JOURNAL)
            for disk in disks
        ]
        replica_set = ReplicaSet(place.mongod, homes)
        stack.callback(replica_set.stop)
        replica_set.begin()
        installation = Installation(place.folder_for("full"), replica_set.uri, "faults_full")
        service = stack.enter_context(installation.serving())
        for whose, members in (("the primary's disk", [replica_set.primary()]), ("all disks", replica_set.members)):
            writers = Writers(service.url, service.key, f"full{len(members)}", filler=filler, rate=WRITES_A_SECOND)
            yield _filled(Scene(replica_set, installation, writers), members, whose)


def _filled(scene: Scene, members: Sequence[Member], whose: str) -> Row:
    broken, moments = [], []
    with scene.writers.writing():
        time.sleep(2.0)
        for member in members:
            _fill(member)
        moments.append(time.monotonic())
        struck = _until_down(members)
        broken += [] if struck else ["no mongod was struck by it"]
        progress(f"F5 {whose}: {struck} of {len(members)} mongods ended")
        if len(members) == 1:
            broken += _steady(scene.writers, moments[0])
        else:
            moments.clear()
        for member in members:
            (member.home.data.parent / BALLAST).unlink()
            if not member.runs:
                member.start()
        moments.append(time.monotonic())
        broken += _steady(scene.writers, moments[-1])
    return scene.row(
        "F5",
        f"{whose} full, of {DISK_MB} MB each, at {WRITES_A_SECOND:.0f} writes a second; then there is space again",
        moments,
        broken,
    )


def _steady(writers: Writers, moment: float) -> list[str]:
    found = writers.recovered(moment, STEADY_SECONDS)
    return [] if found is not None else [f"writes were not acknowledged again within {STEADY_SECONDS:.0f} s"]


def _until_down(members: Sequence[Member]) -> int:
    """Wait until the members have noticed that their disks are full; return how many have ended by that."""
    deadline = time.monotonic() + FULL_SECONDS
    while any(member.runs for member in members) and time.monotonic() < deadline:
        for member in members:
            # Writes out what is in memory, which it does by itself once a minute.
            with suppress(PyMongoError):
                member.command("fsync")
        time.sleep(1.0)
    return sum(not member.runs for member in members)


def _fill(member: Member) -> None:
    with (member.home.data.parent / BALLAST).open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)


@contextmanager
def _disk(where: Path) -> Iterator[Path]:
    """Make a small disk; it is gone afterwards, with all that is on it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotRunError("a tmpfs needs Linux and root")
    where.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", where],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if made.returncode != 0:
        raise CannotRunError(f"no tmpfs can be mounted: {made.stderr.strip()}")
    try:
        yield where
    finally:
        # Also while something still has a file of it open.
        subprocess.run(["umount", "--lazy", where], check=True, timeout=10)
