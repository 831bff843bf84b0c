"""Responses: a page is rendered item by item, so that a large one does not stop the event loop."""

import asyncio
import json

from service.http.responses import MAX_RENDERED_BYTES, json_page


async def test_a_page_is_the_same_json_whatever_its_size() -> None:
    for items in ([], [{"id": 1}], [{"id": number, "text": "ü" * MAX_RENDERED_BYTES} for number in range(3)]):
        rendered = await json_page({"items": items, "total": 7})
        assert list(json.loads(rendered).items()) == [("items", items), ("total", 7)]


async def test_others_are_served_while_a_large_page_is_rendered() -> None:
    served = asyncio.create_task(asyncio.sleep(0))
    await json_page({"items": [{"id": 1}], "total": 1})
    assert not served.done()
    await json_page({"items": ["x" * (MAX_RENDERED_BYTES + 1)] * 3, "total": 3})
    assert served.done()
