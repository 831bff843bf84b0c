"""A network namespace for each mongod, connected by a bridge, so that members can be cut off from each other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from faults.environment.member import END_WITH_PARENT, MemberConfig
from faults.environment.workspace import CannotRunError, Workspace
from tests.support.commands import end, until

MAX_LIFETIME_SECONDS = 1800
COMMAND_SECONDS = 10
BRIDGE = "bridge0"
_SUBNET = "10.91.0"
PORT = 27017


def require_network_namespaces() -> None:
    """Raise CannotRunError if this machine can't create network namespaces."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotRunError("a network namespace needs Linux and root")
    probe = "ip link add bridge0 type bridge && ip link add probe0 type veth peer name probe1 && nsenter --version"
    try:
        done = subprocess.run(
            ["unshare", "--net", "sh", "-ec", probe], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRunError(f"no network namespace can be created: {error}") from None
    if done.returncode != 0:
        raise CannotRunError(f"no network namespace can be created: {done.stderr.strip()}")


def _ip(*arguments: str, within: int | None = None) -> None:
    enter = [] if within is None else ["nsenter", "--target", str(within), "--net"]
    subprocess.run([*enter, "ip", *arguments], check=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL)


class Networks:
    """The networks of the members, numbered as the members are.

    They must be created by a process in a network namespace of its own, so that they don't touch those of the machine.
    """

    def __init__(self) -> None:
        # The process that keeps each member's namespace alive.
        self._holders: list[int] = []

    @contextmanager
    def created(self, workspace: Workspace, count: int = 3) -> Iterator[list[MemberConfig]]:
        """Create the networks and yield the configurations of members that run in them."""
        _ip("link", "set", "lo", "up")
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{_SUBNET}.254/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        folder = workspace.folder_for("networks")
        with ExitStack() as stack:
            for number in range(count):
                self._holders.append(stack.enter_context(_namespace_holder()))
                self._connect(number)
            yield [self._config(number, folder) for number in range(count)]

    def _config(self, number: int, folder: Path) -> MemberConfig:
        enter = ("nsenter", "--target", str(self._holders[number]), "--net")
        return MemberConfig(_address(number), PORT, folder / f"node{number}", folder / f"node{number}.log", enter)

    def _connect(self, number: int) -> None:
        holder = self._holders[number]
        _ip("link", "add", _link(number), "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        _ip("link", "set", _link(number), "master", BRIDGE, "up")
        _ip("address", "add", f"{_address(number)}/24", "dev", "eth0", within=holder)
        for device in ("lo", "eth0"):
            _ip("link", "set", device, "up", within=holder)

    def isolate(self, number: int) -> None:
        """Drop all packets from and to a member, without closing any connection."""
        _ip("link", "set", _link(number), "down")

    def reconnect(self, number: int) -> None:
        """Undo `isolate`."""
        _ip("link", "set", _link(number), "up")

    def isolate_from_members(self, number: int) -> None:
        """Drop the packets between a member and the other members; the service still reaches it."""
        self._change_routes("add", number)

    def reconnect_to_members(self, number: int) -> None:
        """Undo `isolate_from_members`."""
        self._change_routes("del", number)

    def _change_routes(self, action: str, number: int) -> None:
        for other in range(len(self._holders)):
            if other != number:
                _ip("route", action, "blackhole", f"{_address(other)}/32", within=self._holders[number])


def _address(number: int) -> str:
    return f"{_SUBNET}.{number + 1}"


def _link(number: int) -> str:
    return f"member{number}"


def _namespace(process: int | str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


@contextmanager
def _namespace_holder() -> Iterator[int]:
    """Keep a network namespace while the block runs; yield the id of a process in it."""
    process = subprocess.Popen([*END_WITH_PARENT, "unshare", "--net", "sleep", str(MAX_LIFETIME_SECONDS)], text=True)
    try:
        ours = _namespace("self")
        until(lambda: _namespace(process.pid) != ours, "there is a network namespace")
        yield process.pid
    finally:
        end(process)
