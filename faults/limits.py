"""O4, O7, F7: bodies that are too large, the largest page there is, and no more file descriptors."""

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from faults.alone import alone, resident_mb
from faults.members import BOUND
from faults.place import CannotRunError, Place
from faults.report import Row, judged
from faults.services import Installation, Service
from service.http.json_body import MAX_BODY_BYTES
from service.importing.schemas import MAX_IMPORT_BYTES
from service.importing.sent_file import MAX_SOURCE_BYTES
from tests.support.commands import MODELDECK, until

CREATE, IMPORT, LIST = "/api/models/create", "/api/models/import", "/api/models/list"
BODIES = ((CREATE, MAX_BODY_BYTES), (IMPORT, MAX_IMPORT_BYTES), (f"{IMPORT}?format=auto", MAX_SOURCE_BYTES))
GROWTH_MB = 5.0
CHUNK = b" " * 65_536
PAGE, RECORD_BYTES = 100, 490_000
DESCRIPTORS, CONNECTIONS, RECOVERY_SECONDS = 256, 400, 5.0


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    with alone(place, "limits") as (_, installation):
        with installation.serving() as service:
            yield _bodies(service)
            yield _fat(service)
        yield _exhausted(installation)


def _bodies(service: Service) -> Row:
    broken, most = [], 0.0
    with service.client() as client:
        for path, limit in BODIES:
            client.post(path, content=b"{}")
            before = resident_mb(service.served)
            for announced in (True, False):
                status = client.post(path, content=_blanks(limit + 1, announced=announced)).status_code
                broken += [f"{path}: {status}"] if status != 413 else []
                most = max(most, resident_mb(service.served) - before)
    broken += [f"memory + {most:.1f} MB"] if most > GROWTH_MB else []
    limits = ", ".join(f"{limit:,}" for _, limit in BODIES)
    test = f"bodies one byte above {limits} bytes, announced and in parts"
    return judged("O4", test, f"memory at most + {most:.1f} MB", "413; memory + < 5 MB", broken)


def _blanks(size: int, *, announced: bool) -> bytes | Iterator[bytes]:
    if announced:
        return b" " * size
    return (CHUNK[: min(len(CHUNK), size - at)] for at in range(0, size, len(CHUNK)))


def _fat(service: Service) -> Row:
    broken = []
    with service.client() as client:
        for number in range(PAGE):
            body = {"id": f"fat-{number}", "name": "Fat", "params": {"system": "x" * RECORD_BYTES}}
            client.post(CREATE, json=body).raise_for_status()
        began = time.monotonic()
        answers = [client.get(LIST, params={"page_size": PAGE}), client.get("/api/models/export")]
        seconds = time.monotonic() - began
    for answer in answers:
        items = answer.json()["items"] if answer is answers[0] else answer.json()
        whole = answer.status_code == 200 and all(len(item["params"]["system"]) == RECORD_BYTES for item in items)
        broken += [] if whole and len(items) == PAGE else [f"{answer.url.path}: {answer.status_code}"]
    size = sum(len(answer.content) for answer in answers) / 1e6
    return judged(
        "O7",
        f"page and export of {PAGE} models of {RECORD_BYTES:,} bytes",
        f"{size:.0f} MB in {seconds:.1f} s",
        "200, whole",
        broken,
    )


def _exhausted(installation: Installation) -> Row:
    if not BOUND:
        raise CannotRunError("there is no setpriv")
    shell = installation.shell
    usual = shell.program
    shell.program = (*BOUND, "prlimit", f"--nofile={DESCRIPTORS}", MODELDECK)
    try:
        with shell.serving() as served:
            service = Service(served, shell, installation.database, installation.key)
            address = urlsplit(served.url)
            idle = []
            with service.client(5) as client:
                client.get(LIST).raise_for_status()
            for _ in range(CONNECTIONS):
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex((address.hostname or "", address.port or 0))
                idle.append(connection)
            exhausted = not _answers(service, 2)
            for connection in idle:
                connection.close()
            began = time.monotonic()
            until(lambda: _answers(service, 1), "it answers again", 30)
            seconds = time.monotonic() - began
    finally:
        shell.program = usual
    broken = [f"after {seconds:.1f} s"] if seconds > RECOVERY_SECONDS else []
    broken += [] if exhausted else ["it answered all the time: nothing was exhausted"]
    measured = f"answers {seconds:.1f} s after they were closed"
    test = f"{CONNECTIONS} idle connections, {DESCRIPTORS} file descriptors"
    return judged("F7", test, measured, "recovers <= 5 s", broken)


def _answers(service: Service, seconds: float) -> bool:
    try:
        with service.client(seconds) as client:
            return client.get(LIST).status_code == 200
    except httpx.HTTPError:
        return False
