"""Reading: what is large is decoded outside of the event loop, which it would stop."""

import threading
from typing import Any

import pytest

from documents import ModelRecord
from service.database import exact_bson
from service.database.client import Database
from service.database.exact_bson import decode_all_exactly
from tests.conftest import Raw


@pytest.mark.parametrize(("size", "on_loop"), [(1_000, True), (200_000, False)])
async def test_only_small_results_are_decoded_on_the_loop(
    mongod: Database, raw: Raw, monkeypatch: pytest.MonkeyPatch, size: int, on_loop: bool
) -> None:
    raw.models.insert_many([{"_id": f"m{number}", "params": {"system": "x" * size}} for number in range(2)])
    threads = set()

    def decode_here(documents: Any) -> list[dict[str, Any]]:
        threads.add(threading.get_ident())
        return decode_all_exactly(documents)

    monkeypatch.setattr(exact_bson, "decode_all_exactly", decode_here)
    for found in (await mongod.find(ModelRecord, {}), await mongod.aggregate(ModelRecord, [{"$match": {}}])):
        assert [len(record["params"]["system"]) for record in found] == [size] * 2
    assert (threads == {threading.get_ident()}) is on_loop
