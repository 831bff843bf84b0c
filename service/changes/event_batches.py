"""The events of the database's change stream, in batches: what has come while the last ones were handled."""

import asyncio
from collections.abc import AsyncGenerator

from service.changes.entries import STAGES, NumberedEvent, Numbering
from service.database.change_streams import ClusterTime, Event
from service.database.client import Database

# Events that wait to be handled; when there are more, the stream is read no further.
MAX_WAITING = 500


async def event_batches(
    database: Database, since: ClusterTime
) -> AsyncGenerator[tuple[list[NumberedEvent], ClusterTime | None], None]:
    """Yield the events since a moment, those of that moment too, without end.

    With them comes the moment until which these are all, where the stream says that. Raises ChangesLostError when the
    database no longer keeps the events since then.
    """
    waiting: asyncio.Queue[tuple[str, Event | None] | Exception] = asyncio.Queue(MAX_WAITING)

    async def read() -> None:
        try:
            async for token_and_event in database.changes(STAGES, since=since):
                await waiting.put(token_and_event)
        except Exception as error:  # raised below
            await waiting.put(error)

    reading, numbering = asyncio.create_task(read()), Numbering()
    try:
        while True:
            found = [await waiting.get()]
            while not waiting.empty():
                found.append(waiting.get_nowait())
            events: list[Event] = []
            complete = None
            for one in found:
                if isinstance(one, Exception):
                    raise one
                token, event = one
                complete = ClusterTime.of_token(token) if event is None else None
                events += [] if event is None else [event]
            yield numbering.numbered(events), complete
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
