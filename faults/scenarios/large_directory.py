"""O3 and S9, with 200,000 models: searches whose clients disconnect, and regular expressions as search terms."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from pymongo import MongoClient

from benchmarks.bundle_generator import user_id, write_bundle
from faults.environment.service import Shell
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.http_load import Answer, RepeatedGet, percentile
from tests.support.commands import Served, until
from tests.support.regex_bombs import plain_terms, regex_bombs

IMPORTED, COPIES = 50_000, 3
MODELS = IMPORTED * (1 + COPIES)
LIST = "/api/models/list"
ROUNDS = 2
MAX_TIMES_PLAIN = 2.0
# The slowest search: no trigram index can serve one letter, and nearly every record contains it.
SLOWEST_TERM = "e"
CLIENTS, MAX_RUNNING_SECONDS = 8, 1.0
COMMAND_SECONDS = 400.0


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    folder = workspace.folder_for("large")
    shell = Shell(folder, data_dir="data")
    write_bundle(folder / "bundle.jsonl", IMPORTED)
    with shell.serving() as served:
        progress(f"importing {IMPORTED:,} models")
        _run_command(shell, "import", "bundle.jsonl")
        keys = [shell.ok("key", "create", "--user", user_id(number)) for number in (0, 500)]
        uri = shell.ok("database-uri")
        _copy_models(shell, uri)
        yield _disconnected_clients_row(served, keys[0], uri)
        yield _regular_expressions_row(served, keys)


def _run_command(shell: Shell, *command: str) -> None:
    assert shell.start(*command).wait(COMMAND_SECONDS) == 0


def _copy_models(shell: Shell, uri: str) -> None:
    """Let the server copy all models, and index them afterwards: faster than an import, and the same for searches."""
    with MongoClient[dict[str, Any]](uri) as client:
        models = client.get_default_database().models
        models.drop_indexes()
        for copy in range(COPIES):
            imported = {"$match": {"_id": {"$not": {"$regex": "^copy"}}}}
            renamed = {"$set": {"_id": {"$concat": [f"copy{copy}-", "$_id"]}}}
            models.aggregate([imported, renamed, {"$merge": {"into": "models", "whenMatched": "fail"}}])
        _run_command(shell, "indexes", "ensure")
        assert models.count_documents({}) == MODELS


def _disconnected_clients_row(served: Served, key: str, uri: str) -> Row:
    with MongoClient[dict[str, Any]](uri) as client:
        of_service = {"appName": "modeldeck", "active": True, "op": {"$ne": "none"}}
        stages: list[dict[str, Any]] = [{"$currentOp": {"allUsers": True}}, {"$match": of_service}]

        def running() -> int:
            operations = client.admin.aggregate(stages)
            return sum(str(operation.get("ns", "")).endswith(".models") for operation in operations)

        seen = seconds = 0.0
        for _ in range(5):
            with _searching(served, key) as disconnect:
                until(lambda: running() > 0, "the searches run", 5.0)
                seen = max(seen, running())
                disconnect()
                began = time.monotonic()
                until(lambda: running() == 0, "the searches have ended", 30.0)
                seconds = max(seconds, time.monotonic() - began)
    problems = [f"{seconds:.1f} s"] if seconds > MAX_RUNNING_SECONDS else []
    measured = f"{seen:.0f} searches were running, none {seconds:.2f} s after their clients had disconnected"
    test = f"slowest search of {MODELS:,} models, clients disconnect"
    return checked_row("O3", test, measured, "none runs after 1 s", problems)


@contextmanager
def _searching(served: Served, key: str) -> Iterator[Callable[[], None]]:
    """Send searches and yield a function that closes all their connections."""
    address = urlsplit(served.url)
    request = f"GET {LIST}?query={SLOWEST_TERM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    connections = []
    for _ in range(CLIENTS):
        connection = socket.create_connection((address.hostname or "", address.port or 0))
        connection.sendall(request)
        connections.append(connection)

    def disconnect() -> None:
        for connection in connections:
            connection.close()

    try:
        yield disconnect
    finally:
        disconnect()


def _regular_expressions_row(served: Served, keys: Sequence[str]) -> Row:
    plain, hostile = [asyncio.run(_search(served, keys, terms)) for terms in ([*plain_terms()], [*regex_bombs()])]
    problems = [f"{answer.status}" for answer in [*plain, *hostile] if answer.status != 200]
    seconds = percentile(plain, 99), percentile(hostile, 99)
    problems += [f"{seconds[1] / seconds[0]:.1f} times"] if seconds[1] > MAX_TIMES_PLAIN * seconds[0] else []
    measured = (
        f"p99 of {len(plain)} plain searches {seconds[0] * 1000:.0f} ms, of {len(hostile)} hostile ones "
        f"{seconds[1] * 1000:.0f} ms"
    )
    test = f"regular expressions as search terms in {MODELS:,} models"
    return checked_row("S9", test, measured, "all 200; p99 <= 2 x plain", problems)


async def _search(served: Served, keys: Sequence[str], terms: Sequence[str]) -> list[Answer]:
    answers = []
    for key in keys:
        requests = [RepeatedGet(served.url, f"{LIST}?query={quote(term, safe='')}", key) for term in terms]
        for _ in range(ROUNDS):
            answers += [await request.send() for request in requests]
        for request in requests:
            request.close()
    return answers
