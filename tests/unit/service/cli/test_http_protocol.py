"""What the web server answers to what it can't parse."""

import asyncio
import json
import socket
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from uvicorn import Config
from uvicorn.server import ServerState

from service.cli import http_protocol
from service.cli.http_protocol import Protocol
from service.http.problems import MAX_ADDRESS_BYTES


async def exchanged(request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes over a socket; return the status, headers and body of the answer."""
    config = Config(PlainTextResponse("reached"), log_config=None, access_log=False, http=Protocol)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def get(target: bytes, headers: bytes = b"") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + headers + b"\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "explained"),
    [
        (get("/caf\u00e9".encode()), 400, "percent-encode"),
        (get("/?query=caf\u00e9".encode()), 400, "percent-encode"),
        (get("/?query=caf\u00e9".encode("latin-1")), 400, "percent-encode"),
        (get(b"/" + b"x" * MAX_ADDRESS_BYTES), 414, "65,535"),
        (get(b"/?id=" + b"x" * 200_000), 414, "65,535"),
        (b"nonsense\r\n\r\n", 400, "Invalid HTTP request"),
        (get(b"/", b"Content-Length: x\r\n"), 400, "Invalid HTTP request"),
    ],
    ids=["utf-8 path", "utf-8", "latin-1", "long path", "long query", "nonsense", "length"],
)
async def test_what_the_web_server_refuses_is_a_problem(request_: bytes, status: int, explained: str) -> None:
    found, headers, body = await exchanged(request_)
    problem: dict[str, Any] = json.loads(body)
    assert (found, problem["status"], explained in problem["detail"]) == (status, status, True)
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    assert (headers["connection"], headers["x-content-type-options"]) == ("close", "nosniff")
    assert len(headers["x-request-id"]) == 32


async def test_what_can_be_parsed_reaches_the_application() -> None:
    status, _, body = await exchanged(get(b"/caf%C3%A9?query=" + b"x" * (MAX_ADDRESS_BYTES - 17)))
    assert (status, body) == (200, b"reached")


async def test_an_answer_is_not_held_back_where_several_workers_share_a_socket() -> None:
    made: asyncio.Queue[asyncio.Transport] = asyncio.Queue()

    class Noticed(Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            made.put_nowait(transport)

    config = Config(PlainTextResponse("reached"), log_config=None, access_log=False, http=Noticed, port=0)
    config.load()
    with config.bind_socket() as shared:
        server = await asyncio.get_running_loop().create_server(lambda: Noticed(config, ServerState(), {}), sock=shared)
        async with server:
            _, writer = await asyncio.open_connection(*shared.getsockname())
            connection = (await made.get()).get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            await writer.wait_closed()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
async def test_a_client_that_reads_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "UNREAD_MILLISECONDS", 100)
    ended = asyncio.Event()

    class Noticed(Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            ended.set()

    # More than the buffers of both ends hold, in one part: the application has nothing to do with it any more.
    config = Config(PlainTextResponse(b"x" * 20_000_000), log_config=None, access_log=False, http=Noticed)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Noticed(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, server.sockets[0].getsockname())
            await loop.sock_sendall(client, get(b"/"))
            async with asyncio.timeout(30):
                await ended.wait()
