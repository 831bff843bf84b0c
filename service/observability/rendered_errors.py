"""What may be told of errors: where they were raised and of what kind they are, but not what they say.

The message of an error can quote whatever it is about: a key, a query, a record.
"""

import logging
import re
import traceback
from collections.abc import Iterator

from service.errors import ConfigurationError

CAUSED = "which was the direct cause of:"
MEANWHILE = "while it was handled, there was:"
MAX_CHAIN = 10

_RENDERED = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s+File "[^"]+", line \d+, in \S+$')
_KIND = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")
# The event loop appends what it knows, such as the error of a task or the arguments of a callback.
_QUOTED = re.compile(r"[\n<(].*", re.DOTALL)


def rendered_message(record: logging.LogRecord) -> str:
    """Return the message of a record, without what it quotes of errors."""
    message = record.getMessage()
    if record.name == "asyncio":
        return _QUOTED.sub("", message).rstrip()
    if _RENDERED in message:
        return "\n".join(_told_lines(message))
    return message


def rendered_error(error: BaseException) -> str:
    """Return the frames and the kinds of an error and of those behind it."""
    chain: list[tuple[BaseException, str | None]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < MAX_CHAIN:
        if current.__cause__ is not None:
            chain.append((current, CAUSED))
            current = current.__cause__
        else:
            behind = None if current.__suppress_context__ else current.__context__
            chain.append((current, None if behind is None else MEANWHILE))
            current = behind
    return "\n".join(line for link, relation in reversed(chain) for line in _told_link(link, relation))


def _told_link(error: BaseException, relation: str | None) -> Iterator[str]:
    if relation is not None:
        yield relation
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    # Written by us for whoever runs the service, who sees nothing else of it.
    yield f"{kind}: {error.detail}" if isinstance(error, ConfigurationError) else kind
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:MAX_CHAIN]:
            yield from (f"  | {line}" for line in rendered_error(part).splitlines())


def _told_lines(message: str) -> Iterator[str]:
    # What an error says may be of many lines, which may look like anything.
    within = False
    for line in message.splitlines():
        if line == _RENDERED:
            within = True
        elif within and (kind := _KIND.match(line)):
            within = False
            # Our own errors about the configuration say what is to be done.
            yield line if kind[1].endswith(f".{ConfigurationError.__name__}") else kind[1]
        elif within and _FRAME.match(line):
            yield line
