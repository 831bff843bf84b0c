"""A private mongod for a fresh machine: one per data directory, shared by every command that runs.

Each user of it holds a shared lock, the lease. Who comes first starts it, who leaves last stops it; the kernel
releases the lease of a process that dies, so a crash blocks nobody.
"""

import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote_plus

from service.database import ReplicaSetMember
from service.errors import ConfigurationError
from service.mongod import find_mongod

REPLICA_SET = "modeldeck"
SOCKET_NAME = "mongodb-27017.sock"
# sun_path of a Unix socket, unix(7), less the final NUL.
MAX_SOCKET_PATH = 107
START_SECONDS = 60.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02
MAX_CACHE_GB = 2.0
LOG_BYTES = 20_000_000


class EmbeddedMongo:
    """The embedded MongoDB of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.resolve()
        self._lease: IO[str] | None = None

    @property
    def member(self) -> ReplicaSetMember:
        """The server, for its administration."""
        return ReplicaSetMember(self.uri("admin"))

    @property
    def socket_path(self) -> Path:
        """The Unix socket on which it listens, readable for the owner of the data directory alone."""
        inside = self._dir / "run" / SOCKET_NAME
        if len(os.fsencode(inside)) <= MAX_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self._dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"modeldeck-{os.getuid()}-{digest}" / SOCKET_NAME

    def uri(self, database: str) -> str:
        """Return the MongoDB URI for the driver and for mongosh."""
        return f"mongodb://{quote_plus(str(self.socket_path))}/{database}?directConnection=true"

    @property
    def keeper_file(self) -> Path:
        """Holds the process id of the keeper, while one runs."""
        return self._dir / "keeper.pid"

    def acquire(self) -> None:
        """Take a lease: join the running mongod, or start one. Raises ConfigurationError when it can't run."""
        self._make_private(self._dir)
        self._lease = self._open_lock("lease.lock")
        fcntl.flock(self._lease, fcntl.LOCK_SH)
        try:
            with self._open_lock("start.lock") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                if not self._answers():
                    self._start()
                self._make_primary()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the lease back, and stop the mongod when nobody else holds one."""
        if self._lease is None:
            return
        self._lease.close()
        self._lease = None
        with self._open_lock("lease.lock") as alone:
            try:
                fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold a lease for the duration of a block."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _make_private(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder.stat().st_uid != os.getuid():
                raise ConfigurationError(f"{folder} belongs to another user.")
        except OSError as error:
            raise ConfigurationError(f"The data directory can't be used: {error}") from None

    def _open_lock(self, name: str) -> IO[str]:
        return (self._dir / name).open("a")

    def _start(self) -> None:
        mongod = find_mongod(self._dir / "lib")
        database, log = self._dir / "db", self._dir / "mongod.log"
        for folder in (database, self.socket_path.parent):
            self._make_private(folder)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.unlink()
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        arguments = {
            "--dbpath": database,
            "--logpath": log,
            "--replSet": REPLICA_SET,
            "--bind_ip": self.socket_path,
            "--unixSocketPrefix": self.socket_path.parent,
            "--port": 27017,  # only names the socket: nothing listens on TCP
            "--filePermissions": "0600",
            "--oplogSize": 990,
            "--networkMessageCompressors": "disabled",
            "--wiredTigerCacheSizeGB": round(max(0.25, min(MAX_CACHE_GB, (memory_gb - 1) / 2)), 2),
            "--setParameter": "diagnosticDataCollectionEnabled=false",
        }
        # With --fork it is nobody's child and outside the terminal's reach: Ctrl-C is for us to handle. The command
        # returns when the server listens.
        command = [str(mongod.path), "--fork", "--logappend"]
        command += [str(part) for pair in arguments.items() for part in pair]
        try:
            subprocess.run(
                command,
                env=mongod.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=START_SECONDS,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise ConfigurationError(f"mongod did not start; see the end of {log}.") from error

    def _make_primary(self) -> None:
        # The member's name in the replica set is its socket, so a data directory that was moved is renamed here.
        deadline = time.monotonic() + START_SECONDS
        self.member.configure(REPLICA_SET, str(self.socket_path))
        while not self.member.is_primary():
            if time.monotonic() > deadline:
                raise ConfigurationError(f"mongod did not become primary; see the end of {self._dir / 'mongod.log'}.")
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        # The driver takes a second to give up on a socket that is not there; most of the time, it is not.
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.socket_path)) != 0:
                return False
        return self.member.answers()

    def _stop(self) -> None:
        if not self._answers():
            return
        pid = self.member.pid()
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def start_keeper(self) -> None:
        """Start a process that holds a lease of its own until nobody has been connected for a while.

        It makes a URI outlive the command that printed it.
        """
        subprocess.Popen(
            [sys.executable, "-m", "service.keeper", str(self._dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop_keeper(self) -> None:
        """Ask the keeper, if one runs, to give its lease back."""
        with self._open_lock("keeper.lock") as held, suppress(OSError, ValueError):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(int(self.keeper_file.read_text()), signal.SIGTERM)

    @contextmanager
    def keeping(self) -> Iterator[bool]:
        """Be the keeper for the duration of a block; yields False when there is one already."""
        self._make_private(self._dir)
        with self._open_lock("keeper.lock") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self.keeper_file.write_text(str(os.getpid()))
            yield True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
