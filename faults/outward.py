"""S11: whom the service calls while it is given images of every kind."""

import re
import shutil
from collections.abc import Iterator

from faults.alone import alone
from faults.members import BOUND
from faults.place import CannotRunError, Place
from faults.report import Row, judged
from faults.services import Service, Shell
from tests.support.commands import MODELDECK, until
from tests.support.images import ACCEPTED, REFUSED, ways

_CONNECT = re.compile(r"connect\(\d+, \{sa_family=AF_INET6?, .*?htons\((\d+)\)")


def run(place: Place) -> Iterator[Row]:
    """Yield the row."""
    if shutil.which("strace") is None:
        raise CannotRunError("there is no strace")
    with alone(place, "outward") as (replica_set, installation):
        trace = installation.folder / "trace.txt"
        shell = Shell(installation.folder)
        shell.environment = installation.shell.environment
        # Beside the service, not around it, or that would go on when what was started is stopped.
        watch = ("strace", "--daemonize", "--follow-forks", "--trace=connect", "--seccomp-bpf", f"--output={trace}")
        shell.program = (*BOUND, *watch, MODELDECK)
        with shell.serving() as served:
            service = Service(served, installation.shell, installation.database, installation.key)
            sent, taken = _offered(service)
        # Its number is padded.
        ended = re.compile(rf"^{served.process.pid} +\+\+\+ ", re.MULTILINE)
        until(lambda: ended.search(trace.read_text(errors="replace")), "the end is written down")
        ports = {int(port) for port in _CONNECT.findall(trace.read_text(encoding="utf-8", errors="replace"))}
        own = {replica_set.members[0].home.port}
    broken = [f"calls to the ports {sorted(ports - own)}"] if ports - own else []
    broken += [] if ports & own else ["not even the calls to the database were seen"]
    broken += [f"{taken} were taken"] if taken else []
    measured = f"{sent:,} requests; {taken} forbidden ones taken; calls to the database only"
    must_hold = "forbidden kinds are refused; 0 calls to anybody but the database"
    yield judged("S11", "images of every kind, by every way, under strace", measured, must_hold, broken)


def _offered(service: Service) -> tuple[int, int]:
    """Return how many requests were sent, and how many forbidden images were taken."""
    sent = taken = 0
    with service.client() as client:
        client.post("/api/models/create", json={"id": "m", "name": "M"}).raise_for_status()
        for image in (*REFUSED, *ACCEPTED):
            for way in ways(image):
                answer = client.post(way.path, json=way.body)
                sent += 1
                if way.reports:
                    continue
                taken += image in REFUSED and answer.status_code != 422
                client.get("/api/models/model/profile/image", params={"id": "m"})
    return sent, taken
