"""What clients leave unread takes little memory, whichever route answers."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.commands import CommandLine, Served

LARGE, LARGE_BYTES, READERS = 100, 450_000, 5
MAX_GROWTH_MB = 150


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with CommandLine(tmp_path, data_dir=str(tmp_path / "data")).serving("--demo") as served:
        yield served


def resident_mb(served: Served) -> int:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) // 1024


@pytest.fixture
def before(served: Served) -> int:
    """The memory of the service, in megabytes, with a page of large models stored."""
    headers = {"Authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60, trust_env=False) as client:
        for number in range(LARGE):
            model = {"id": f"zz{number}", "name": f"zzlarge {number}", "params": {"system": "x" * LARGE_BYTES}}
            assert client.post("/api/models/create", json=model).status_code == 200
    return resident_mb(served)


def ask(served: Served, connections: ExitStack) -> socket.socket:
    """Ask for the page over a new connection."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    connection = connections.enter_context(socket.create_connection((host, int(port)), timeout=30))
    path = "/api/models/list?query=zzlarge&page_size=100"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key}\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize("at_once", [False, True])
def test_large_pages_for_one_user_take_little_memory(served: Served, before: int, at_once: bool) -> None:
    with ExitStack() as connections:
        asked = []
        for _ in range(READERS):
            asked.append(ask(served, connections))
            if not at_once:
                # The beginning of the answer, and nothing more.
                assert asked[-1].recv(12).startswith(b"HTTP/1.1 ")
        most = 0
        for connection in asked if at_once else ():
            assert connection.recv(12).startswith(b"HTTP/1.1 ")
            most = max(most, resident_mb(served))
        assert max(most, resident_mb(served)) - before < MAX_GROWTH_MB
