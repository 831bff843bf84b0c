"""F8: services whose clocks are an hour off, beside each other."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from faults.alone import alone
from faults.place import CannotRunError, Place
from faults.report import Row, judged
from faults.services import USER, Installation, Service, Shell

OFFSETS = ("-1h", "+61m")
MODEL, CREATE, UPDATE = "/api/models/model", "/api/models/create", "/api/models/model/update"
UPDATES = 40


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    if shutil.which("faketime") is None:
        raise CannotRunError("there is no faketime (Debian, Ubuntu: apt-get install faketime)")
    with alone(place, "clock") as (_, installation), ExitStack() as stack:
        services = [stack.enter_context(_served(installation, offset)) for offset in OFFSETS]
        yield _ordered(installation, services)
        yield _expired(installation, services)


@contextmanager
def _served(installation: Installation, offset: str) -> Iterator[Service]:
    shell = Shell(installation.folder)
    shell.environment = {**installation.shell.environment, **_clock(offset)}
    with shell.serving() as served:
        yield Service(served, installation.shell, installation.database, installation.key)


def _clock(offset: str) -> dict[str, str]:
    """Return what in its environment gives a process another clock: the command itself would stay around it."""
    told = subprocess.run(
        ["faketime", "-f", offset, "env"], capture_output=True, text=True, timeout=10, check=True
    ).stdout.splitlines()
    given = dict(line.split("=", 1) for line in told if "=" in line)
    return {name: given[name] for name in ("LD_PRELOAD", "FAKETIME")}


def _ordered(installation: Installation, services: list[Service]) -> Row:
    statuses = []
    with services[0].client() as slow, services[1].client() as fast:
        statuses.append(slow.post(CREATE, json={"id": "m", "name": "new"}).status_code)
        for number in range(UPDATES):
            client = (slow, fast)[number % 2]
            etag = client.get(MODEL, params={"id": "m"}).headers["ETag"]
            body = {"id": "m", "name": str(number)}
            statuses.append(client.post(UPDATE, json=body, headers={"If-Match": etag}).status_code)
        last = slow.get(MODEL, params={"id": "m"}).json()
    broken = [f"{statuses}"] if set(statuses) != {200} else []
    broken += [f"{last}"] if (last["version"], last["name"]) != (UPDATES + 1, str(UPDATES - 1)) else []
    broken += installation.problems()
    measured = f"{statuses.count(200)} of {UPDATES + 1} writes done, version {last['version']}, the last one holds"
    must_hold = "updates are ordered by version, doctor clean"
    return judged("F8", f"two services, clocks {' and '.join(OFFSETS)}", measured, must_hold, broken)


def _expired(installation: Installation, services: list[Service]) -> Row:
    soon = installation.shell.ok("key", "create", "--user", USER, "--expires", "1h")
    told = {}
    for service, offset in zip(services, OFFSETS, strict=True):
        with service.client() as client:
            headers = {"Authorization": f"Bearer {soon}"}
            told[offset] = client.get("/api/me", headers=headers).status_code
    broken = [f"{told}"] if told != dict(zip(OFFSETS, (200, 401), strict=True)) else []
    measured = ", ".join(f"{offset}: {status}" for offset, status in told.items())
    return judged(
        "F8", "a key that expires in an hour", measured, "judged by the clock of the service that is asked", broken
    )
