"""A refused request body is removed from memory at once."""

import gc
import weakref
from collections.abc import Iterator
from io import BytesIO

import pytest
from starlette.requests import Request

from service.errors import TooLargeError
from service.http.json_body import copy_body
from tests.support.asgi_exchange import Exchange


class Copy(BytesIO):
    """The copy of a received body."""


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("headers", [{}, {"Content-Length": "11"}])
async def test_the_received_part_of_a_too_large_body_is_freed_at_once(headers: dict[str, str]) -> None:
    copy = Copy()
    reference = weakref.ref(copy)
    exchange = Exchange(method="POST", headers=headers, parts=[b"123456", b"78901"])
    with pytest.raises(TooLargeError, match="The body exceeds 10 bytes"):
        await copy_body(Request(exchange.scope, exchange.receive), copy, 10)
    assert copy.getvalue() == (b"" if headers else b"123456")
    del copy
    assert reference() is None
