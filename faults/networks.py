"""Networks of their own for three mongods and a bridge between them, in a namespace that reaches nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from faults.members import BOUND, Home
from faults.place import CannotRunError, Place
from tests.support.commands import end, until

MOST_SECONDS = 1800
COMMAND_SECONDS = 10
BRIDGE = "bridge0"
_SUBNET = "10.91.0"
PORT = 27017


def require_networks() -> None:
    """Raise CannotRunError where no network can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotRunError("a network namespace needs Linux and root")
    probe = "ip link add bridge0 type bridge && ip link add probe0 type veth peer name probe1 && nsenter --version"
    try:
        done = subprocess.run(
            ["unshare", "--net", "sh", "-ec", probe], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRunError(f"no network namespace can be made: {error}") from None
    if done.returncode != 0:
        raise CannotRunError(f"no network namespace can be made: {done.stderr.strip()}")


def _ip(*arguments: str, within: int | None = None) -> None:
    enter = [] if within is None else ["nsenter", "--target", str(within), "--net"]
    subprocess.run([*enter, "ip", *arguments], check=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL)


class Networks:
    """The networks of the members, numbered as these are; to be made inside a namespace of one's own."""

    def __init__(self) -> None:
        self._holders: list[int] = []

    @contextmanager
    def made(self, place: Place, count: int = 3) -> Iterator[list[Home]]:
        """Make them, and yield where the members live."""
        _ip("link", "set", "lo", "up")
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{_SUBNET}.254/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        folder = place.folder_for("networks")
        with ExitStack() as stack:
            for number in range(count):
                self._holders.append(stack.enter_context(_held()))
                self._connect(number)
            yield [self._home(number, folder) for number in range(count)]

    def _home(self, number: int, folder: Path) -> Home:
        enter = ("nsenter", "--target", str(self._holders[number]), "--net")
        return Home(_address(number), PORT, folder / f"node{number}", folder / f"node{number}.log", enter)

    def _connect(self, number: int) -> None:
        holder = self._holders[number]
        _ip("link", "add", _link(number), "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        _ip("link", "set", _link(number), "master", BRIDGE, "up")
        _ip("address", "add", f"{_address(number)}/24", "dev", "eth0", within=holder)
        for device in ("lo", "eth0"):
            _ip("link", "set", device, "up", within=holder)

    def cut(self, number: int) -> None:
        """Cut a member off from everybody: nobody is told, packets vanish."""
        _ip("link", "set", _link(number), "down")

    def mend(self, number: int) -> None:
        """Undo that."""
        _ip("link", "set", _link(number), "up")

    def part(self, number: int, *, again: bool = False) -> None:
        """Let a member reach the service and no other member; or let it reach them again."""
        for other in range(len(self._holders)):
            if other != number:
                route = ("route", "del" if again else "add", "blackhole", f"{_address(other)}/32")
                _ip(*route, within=self._holders[number])


def _address(number: int) -> str:
    return f"{_SUBNET}.{number + 1}"


def _link(number: int) -> str:
    return f"member{number}"


def _namespace(process: int | str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


@contextmanager
def _held() -> Iterator[int]:
    """Hold a network namespace; yield the id of the process in it."""
    process = subprocess.Popen([*BOUND, "unshare", "--net", "sleep", str(MOST_SECONDS)], text=True)
    try:
        ours = _namespace("self")
        until(lambda: _namespace(process.pid) != ours, "there is a network namespace")
        yield process.pid
    finally:
        end(process)
