"""Messages of a stream, however it is cut into parts."""

import pytest

from modeldeck_client.events import Message, MessageDecoder, ModelHidden, Resync

STREAM = (
    "retry: 2500\n:\nid: t1\n\n"
    'event: removed\r\nid: t2\r\ndata: {"id":\r\ndata: "a\u2028b"}\r\n\r\n'
    'event: of-a-later-version\nid: t3\ndata: {"x":1}\n\n'
    "\n: only a comment\n\n"
    "event: resync\nid:t4\ndata: {}\n\n"
    "event: deleted\nid: t5\ndata: {"
).encode()
MESSAGES = [
    Message("t1", None),
    Message("t2", ModelHidden("removed", "a\u2028b", "t2")),
    Message("t3", None),
    Message("t4", Resync("t4")),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, len(STREAM)])
def test_messages_are_those_that_have_ended(size: int) -> None:
    decoder = MessageDecoder()
    parts = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [message for part in parts for message in decoder.messages(part)] == MESSAGES
    assert decoder.retry_seconds == 2.5
