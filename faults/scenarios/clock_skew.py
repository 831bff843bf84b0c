"""F8: two services on one database whose clocks are an hour off."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from faults.environment.service import USER, Installation, Service, Shell, single_member_installation
from faults.environment.workspace import CannotRunError, Workspace
from faults.report import Row, checked_row

OFFSETS = ("-1h", "+61m")
MODEL, CREATE, UPDATE = "/api/models/model", "/api/models/create", "/api/models/model/update"
UPDATES = 40


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    if shutil.which("faketime") is None:
        raise CannotRunError("there is no faketime (Debian, Ubuntu: apt-get install faketime)")
    with single_member_installation(workspace, "clock") as (_, installation), ExitStack() as stack:
        services = [stack.enter_context(_serving_with_clock(installation, offset)) for offset in OFFSETS]
        yield _update_order_row(installation, services)
        yield _key_expiry_row(installation, services)


@contextmanager
def _serving_with_clock(installation: Installation, offset: str) -> Iterator[Service]:
    shell = Shell(installation.folder)
    shell.environment = {**installation.shell.environment, **_clock_variables(offset)}
    with installation.serving(shell=shell) as service:
        yield service


def _clock_variables(offset: str) -> dict[str, str]:
    """Return the variables that give a process another clock.

    `faketime` itself would stay the parent of the service and get its signals.
    """
    lines = subprocess.run(
        ["faketime", "-f", offset, "env"], capture_output=True, text=True, timeout=10, check=True
    ).stdout.splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    return {name: variables[name] for name in ("LD_PRELOAD", "FAKETIME")}


def _update_order_row(installation: Installation, services: list[Service]) -> Row:
    statuses = []
    with services[0].client() as slow, services[1].client() as fast:
        statuses.append(slow.post(CREATE, json={"id": "m", "name": "new"}).status_code)
        for number in range(UPDATES):
            client = (slow, fast)[number % 2]
            etag = client.get(MODEL, params={"id": "m"}).headers["ETag"]
            body = {"id": "m", "name": str(number)}
            statuses.append(client.post(UPDATE, json=body, headers={"If-Match": etag}).status_code)
        last = slow.get(MODEL, params={"id": "m"}).json()
    problems = [f"{statuses}"] if set(statuses) != {200} else []
    problems += [f"{last}"] if (last["version"], last["name"]) != (UPDATES + 1, str(UPDATES - 1)) else []
    problems += installation.doctor_problems()
    measured = f"{statuses.count(200)} of {UPDATES + 1} writes done, version {last['version']}, the last one holds"
    must_hold = "updates are ordered by version, the doctor reports nothing"
    return checked_row("F8", f"two services, clocks {' and '.join(OFFSETS)}", measured, must_hold, problems)


def _key_expiry_row(installation: Installation, services: list[Service]) -> Row:
    key = installation.shell.ok("key", "create", "--user", USER, "--expires", "1h")
    statuses = {}
    for service, offset in zip(services, OFFSETS, strict=True):
        with service.client() as client:
            headers = {"Authorization": f"Bearer {key}"}
            statuses[offset] = client.get("/api/me", headers=headers).status_code
    problems = [f"{statuses}"] if statuses != dict(zip(OFFSETS, (200, 401), strict=True)) else []
    measured = ", ".join(f"{offset}: {status}" for offset, status in statuses.items())
    must_hold = "each service judges the key by its own clock"
    return checked_row("F8", "an API key that expires in an hour", measured, must_hold, problems)
