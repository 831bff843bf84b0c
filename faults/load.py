"""Requests at a steady rate or by a number of clients, over connections that are kept, with the time of each answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LAST_ANSWER_SECONDS = 60.0
# Well below the five seconds after which the service closes a connection that nobody uses.
KEPT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status (0: none came), its `Retry-After`, and how many seconds it took."""

    status: int
    retry_after: str | None
    seconds: float


class Asker:
    """Sends one GET request again and again."""

    def __init__(self, url: str, path: str, key: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._host, self._port = address.hostname, address.port
        head = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {key}\r\n\r\n"
        self._request = head.encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def ask(self) -> Answer:
        """Send one request and return its answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(LAST_ANSWER_SECONDS):
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
            # One that is just being closed can't be told from one that is kept.
            if not reader.at_eof() and time.monotonic() - since < KEPT_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Close every connection."""
        for _, writer, _ in self._idle:
            writer.close()


async def at_rate(asker: Asker, rate: float, seconds: float) -> list[Answer]:
    """Send requests at a rate, whatever becomes of the others; return all answers."""
    began = time.monotonic()
    asking = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        asking.append(asyncio.create_task(asker.ask()))
    return list(await asyncio.gather(*asking))


async def by_clients(asker: Asker, clients: int, seconds: float) -> list[Answer]:
    """Let a number of clients ask, each as soon as it has its answer; return all answers."""
    until = time.monotonic() + seconds

    async def client() -> list[Answer]:
        answers = []
        while time.monotonic() < until:
            answers.append(await asker.ask())
        return answers

    return [answer for answers in await asyncio.gather(*(client() for _ in range(clients))) for answer in answers]


def percentile(answers: Sequence[Answer], percent: float) -> float:
    """Return the seconds within which so many percent of the answers came; 0 when there are none."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def selected(answers: Sequence[Answer], wanted: Callable[[int], bool]) -> list[Answer]:
    """Return the answers whose status is wanted."""
    return [answer for answer in answers if wanted(answer.status)]
