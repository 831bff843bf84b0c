"""S11: which connections the service opens while clients send it images of every kind."""

import re
import shutil
from collections.abc import Iterator

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import Service, Shell, single_member_installation
from faults.environment.workspace import CannotRunError, Workspace
from faults.report import Row, checked_row
from tests.support.commands import MODELDECK, until
from tests.support.images import ACCEPTED, REFUSED, ways

_CONNECT = re.compile(r"connect\(\d+, \{sa_family=AF_INET6?, .*?htons\((\d+)\)")


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the row."""
    if shutil.which("strace") is None:
        raise CannotRunError("there is no strace")
    with single_member_installation(workspace, "outbound") as (replica_set, installation):
        trace = installation.folder / "trace.txt"
        shell = Shell(installation.folder)
        shell.environment = installation.shell.environment
        # As a daemon: if strace were the parent of the service, the service would survive when strace is stopped.
        strace = ("strace", "--daemonize", "--follow-forks", "--trace=connect", "--seccomp-bpf", f"--output={trace}")
        shell.program = (*END_WITH_PARENT, *strace, MODELDECK)
        with installation.serving(shell=shell) as service:
            sent, accepted = _send_images(service)
        # strace pads the process id with spaces.
        ended = re.compile(rf"^{service.served.process.pid} +\+\+\+ ", re.MULTILINE)
        until(lambda: ended.search(trace.read_text(errors="replace")), "strace has recorded the end of the service")
        ports = {int(port) for port in _CONNECT.findall(trace.read_text(encoding="utf-8", errors="replace"))}
        database = {replica_set.members[0].config.port}
    problems = [f"connections to the ports {sorted(ports - database)}"] if ports - database else []
    problems += [] if ports & database else ["not even the connections to the database were seen"]
    problems += [f"{accepted} forbidden images were accepted"] if accepted else []
    measured = f"{sent:,} requests; {accepted} forbidden images accepted; connections to the database only"
    must_hold = "forbidden kinds are refused; no connection except to the database"
    yield checked_row("S11", "images of every kind, by every route, under strace", measured, must_hold, problems)


def _send_images(service: Service) -> tuple[int, int]:
    """Return how many requests were sent, and how many forbidden images were accepted."""
    sent = accepted = 0
    with service.client() as client:
        client.post("/api/models/create", json={"id": "m", "name": "M"}).raise_for_status()
        for image in (*REFUSED, *ACCEPTED):
            for way in ways(image):
                answer = client.request(way.method, way.path, json=way.body)
                sent += 1
                if way.reports:
                    continue
                accepted += image in REFUSED and answer.status_code != 422
                client.get("/api/models/model/profile/image", params={"id": "m"})
    return sent, accepted
