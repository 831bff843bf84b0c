"""The log record and the id of each request."""

import asyncio
import logging
import re
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.auth.authentication import Caller
from service.middleware.access_log import AccessLog, RouteTemplates
from service.middleware.concurrency_limit import ConcurrencyLimit
from service.middleware.timeout import RequestTimeout
from service.observability.logs import REQUEST
from service.observability.requests import PROBES, AnsweredRequest, current_request_id
from tests.support.asgi_exchange import Exchange

SECRET = "mdk_planted_secret"
TEMPLATES = RouteTemplates([Route("/a/{name}", lambda _: None), Route("/plain", lambda _: None)])


class RecordingObserver:
    """An observer that keeps what it is notified of."""

    def __init__(self) -> None:
        self.begun: list[bool] = []
        self.answered: list[AnsweredRequest] = []

    def begin(self, *, probe: bool) -> None:
        self.begun.append(probe)

    def end(self, answered: AnsweredRequest) -> None:
        self.answered.append(answered)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["caller"] = Caller("u1", False, frozenset(), api_key_id="k1")
    await PlainTextResponse(current_request_id.get() or "")(scope, receive, send)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError(SECRET)


async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    raise KeyError(SECRET)


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "modeldeck")


def request_records(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [getattr(record, REQUEST) for record in caplog.records if hasattr(record, REQUEST)]


async def test_a_line_has_the_caller_the_request_and_the_result(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange(
        f"/a/{SECRET}", query=f"query={SECRET}", headers={"Authorization": SECRET}, parts=[SECRET.encode()]
    )
    await exchange.with_app(AccessLog(answers, TEMPLATES))
    line = request_records(caplog)[0]
    assert line.pop("duration_ms") >= 0
    assert line == {
        "caller": "u1",
        "key": "k1",
        "client": "127.0.0.1",
        "method": "GET",
        "route": "/a/{name}",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("path", "route"),
    [("/plain", "/plain"), ("/a/b", "/a/{name}"), ("/a/b/c", "unmatched"), (f"/{SECRET}", "unmatched")],
)
async def test_the_route_is_logged_as_its_template(path: str, route: str, caplog: pytest.LogCaptureFixture) -> None:
    await Exchange(path, method=SECRET).with_app(AccessLog(answers, TEMPLATES))
    assert [(line["route"], line["method"]) for line in request_records(caplog)] == [(route, "other")]


@pytest.mark.parametrize("given", ["a", "0a1B._-", "x" * 64])
async def test_a_client_can_name_its_request(given: str) -> None:
    exchange = await Exchange(headers={"X-Request-ID": given}).with_app(AccessLog(answers, TEMPLATES))
    assert exchange.response_headers["x-request-id"] == exchange.body.decode() == given
    assert current_request_id.get() is None


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "é", "a\n", "<"])
async def test_any_other_request_gets_a_random_name(given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    found = {
        (await Exchange(headers=headers).with_app(AccessLog(answers, TEMPLATES))).response_headers["x-request-id"]
        for _ in range(3)
    }
    assert len(found) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)


@pytest.mark.parametrize(
    ("app", "status"), [(ConcurrencyLimit(answers, 0), 503), (RequestTimeout(fails, 1, 1), 500), (fails, 500)]
)
async def test_what_fails_is_answered_and_carries_the_id_too(
    app: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = await Exchange(headers={"X-Request-ID": "r"}).with_app(AccessLog(app, TEMPLATES))
    assert (exchange.status, exchange.response_headers["x-request-id"]) == (status, "r")
    assert exchange.response_headers["content-type"] == "application/problem+json"
    assert SECRET.encode() not in exchange.body
    assert [line["status"] for line in request_records(caplog)] == [status]


async def test_a_late_answer_carries_the_id_too() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    exchange = await Exchange(headers={"X-Request-ID": "r"}).with_app(
        AccessLog(RequestTimeout(never, 0.01, 1), TEMPLATES)
    )
    assert (exchange.status, exchange.response_headers["x-request-id"]) == (504, "r")


async def test_a_response_that_breaks_off_is_logged_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observer = RecordingObserver()
    exchange = await Exchange().with_app(AccessLog(breaks_off, TEMPLATES, [observer]))
    assert (exchange.status, exchange.body) == (200, b"x")
    assert [(each.status, each.client_left) for each in observer.answered] == [(500, False)]
    assert [record.exc_info is not None for record in caplog.records if record.levelno == logging.ERROR] == [True]


async def test_a_client_that_disconnects_before_the_response_is_logged_as_499(caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    observer, exchange = RecordingObserver(), Exchange()
    asking = asyncio.create_task(exchange.with_app(AccessLog(RequestTimeout(never, 30, 30), TEMPLATES, [observer])))
    await begun.wait()
    exchange.disconnect()
    await asking
    assert [line["status"] for line in request_records(caplog)] == [499]
    assert [(each.status, each.client_left) for each in observer.answered] == [(499, True)]


async def test_a_cancelled_request_is_logged_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Exchange().with_app(AccessLog(cancelled, TEMPLATES))
    assert [line["status"] for line in request_records(caplog)] == [500]


async def test_probes_are_logged_at_debug_level_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "modeldeck")
    observer = RecordingObserver()
    for path in PROBES:
        await Exchange(path).with_app(AccessLog(answers, TEMPLATES, [observer]))
    assert request_records(caplog) == []
    assert observer.begun == [each.probe for each in observer.answered] == [True] * len(PROBES)
