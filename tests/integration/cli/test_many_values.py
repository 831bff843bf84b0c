"""Bodies of few bytes and very many values, which take many times their size when they are decoded."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.cli.test_unread_answers import MAX_GROWTH_MB, resident_mb
from tests.support.commands import CommandLine, Served

VALUES, REQUESTS = 2_480_000, 6


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with CommandLine(tmp_path, data_dir=str(tmp_path / "data")).serving("--demo") as served:
        yield served


def test_they_take_little_memory_and_little_of_the_time_of_others(served: Served) -> None:
    values = b",".join([b"[]"] * VALUES)
    body = gzip.compress(b'{"models":[{"id":"a","name":"A","params":{"a":[' + values + b"]}}]}")
    headers = {"Authorization": f"Bearer {served.key}"}

    def send(_: int) -> int:
        gzipped = {**headers, "Content-Encoding": "gzip"}
        answer = httpx.post(f"{served.url}/api/models/import", content=body, headers=gzipped, timeout=90)
        return answer.status_code

    before, most, slowest = resident_mb(served), 0, 0.0
    with ThreadPoolExecutor(REQUESTS) as pool:
        sending = [pool.submit(send, number) for number in range(REQUESTS)]
        while not all(one.done() for one in sending):
            listed = served.get("/api/models/list?page_size=1", served.key)
            assert listed.status_code == 200
            slowest = max(slowest, listed.elapsed.total_seconds())
            most = max(most, resident_mb(served))
    assert {one.result() for one in sending} <= {422, 503}
    assert most - before < MAX_GROWTH_MB
    assert slowest < 2
