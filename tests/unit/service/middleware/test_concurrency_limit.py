"""The limit on the number of requests in flight."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service.errors import UnavailableError
from service.middleware.concurrency_limit import ConcurrencyLimit
from service.observability.requests import PROBES
from tests.support.asgi_exchange import Exchange


class Slow:
    """An application that waits for an event before it answers, and counts its requests."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if scope["path"] == "/fails":
            raise RuntimeError
        if scope["path"] not in PROBES:
            await self.go_on.wait()
        await PlainTextResponse("done")(scope, receive, send)


async def test_a_request_above_the_limit_is_refused_before_any_work() -> None:
    app = Slow()
    limited = ConcurrencyLimit(app, 2)
    waiting = [asyncio.create_task(Exchange().with_app(limited)) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await Exchange(method="POST").with_app(limited)
    assert (refused.status, refused.response_headers["retry-after"]) == (503, "1")
    assert refused.response_headers["content-type"] == "application/problem+json"
    assert app.asked == 2
    app.go_on.set()
    assert [(await one).status for one in waiting] == [200, 200]
    assert (await Exchange().with_app(limited)).status == 200


async def test_an_eighth_is_left_to_others() -> None:
    app = Slow()
    limited = ConcurrencyLimit(app, 16)
    greedy, other = {"Authorization": "Bearer greedy"}, {"Authorization": "Bearer other"}
    waiting = [asyncio.create_task(Exchange(headers=greedy).with_app(limited)) for _ in range(14)]
    await asyncio.sleep(0)
    assert (await Exchange(headers=greedy).with_app(limited)).status == 503
    waiting += [asyncio.create_task(Exchange(headers=headers).with_app(limited)) for headers in (other, {})]
    await asyncio.sleep(0)
    assert app.asked == 16
    assert (await Exchange(headers=other).with_app(limited)).status == 503
    app.go_on.set()
    assert {(await one).status for one in waiting} == {200}
    assert (await Exchange(headers=greedy).with_app(limited)).status == 200


async def test_a_credential_is_the_same_however_it_is_written() -> None:
    app = Slow()
    limited = ConcurrencyLimit(app, 8)
    written = ["Bearer greedy", "bearer greedy", "BEARER greedy", "Bearer  greedy"] * 2
    waiting = [asyncio.create_task(Exchange(headers={"Authorization": one}).with_app(limited)) for one in written[:7]]
    await asyncio.sleep(0)
    assert (await Exchange(headers={"Authorization": written[7]}).with_app(limited)).status == 503
    app.go_on.set()
    assert {(await one).status for one in waiting} == {200}


@pytest.mark.parametrize("path", sorted(PROBES))
async def test_probes_are_answered_always(path: str) -> None:
    app = Slow()
    limited = ConcurrencyLimit(app, 1)
    waiting = asyncio.create_task(Exchange().with_app(limited))
    await asyncio.sleep(0)
    assert (await Exchange(path).with_app(limited)).status == 200
    assert (await Exchange(f"{path}/other").with_app(limited)).status == 503
    app.go_on.set()
    await waiting


async def test_a_failed_or_cancelled_request_frees_its_place() -> None:
    app = Slow()
    limited = ConcurrencyLimit(app, 1)
    with pytest.raises(RuntimeError):
        await Exchange("/fails").with_app(limited)
    waiting = asyncio.create_task(Exchange().with_app(limited))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    app.go_on.set()
    assert (await Exchange().with_app(limited)).status == 200


async def test_a_request_that_waits_for_its_client_leaves_its_place_to_others() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        with scope["state"]["slot"].given_up():
            await arrived.wait()
        await go_on.wait()
        await PlainTextResponse("done")(scope, receive, send)

    limited = ConcurrencyLimit(waits, 1)
    waiting = [asyncio.create_task(Exchange().with_app(limited)) for _ in range(2)]
    await asyncio.sleep(0)
    arrived.set()
    # Only one of them gets the place when both go on.
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [type(one.exception()) for one in done] == [UnavailableError]
    go_on.set()
    assert [(await one).status for one in pending] == [200]
    assert (await Exchange().with_app(limited)).status == 200
