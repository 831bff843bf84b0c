"""O4, O7 and F7: bodies that are too large, the largest possible page, and no file descriptors left."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import Installation, Service, Shell, single_member_installation
from faults.environment.workspace import CannotRunError, Workspace
from faults.report import Row, checked_row
from service.http.json_body import MAX_BODY_BYTES
from service.importing.schemas import MAX_IMPORT_BYTES
from service.importing.sent_file import MAX_SOURCE_BYTES
from tests.support.commands import MODELDECK, until

CREATE, IMPORT, LIST = "/api/models/create", "/api/models/import", "/api/models/list"
BODY_LIMITS = ((CREATE, MAX_BODY_BYTES), (IMPORT, MAX_IMPORT_BYTES), (f"{IMPORT}?format=auto", MAX_SOURCE_BYTES))
MAX_GROWTH_MB = 5.0
CHUNK = b" " * 65_536
PAGE_SIZE, RECORD_BYTES = 100, 490_000
DESCRIPTORS, CONNECTIONS, RECOVERY_SECONDS = 256, 400, 5.0


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with single_member_installation(workspace, "limits") as (_, installation):
        with installation.serving() as service:
            yield _large_bodies_row(service)
            yield _largest_page_row(service)
        yield _file_descriptors_row(installation)


def _large_bodies_row(service: Service) -> Row:
    problems, growth = [], 0.0
    with service.client() as client:
        for path, limit in BODY_LIMITS:
            client.post(path, content=b"{}")
            before = service.resident_mb()
            for with_length in (True, False):
                status = client.post(path, content=_body(limit + 1, with_length=with_length)).status_code
                problems += [f"{path}: {status}"] if status != 413 else []
                growth = max(growth, service.resident_mb() - before)
    problems += [f"memory + {growth:.1f} MB"] if growth > MAX_GROWTH_MB else []
    limits = ", ".join(f"{limit:,}" for _, limit in BODY_LIMITS)
    test = f"bodies one byte above {limits} bytes, with Content-Length and chunked"
    return checked_row("O4", test, f"memory at most + {growth:.1f} MB", "413; memory + < 5 MB", problems)


def _body(size: int, *, with_length: bool) -> bytes | Iterator[bytes]:
    """Return a body of spaces; the client sends an iterator in chunks, without Content-Length."""
    if with_length:
        return b" " * size
    return (CHUNK[: min(len(CHUNK), size - at)] for at in range(0, size, len(CHUNK)))


def _largest_page_row(service: Service) -> Row:
    problems = []
    with service.client() as client:
        for number in range(PAGE_SIZE):
            body = {"id": f"large-{number}", "name": "Large", "params": {"system": "x" * RECORD_BYTES}}
            client.post(CREATE, json=body).raise_for_status()
        began = time.monotonic()
        answers = [client.get(LIST, params={"page_size": PAGE_SIZE}), client.get("/api/models/export")]
        seconds = time.monotonic() - began
    for answer in answers:
        items = answer.json()["items"] if answer is answers[0] else answer.json()
        complete = answer.status_code == 200 and all(len(item["params"]["system"]) == RECORD_BYTES for item in items)
        problems += [] if complete and len(items) == PAGE_SIZE else [f"{answer.url.path}: {answer.status_code}"]
    size = sum(len(answer.content) for answer in answers) / 1e6
    test = f"page and export of {PAGE_SIZE} models of {RECORD_BYTES:,} bytes"
    return checked_row("O7", test, f"{size:.0f} MB in {seconds:.1f} s", "200, complete", problems)


def _file_descriptors_row(installation: Installation) -> Row:
    if not END_WITH_PARENT:
        raise CannotRunError("there is no setpriv")
    shell = Shell(installation.folder)
    shell.environment = installation.shell.environment
    shell.program = (*END_WITH_PARENT, "prlimit", f"--nofile={DESCRIPTORS}", MODELDECK)
    with installation.serving(shell=shell) as service:
        with service.client(5) as client:
            client.get(LIST).raise_for_status()
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                stack.enter_context(_idle_connection(service.url))
            exhausted = not _answers(service, 2)
        began = time.monotonic()
        until(lambda: _answers(service, 1), "the service answers again", 30)
        seconds = time.monotonic() - began
    problems = [f"after {seconds:.1f} s"] if seconds > RECOVERY_SECONDS else []
    problems += [] if exhausted else ["the service kept answering: its file descriptors were not exhausted"]
    measured = f"answers {seconds:.1f} s after they were closed"
    test = f"{CONNECTIONS} idle connections, {DESCRIPTORS} file descriptors"
    return checked_row("F7", test, measured, "answers again within 5 s", problems)


def _idle_connection(url: str) -> socket.socket:
    """Begin a connection, without waiting until the service accepts it."""
    address = urlsplit(url)
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex((address.hostname or "", address.port or 0))
    return connection


def _answers(service: Service, seconds: float) -> bool:
    try:
        with service.client(seconds) as client:
            return client.get(LIST).status_code == 200
    except httpx.HTTPError:
        return False
