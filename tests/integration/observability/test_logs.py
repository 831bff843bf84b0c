"""The log of a running `modeldeck serve`."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from tests.support.commands import COMMAND_SECONDS, CommandLine, Served, until
from tests.support.telemetry import log_records, metric_value, request_record, request_records

LIST = "/api/models/list"
SECRET = "planted_secret"
NAME = "modeldeck_observed"


@pytest.fixture(scope="module")
def shell(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client.drop_database(NAME)
    return CommandLine(tmp_path_factory.mktemp("observed"), mongodb_uri=mongo_uri, database=NAME)


@pytest.fixture(scope="module")
def served(shell: CommandLine) -> Iterator[Served]:
    with shell.serving() as served:
        yield served


@pytest.fixture(scope="module")
def user(shell: CommandLine, served: Served) -> str:
    return shell.ok("user", "add", "--email", "ann@x.org", "--name", "Ann", "--id", "u-ann", "--role", "admin")


@pytest.fixture(scope="module")
def key(shell: CommandLine, user: str) -> str:
    return shell.ok("key", "create", "--user", user)


def test_each_request_is_a_line_that_its_answer_can_be_found_by(served: Served, key: str) -> None:
    with httpx.Client(
        base_url=served.url, timeout=COMMAND_SECONDS, headers={"Authorization": f"Bearer {key}"}
    ) as client:
        named = client.get(LIST, headers={"X-Request-ID": "mine.1"})
        unnamed = client.get(f"/api/models/model/history/{'0' * 32}", params={"id": SECRET})
        refused = client.post("/api/models/create", json={"id": SECRET, "name": 5})
        absent = client.get(f"/{SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
    assert named.headers["X-Request-ID"] == "mine.1"
    expected = [
        (named, "GET", LIST, "u-ann"),
        (unnamed, "GET", "/api/models/model/history/{revision}", "u-ann"),
        (refused, "POST", "/api/models/create", "u-ann"),
        (absent, "GET", "unmatched", None),
    ]
    for answer, method, route, caller in expected:
        line = request_record(answer, served.output)
        assert (line["method"], line["route"], line["status"]) == (method, route, answer.status_code)
        assert (line["caller"], line["client"], line["level"]) == (caller, "127.0.0.1", "info")
        assert line["key"] == (key.split("_")[1] if caller else None)
        assert line["duration_ms"] > 0
        assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", line["time"])


def test_nothing_secret_is_logged(served: Served, key: str) -> None:
    with httpx.Client(base_url=served.url, timeout=COMMAND_SECONDS) as client:
        for credential in (key, f"mdk_{'0' * 16}_{SECRET}", SECRET):
            headers = {"Authorization": f"Bearer {credential}", "X-Other": SECRET, "Cookie": SECRET}
            client.get(LIST, params={"query": SECRET, SECRET: "1"}, headers=headers)
            client.get("/api/models/model", params={"id": SECRET}, headers=headers)
            client.post("/api/models/import", json={SECRET: SECRET, "models": [{"id": SECRET}]}, headers=headers)
            client.post("/api/models/create", content=f'{{"{SECRET}', headers=headers)
            client.request(SECRET.upper().replace("_", ""), f"/{SECRET}", headers=headers)
        last = client.get(LIST, headers={"Authorization": f"Bearer {key}"})
    assert request_record(last, served.output)["status"] == 200
    written = served.output.read_text()
    assert SECRET not in written
    assert SECRET.upper().replace("_", "") not in written
    assert key.rsplit("_", 1)[1] not in written
    # All but those with a method that HTTP does not know: the web server refuses these itself.
    assert len(request_records(served.output)) >= 13


def test_every_line_but_the_announcement_is_an_object(served: Served) -> None:
    served.get("/health/live")
    assert request_record(served.get(LIST), served.output)["status"] == 401
    written = served.output.read_text().splitlines()
    assert [line for line in written if not line.startswith("{")][1:] == []
    assert log_records(served.output)
    assert not [line for line in request_records(served.output) if "/health/" in line["route"]]


def test_the_log_can_be_plain_text(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME, log_format="text")
    with shell.serving() as served:
        answer = served.get(LIST, params={"query": SECRET})
        until(lambda: " 401 " in served.output.read_text(), "it is logged")
        written = served.output.read_text()
    expected = rf"\[{answer.headers['X-Request-ID']}\] GET {LIST} 401 [\d.]+ ms caller=- key=- client=127.0.0.1\n"
    assert re.search(expected, written)
    assert log_records(served.output) == []
    assert SECRET not in written


@pytest.fixture(scope="module")
def workers(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of two workers, both of which serve; it stops in order and removes its metrics."""
    folder = tmp_path_factory.mktemp("workers")
    shell = CommandLine(folder, mongodb_uri=mongo_uri, database=NAME, log_level="debug")
    shell.environment["TMPDIR"] = str(folder)
    with shell.serving("--workers", "2") as served:
        until(served.answers, "a worker answers")
        until(lambda: len(list(folder.glob("modeldeck-metrics-*/counter_*.db"))) == 2, "both workers count")
        yield served
        assert served.stop(signal.SIGTERM) == 0
    assert list(folder.glob("modeldeck-metrics-*")) == []


def test_with_workers_all_is_logged_alike_and_probes_too_when_asked_for(workers: Served) -> None:
    for path in ("/health/live", LIST, LIST):
        answer = workers.get(path)
        line = request_record(answer, workers.output)
        assert (line["route"], line["status"]) == (path, answer.status_code)
    assert [line for line in workers.output.read_text().splitlines() if not line.startswith("{")][1:] == []


def test_any_worker_returns_the_metrics_of_all(workers: Served) -> None:
    expected = _listed(workers) + 60
    for _ in range(60):
        assert workers.get(LIST).status_code == 401
    until(lambda: _listed(workers) == expected, "the last answer is counted")
    scrapes = [workers.get("/metrics") for _ in range(10)]
    assert {metric_value(scrape, "modeldeck_requests_total", route=LIST) for scrape in scrapes} == {expected}
    assert metric_value(scrapes[-1], "modeldeck_requests_in_flight") == 0


@pytest.mark.faults
def test_metrics_of_a_killed_worker_keep_its_counts_but_not_its_requests_in_flight(
    mongo_uri: str, tmp_path: Path
) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)
    shell.environment["TMPDIR"] = str(tmp_path)
    with shell.serving("--workers", "2") as served:
        until(served.answers, "a worker answers")
        for _ in range(20):
            assert served.get(LIST).status_code == 401
        # A response is counted after it was sent, so its client may receive it a moment earlier.
        until(lambda: _listed(served) == 20, "the last answer is counted")
        counted = {int(file.stem.rpartition("_")[2]) for file in tmp_path.glob("modeldeck-metrics-*/gauge_*.db")}
        killed = min(counted)
        os.kill(killed, signal.SIGKILL)

        def forgotten() -> bool:
            if not served.answers():
                return False
            assert _listed(served) == 20
            return not list(tmp_path.glob(f"modeldeck-metrics-*/gauge_*_{killed}.db"))

        until(forgotten, "what it had in hand is forgotten")


def _listed(served: Served) -> float:
    """Return how many requests for the list have been counted."""
    return metric_value(served.get("/metrics"), "modeldeck_requests_total", route=LIST)
