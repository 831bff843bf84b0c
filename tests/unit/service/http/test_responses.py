"""Responses: a page is rendered item by item, so that a large one does not stop the event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from service.http.responses import MAX_RENDERED_BYTES, json_items, json_page


async def batches(items: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    """Yield the items in batches of two."""
    for start in range(0, len(items), 2):
        yield items[start : start + 2]


async def test_a_page_is_the_same_json_whatever_its_size() -> None:
    for items in ([], [{"id": 1}], [{"id": number, "text": "ü" * MAX_RENDERED_BYTES} for number in range(3)]):
        rendered = json_page(await json_items(batches(items)), {"total": 7})
        assert list(json.loads(rendered).items()) == [("items", items), ("total", 7)]


async def test_others_are_served_while_a_large_page_is_rendered() -> None:
    served = asyncio.create_task(asyncio.sleep(0))
    await json_items(batches([{"id": 1}]))
    assert not served.done()
    await json_items(batches(["x" * (MAX_RENDERED_BYTES + 1)] * 3))
    assert served.done()
