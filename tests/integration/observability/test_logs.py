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
    assert len(request_records(served.output)) >= 16


def test_every_line_but_the_announcement_is_an_object(served: Served) -> None:
    _get(f"{served.url}/health/live")
    written = served.output.read_text().splitlines()
    assert [line for line in written if not line.startswith("{")][1:] == []
    assert log_records(served.output)
    assert not [line for line in request_records(served.output) if "/health/" in line["route"]]


def test_with_workers_all_is_logged_alike_and_probes_too_when_asked_for(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME, log_level="debug")
    with shell.serving("--workers", "2") as served:
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(base_url=served.url, transport=transport, timeout=COMMAND_SECONDS) as client:
            answers = [client.get(path) for path in ("/health/live", LIST, LIST)]
        assert served.stop(signal.SIGTERM) == 0
    for answer in answers:
        line = request_record(answer, served.output)
        assert (line["route"], line["status"]) == (answer.request.url.path, answer.status_code)
    assert [line for line in served.output.read_text().splitlines() if not line.startswith("{")][1:] == []


def test_the_log_can_be_plain_text(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME, log_format="text")
    with shell.serving() as served:
        answer = _get(f"{served.url}{LIST}", params={"query": SECRET})
        until(lambda: " 401 " in served.output.read_text(), "it is logged")
        written = served.output.read_text()
    expected = rf"\[{answer.headers['X-Request-ID']}\] GET {LIST} 401 [\d.]+ ms caller=- key=- client=127.0.0.1\n"
    assert re.search(expected, written)
    assert log_records(served.output) == []
    assert SECRET not in written


def test_any_worker_returns_the_metrics_of_all(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)
    shell.environment["TMPDIR"] = str(tmp_path)
    with shell.serving("--workers", "2") as served:
        until(lambda: _answers(served), "a worker answers")
        until(lambda: len(list(tmp_path.glob("modeldeck-metrics-*/counter_*.db"))) == 2, "both workers count")
        for _ in range(60):
            # A new connection each time, which either worker may accept.
            assert _get(f"{served.url}{LIST}").status_code == 401
        until(lambda: _listed(served) == 60, "the last answer is counted")
        scrapes = [_get(f"{served.url}/metrics") for _ in range(10)]
        assert {metric_value(scrape, "modeldeck_requests_total", route=LIST, status="401") for scrape in scrapes} == {
            60
        }
        assert metric_value(scrapes[-1], "modeldeck_requests_in_flight") == 0
        assert served.stop(signal.SIGTERM) == 0
    assert list(tmp_path.glob("modeldeck-metrics-*")) == []


@pytest.mark.faults
def test_metrics_of_a_killed_worker_keep_its_counts_but_not_its_requests_in_flight(
    mongo_uri: str, tmp_path: Path
) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)
    shell.environment["TMPDIR"] = str(tmp_path)
    with shell.serving("--workers", "2") as served:
        until(lambda: _answers(served), "a worker answers")
        for _ in range(20):
            assert _get(f"{served.url}{LIST}").status_code == 401
        # A response is counted after it was sent, so its client may receive it a moment earlier.
        until(lambda: _listed(served) == 20, "the last answer is counted")
        counted = {int(file.stem.rpartition("_")[2]) for file in tmp_path.glob("modeldeck-metrics-*/gauge_*.db")}
        killed = min(counted)
        os.kill(killed, signal.SIGKILL)

        def forgotten() -> bool:
            if not _answers(served):
                return False
            assert _listed(served) == 20
            return not list(tmp_path.glob(f"modeldeck-metrics-*/gauge_*_{killed}.db"))

        until(forgotten, "what it had in hand is forgotten")


def _get(url: str, **options: Any) -> httpx.Response:
    return httpx.get(url, timeout=COMMAND_SECONDS, **options)


def _listed(served: Served) -> float:
    """Return how many requests for the list have been counted."""
    return metric_value(_get(f"{served.url}/metrics"), "modeldeck_requests_total", route=LIST)


def _answers(served: Served) -> bool:
    try:
        return _get(f"{served.url}/health/live").status_code == 200
    except httpx.TransportError:
        return False
