"""O3 and S9: a directory of 200,000 models: searches that are left alone, and searches that mean harm."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from pymongo import MongoClient

from benchmarks.generate import user_id, write_bundle
from faults.load import Answer, Asker, percentile
from faults.place import Place
from faults.report import Row, judged, progress
from faults.services import Shell
from tests.support.bombs import plain_terms, regex_bombs
from tests.support.commands import Served, until

IMPORTED, COPIES = 50_000, 3
MODELS = IMPORTED * (1 + COPIES)
LIST = "/api/models/list"
ROUNDS = 2
TIMES = 2.0
# Looked at record by record: no trigram, and nearly every text holds it.
WORST = "e"
CLIENTS, LEFT_SECONDS = 8, 1.0
COMMAND_SECONDS = 400.0


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    folder = place.folder_for("many")
    shell = Shell(folder, data_dir="data")
    write_bundle(folder / "bundle.jsonl", IMPORTED)
    with shell.serving() as served:
        progress(f"importing {IMPORTED:,} models")
        _do(shell, "import", "bundle.jsonl")
        keys = [shell.ok("key", "create", "--user", user_id(number)) for number in (0, 500)]
        uri = shell.ok("database-uri")
        _copy(shell, uri)
        yield _left(served, keys[0], uri)
        yield _harmful(served, keys)


def _do(shell: Shell, *command: str) -> None:
    assert shell.start(*command).wait(COMMAND_SECONDS) == 0


def _copy(shell: Shell, uri: str) -> None:
    """Have the server add copies of all models, and index them afterwards: for searches as good, and soon done."""
    with MongoClient[dict[str, Any]](uri) as client:
        models = client.get_default_database().models
        models.drop_indexes()
        for copy in range(COPIES):
            imported = {"$match": {"_id": {"$not": {"$regex": "^copy"}}}}
            renamed = {"$set": {"_id": {"$concat": [f"copy{copy}-", "$_id"]}}}
            models.aggregate([imported, renamed, {"$merge": {"into": "models", "whenMatched": "fail"}}])
        _do(shell, "indexes", "ensure")
        assert models.count_documents({}) == MODELS


def _left(served: Served, key: str, uri: str) -> Row:
    with MongoClient[dict[str, Any]](uri) as client:
        ours = {"appName": "modeldeck", "active": True, "op": {"$ne": "none"}}
        stages: list[dict[str, Any]] = [{"$currentOp": {"allUsers": True}}, {"$match": ours}]
        at_work: list[dict[str, Any]] = []

        def running() -> int:
            found = list(client.admin.aggregate(stages))
            at_work[:] = [one for one in found if str(one.get("ns", "")).endswith(".models")]
            return len(at_work)

        seen = gone = 0.0
        for _ in range(5):
            with leaving(served, key) as leave:
                until(lambda: running() > 0, "the searches run", 5.0)
                seen = max(seen, running())
                leave()
                began = time.monotonic()
                until(lambda: running() == 0, "the searches have ended", 30.0)
                gone = max(gone, time.monotonic() - began)
    broken = [f"{gone:.1f} s"] if gone > LEFT_SECONDS else []
    measured = f"{seen:.0f} searches were running, none {gone:.2f} s after their clients had left"
    return judged("O3", f"worst search of {MODELS:,} models, clients leave", measured, "none runs after 1 s", broken)


@contextmanager
def leaving(served: Served, key: str) -> Iterator[Any]:
    """Send searches and yield what closes all their connections."""
    address = urlsplit(served.url)
    request = f"GET {LIST}?query={WORST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    connections = []
    for _ in range(CLIENTS):
        connection = socket.create_connection((address.hostname or "", address.port or 0))
        connection.sendall(request)
        connections.append(connection)

    def leave() -> None:
        for connection in connections:
            connection.close()

    try:
        yield leave
    finally:
        leave()


def _harmful(served: Served, keys: Sequence[str]) -> Row:
    plain, bombs = [asyncio.run(_searched(served, keys, terms)) for terms in ([*plain_terms()], [*regex_bombs()])]
    broken = [f"{answer.status}" for answer in [*plain, *bombs] if answer.status != 200]
    seconds = percentile(plain, 99), percentile(bombs, 99)
    broken += [f"{seconds[1] / seconds[0]:.1f} times"] if seconds[1] > TIMES * seconds[0] else []
    measured = (
        f"p99 of {len(plain)} plain searches {seconds[0] * 1000:.0f} ms, of {len(bombs)} harmful ones "
        f"{seconds[1] * 1000:.0f} ms"
    )
    return judged("S9", f"patterns in searches of {MODELS:,} models", measured, "all 200; p99 <= 2 x plain", broken)


async def _searched(served: Served, keys: Sequence[str], terms: Sequence[str]) -> list[Answer]:
    answers = []
    for key in keys:
        askers = [Asker(served.url, f"{LIST}?query={quote(term, safe='')}", key) for term in terms]
        for _ in range(ROUNDS):
            answers += [await asker.ask() for asker in askers]
        for asker in askers:
            asker.close()
    return answers
