"""What the MCP server takes from others, whatever the service or a client does: places and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from modeldeck_client import AsyncModeldeck, NoAnswer, UnexpectedAnswer
from service.errors import ConfigurationError
from service.mcp import http_app, server
from service.mcp.connections import ReadingTransport
from service.mcp.http_app import HttpOptions, allowed_hosts, create_app, is_loopback
from service.middleware.concurrency_limit import FULL

PLACES = 8
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search_models", "arguments": {}}}
HEADERS = {"Accept": "application/json", "MCP-Protocol-Version": "2025-11-25", "Content-Type": "application/json"}


@dataclass
class Silent:
    """A service that accepts requests and never answers."""

    url: str
    heads: list[str] = field(default_factory=list)
    left: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, *, asked: int, left: int = 0) -> None:
        """Wait until so many have asked, and so many have given up."""
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: len(self.heads) >= asked and self.left >= left)


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        async with service.changed:
            service.heads.append(head.decode())
            service.changed.notify_all()
        await reader.read()
        async with service.changed:
            service.left += 1
            service.changed.notify_all()
        writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    service = Silent(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    yield service
    listening.close()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a new MCP server, which reads from the service at `url`."""
    app = create_app(HttpOptions(url, ["mcp.test"]))
    messages: asyncio.Queue[Any] = asyncio.Queue()
    states: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "lifespan.startup"})
    living = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, messages.get, states.put))
    assert (await states.get())["type"] == "lifespan.startup.complete"
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://mcp.test", headers=HEADERS) as client:
        yield client
    messages.put_nowait({"type": "lifespan.shutdown"})
    await living


def request(client: httpx.AsyncClient, key: str, **more: Any) -> asyncio.Task[httpx.Response]:
    sent = client.post("/mcp", headers={"Authorization": f"Bearer {key}"}, **(more or {"json": CALL}))
    return asyncio.create_task(sent)


async def test_no_key_takes_all_places(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_app, "MAX_IN_FLIGHT", PLACES)
    async with client_of(silent.url) as client:
        greedy = [request(client, "greedy") for _ in range(PLACES - 1)]
        await silent.until(asked=PLACES - 1)
        refused = await request(client, "greedy")
        assert (refused.status_code, refused.json()["detail"]) == (503, FULL)
        other = request(client, "other")
        await silent.until(asked=PLACES)
        assert (await request(client, "third")).status_code == 503
        for waiting in (*greedy, other):
            waiting.cancel()
        # What nobody waits for any more is not asked for either.
        await silent.until(asked=PLACES, left=PLACES)


async def test_a_body_that_comes_slowly_takes_no_place_and_not_for_ever(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_app, "MAX_IN_FLIGHT", PLACES)
    monkeypatch.setattr(http_app, "REQUEST_SECONDS", 1.0)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client_of(silent.url) as client:
        slow = [request(client, f"slow-{number}", content=slowly()) for number in range(2 * PLACES)]
        other = request(client, "other")
        await silent.until(asked=1)
        assert {answer.status_code for answer in await asyncio.gather(*slow, other)} == {504}


async def test_a_service_that_does_not_answer_is_not_waited_for(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CALL_SECONDS", 0.2)
    async with client_of(silent.url) as client:
        result = (await request(client, "key")).json()["result"]
        assert (result["isError"], result["content"][0]["text"]) == (True, server.OVERDUE)
    [head] = silent.heads
    assert head.startswith("GET /api/models/list?")
    lines = head.lower().splitlines()
    # The service counts wrong keys by address.
    assert {"authorization: bearer key", "x-forwarded-for: 203.0.113.7"} <= {*lines}


async def test_nothing_that_could_change_something_is_sent(silent: Silent) -> None:
    async with httpx.AsyncClient(transport=ReadingTransport()) as http:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(httpx.UnsupportedProtocol):
                await http.send(httpx.Request(method, silent.url))
        client = AsyncModeldeck(silent.url, "key", http=http, patience=0)
        with pytest.raises(NoAnswer, match="is not a reading request") as refused:
            await client.change("novel", {"name": "New"}, if_version=1)
    assert not refused.value.in_doubt
    assert silent.heads == []


@pytest.mark.parametrize(("status", "explained"), [(502, server.NO_ANSWER), (200, server.NOT_MODELDECK)])
def test_a_proxy_of_a_service_that_is_away_is_no_other_service(status: int, explained: str) -> None:
    answer = httpx.Response(status, html="<h1>Bad gateway</h1>", request=httpx.Request("GET", "http://x.org"))
    assert server.explained(UnexpectedAnswer(answer)) == explained


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_private(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_hosts_are_those_that_are_listened_on_or_named() -> None:
    assert {"127.0.0.1:*", "localhost:*", "[::1]:*"} <= {*allowed_hosts("127.0.0.1", [])}
    assert {"[::1]:*", "mcp.example"} <= {*allowed_hosts("::1", ["mcp.example"])}
    assert allowed_hosts("0.0.0.0", ["mcp.example"]) == ["mcp.example", "mcp.example:*"]
    assert allowed_hosts("2001:db8::1", []) == ["[2001:db8::1]", "[2001:db8::1]:*"]


@pytest.mark.parametrize("name", ["", "*", "https://mcp.example", "mcp.example:8001", "mcp.example/mcp", "a b", "a\n"])
def test_what_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed-host"):
        allowed_hosts("0.0.0.0", [name])
