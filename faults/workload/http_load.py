"""GET requests over kept-alive connections, at a steady rate or from a number of clients, with the time of each."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

# An answer that takes longer counts as none.
GIVE_UP_SECONDS = 60.0
# Connections that were idle longer are not reused: the service closes them after five seconds.
REUSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status (0 if there was none), its `Retry-After`, and how many seconds it took."""

    status: int
    retry_after: str | None
    seconds: float


class RepeatedGet:
    """Sends one GET request repeatedly, over as many connections as are needed at once."""

    def __init__(self, url: str, path: str, key: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._host, self._port = address.hostname, address.port
        head = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {key}\r\n\r\n"
        self._request = head.encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def send(self) -> Answer:
        """Send the request once and return its answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                status, retry_after = await self._exchange()
        except (OSError, EOFError, TimeoutError):
            return Answer(0, None, time.monotonic() - began)
        return Answer(status, retry_after, time.monotonic() - began)

    async def _exchange(self) -> tuple[int, str | None]:
        reader, writer = await self._connection()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await reader.readexactly(int(headers["content-length"]))
        self._idle.append((reader, writer, time.monotonic()))
        return int(first.split()[1]), headers.get("retry-after")

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer, since = self._idle.pop()
            # A connection that the service is just closing still looks open, so old ones are not reused.
            if not reader.at_eof() and time.monotonic() - since < REUSE_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Close all idle connections."""
        for _, writer, _ in self._idle:
            writer.close()


async def send_at_rate(request: RepeatedGet, rate: float, seconds: float) -> list[Answer]:
    """Send `rate` requests a second without waiting for answers; return all answers."""
    began = time.monotonic()
    sending = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        sending.append(asyncio.create_task(request.send()))
    return list(await asyncio.gather(*sending))


async def send_from_clients(request: RepeatedGet, clients: int, seconds: float) -> list[Answer]:
    """Let each of a number of clients send its next request as soon as it has an answer; return all answers."""
    until = time.monotonic() + seconds

    async def client() -> list[Answer]:
        answers = []
        while time.monotonic() < until:
            answers.append(await request.send())
        return answers

    return [answer for answers in await asyncio.gather(*(client() for _ in range(clients))) for answer in answers]


def percentile(answers: Sequence[Answer], percent: float) -> float:
    """Return the seconds within which `percent` percent of the answers came; 0 if there are none."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def with_status(answers: Sequence[Answer], wanted: Callable[[int], bool]) -> list[Answer]:
    """Return the answers whose status is wanted."""
    return [answer for answer in answers if wanted(answer.status)]
