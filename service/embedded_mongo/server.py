"""The embedded MongoDB: one mongod per data directory, shared by all commands that run.

Each command holds a lease, a shared file lock. The first starts the mongod, the last stops it. The kernel releases
the lease of a process that dies, so a crash blocks nobody.
"""

import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from service.embedded_mongo.launch import REPLICA_SET, START_SECONDS, arguments, launched
from service.embedded_mongo.mongod import find_mongod
from service.embedded_mongo.replica_set import ReplicaSetMember
from service.errors import ConfigurationError

SOCKET_NAME = "mongodb-27017.sock"
# sun_path of a Unix socket, unix(7), less the final NUL.
MAX_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
# Not $TMPDIR: commands started in different environments must use the same folder.
SHORT_DIR = Path("/tmp")  # noqa: S108  # the folder inside it is private
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02
LOG_BYTES = 20_000_000


class EmbeddedMongo:
    """The embedded MongoDB of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.resolve()
        self._lease: IO[str] | None = None

    @property
    def member(self) -> ReplicaSetMember:
        """The server as the member of its replica set."""
        return ReplicaSetMember(self.uri("admin"))

    @property
    def socket_path(self) -> Path:
        """The Unix socket on which it listens, which only the owner of the data directory can open."""
        inside = self._dir / "run" / SOCKET_NAME
        if _can_be_socket(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self._dir)).hexdigest()[:16]
        return SHORT_DIR / f"modeldeck-{os.getuid()}-{digest}" / SOCKET_NAME

    def uri(self, database: str) -> str:
        """Return the MongoDB URI for the driver and for mongosh."""
        return f"mongodb://{quote(str(self.socket_path), safe='')}/{database}?directConnection=true"

    @property
    def keep_alive_file(self) -> Path:
        """The file with the process id of the keep-alive process, while one runs."""
        return self._dir / "keep-alive.pid"

    def acquire(self) -> None:
        """Take a lease on the running mongod, or start one. Raises ConfigurationError when it can't run."""
        self.join()
        try:
            self.bring_up()
        except BaseException:
            self.release()
            raise

    def join(self) -> None:
        """Take a lease, and start nothing: for a caller who holds one already."""
        self._make_private(self._dir)
        self._lease = self._open_lock("lease.lock")
        fcntl.flock(self._lease, fcntl.LOCK_SH)

    def bring_up(self) -> None:
        """Start the mongod unless it runs, and wait until it accepts writes; the caller holds a lease.

        Raises ConfigurationError when it can't run.
        """
        with self._open_lock("start.lock") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            self._bring_up()
            self._make_primary()

    def release(self) -> None:
        """Give the lease back, and stop the mongod when there is no other lease."""
        if self._lease is None:
            return
        self._lease.close()
        self._lease = None
        with self._open_lock("lease.lock") as only:
            try:
                fcntl.flock(only, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        try:
            return (self._dir / name).open("a")
        except OSError as error:
            raise ConfigurationError(f"The data directory can't be used: {error}") from None

    @property
    def _log(self) -> Path:
        return self._dir / "mongod.log"

    @property
    def _mongod_lock(self) -> Path:
        return self._dir / "db" / "mongod.lock"

    @property
    def _launch_lock(self) -> Path:
        return self._dir / "launch.lock"

    def runs(self) -> bool:
        """Return whether there is a mongod, which may be starting, stopping or too busy to answer."""
        # By file locks: a mongod that starts, stops or hangs does not answer, and its process id may be a zombie's. One
        # that was just launched has not locked its own file yet: a second mongod would remove the socket of the first.
        return _is_locked(self._launch_lock) or _is_locked(self._mongod_lock)

    def _bring_up(self) -> None:
        # A mongod that a killed command left behind may still be starting or stopping.
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise ConfigurationError(f"A mongod uses {self._dir} but does not answer; see the end of {self._log}.")
            if not self.runs():
                self._start()
            time.sleep(POLL_SECONDS)

    def _start(self) -> None:
        mongod = find_mongod(self._dir / "lib")
        for folder in (self._dir / "db", self.socket_path.parent):
            self._make_private(folder)
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.unlink()
        with self._open_lock(self._launch_lock.name) as lock:
            # Commands that look whether a mongod runs hold it for a moment. The mongod inherits it, and keeps it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            command = [str(mongod.path), *arguments(self._dir / "db", self._log, self.socket_path)]
            status = launched(command, mongod.environment, lock.fileno())
        if status != 0 and not self.runs():
            raise ConfigurationError(f"mongod did not start; see the end of {self._log}.")

    def _make_primary(self) -> None:
        # The member is named by its socket, so its name is changed here after the data directory was moved.
        deadline = time.monotonic() + START_SECONDS
        self.member.configure(REPLICA_SET, str(self.socket_path))
        while not self.member.is_primary():
            if time.monotonic() > deadline:
                raise ConfigurationError(f"mongod did not become primary; see the end of {self._log}.")
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        # Checked first, since the driver takes a second to give up on a socket that does not exist.
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.socket_path)) != 0:
                return False
        return self.member.answers()

    def _stop(self) -> None:
        signalled = False
        deadline = time.monotonic() + STOP_SECONDS
        while self.runs() and time.monotonic() < deadline:
            # A mongod that a killed command has just started locks the file before it writes its process id there.
            signalled = signalled or self._terminate()
            time.sleep(POLL_SECONDS)

    def _terminate(self) -> bool:
        try:
            os.kill(int(self._mongod_lock.read_text()), signal.SIGTERM)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return False
        # From now on, other commands must not take it for a running one.
        self.socket_path.unlink(missing_ok=True)
        return True

    def start_keep_alive(self) -> None:
        """Start a process that holds a lease of its own until no client has been connected for a while.

        So a URI stays valid after the command that printed it. Returns when the process holds its lease.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "service.embedded_mongo.keep_alive", str(self._dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # The process closes its standard output once it holds its lease.
        assert process.stdout is not None  # noqa: S101  # a pipe, see above
        with process.stdout as output:
            output.read()

    def stop_keep_alive(self) -> None:
        """Ask the keep-alive process, if one runs, to give its lease back."""
        with self._open_lock("keep-alive.lock") as held, suppress(OSError, ValueError):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(int(self.keep_alive_file.read_text()), signal.SIGTERM)

    @contextmanager
    def only_keep_alive(self) -> Iterator[bool]:
        """Be the only keep-alive process for the duration of a block; yield False when another one runs."""
        self._make_private(self._dir)
        with self._open_lock("keep-alive.lock") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self.keep_alive_file.write_text(str(os.getpid()))
            yield True


def _is_locked(file: Path) -> bool:
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _can_be_socket(path: Path) -> bool:
    # mongod splits addresses at commas, and the driver splits host from port at a colon.
    written = str(path)
    fits = len(os.fsencode(path)) <= MAX_SOCKET_PATH
    return fits and written.isprintable() and not {",", ":"} & set(written)
