"""What a follower is sent: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import random
from collections.abc import AsyncIterator, Callable, Iterator

from documents.freeform import json_bytes
from service.changes.entries import FeedPosition
from service.changes.happenings import Shown

EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# So that not all followers of a process that has ended come back at the same moment.
RETRY_MILLISECONDS = (1_000, 5_000)
# What a client has not read is kept for it, and there are many: so it gets no more at once.
PART_BYTES = 16 * 1024


async def messages(
    shown: AsyncIterator[Shown], token: Callable[[FeedPosition], str], data: Callable[[Shown], bytes]
) -> AsyncIterator[bytes]:
    """Yield the messages about what is shown, in parts; those without an event only move the token on."""
    begin = b"retry: %d\n" % random.randint(*RETRY_MILLISECONDS)  # noqa: S311  # no secret
    async for one in shown:
        place = b"id: " + token(one.position).encode()
        if one.happening is None:
            # A comment, for what stands between and closes connections on which nothing is sent.
            yield begin + b":\n" + place + b"\n\n"
        else:
            head = begin + b"event: %b\n%b\ndata: " % (one.happening.encode(), place)
            for part in _parts(head, data(one)):
                yield part
        begin = b""


def _parts(head: bytes, data: bytes) -> Iterator[bytes]:
    if len(head) + len(data) + len(_END) <= PART_BYTES:
        yield head + data + _END
        return
    yield head
    # Only the part that is being sent is copied: all who are shown a model share its content.
    for start in range(0, len(data), PART_BYTES):
        yield data[start : start + PART_BYTES]
    yield _END


_END = b"\n\n"


def item_or_id(shown: Shown) -> bytes:
    """Return the data of an event: the model, or, where it may not be seen any more, its id."""
    if shown.item is not None:
        return shown.item
    return json_bytes({"id": shown.change.model_id} if shown.change is not None else {})
