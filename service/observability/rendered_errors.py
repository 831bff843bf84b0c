"""Renders errors for the log: where they were raised and their types, without their messages.

The message of an error can quote data: an API key, a query, a record.
"""

import logging
import re
import traceback
from collections.abc import Iterator

from service.errors import ConfigurationError

CAUSED = "which was the direct cause of:"
IN_HANDLER = "while it was handled, this error occurred:"
MAX_CHAIN = 10

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s+File "[^"]+", line \d+, in \S+$')
_TYPE = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")
# The event loop appends details, such as the error of a task or the arguments of a callback.
_QUOTED = re.compile(r"[\n<(].*", re.DOTALL)


def rendered_message(record: logging.LogRecord) -> str:
    """Return the message of a log record, without the messages of errors that it quotes."""
    message = record.getMessage()
    if record.name == "asyncio":
        return _QUOTED.sub("", message).rstrip()
    if _TRACEBACK in message:
        return "\n".join(_traceback_lines(message))
    return message


def rendered_error(error: BaseException) -> str:
    """Return the frames and the types of an error and of its causes."""
    chain: list[tuple[BaseException, str | None]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < MAX_CHAIN:
        if current.__cause__ is not None:
            chain.append((current, CAUSED))
            current = current.__cause__
        else:
            context = None if current.__suppress_context__ else current.__context__
            chain.append((current, None if context is None else IN_HANDLER))
            current = context
    return "\n".join(line for link, relation in reversed(chain) for line in _error_lines(link, relation))


def _error_lines(error: BaseException, relation: str | None) -> Iterator[str]:
    if relation is not None:
        yield relation
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    # Our own message for the operator, who sees the error nowhere else.
    yield f"{kind}: {error.detail}" if isinstance(error, ConfigurationError) else kind
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:MAX_CHAIN]:
            yield from (f"  | {line}" for line in rendered_error(part).splitlines())


def _traceback_lines(message: str) -> Iterator[str]:
    # The message of an error may have many lines, which may look like anything.
    within = False
    for line in message.splitlines():
        if line == _TRACEBACK:
            within = True
        elif within and (match := _TYPE.match(line)):
            within = False
            # Our own errors about the configuration tell the operator what to do.
            yield line if match[1].endswith(f".{ConfigurationError.__name__}") else match[1]
        elif within and _FRAME.match(line):
            yield line
