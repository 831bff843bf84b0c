"""The two forms of a line in the log: a JSON object, and text for a terminal."""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

from service.logs.request_id import current_request_id
from service.logs.said import said, told

# The attribute of a record about a request that holds what is known of it.
REQUEST = "request"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(record: logging.LogRecord) -> str | None:
    return told(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None


class JsonLines(OrjsonFormatter):
    """A JSON object a line."""

    def formatException(self, ei: Any) -> str:  # noqa: ARG002, N802  # named by the library
        """Return nothing: `add_fields` tells what may be told of an error."""
        return ""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:  # noqa: ARG002
        """Fill in what a line says; nothing that somebody else attached to the record."""
        log_data["time"] = _time(record)
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["request_id"] = current_request_id.get()
        request = getattr(record, REQUEST, None)
        if request is not None:
            log_data.update(request)
        else:
            log_data["message"] = said(record)
        if (error := _error(record)) is not None:
            log_data["error"] = error


class TextLines(logging.Formatter):
    """Text that fits a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and those of an error."""
        request = getattr(record, REQUEST, None)
        if request is not None:
            said_of_it = "{method} {route} {status} {duration_ms} ms caller={caller} key={key} client={client}"
            message = said_of_it.format_map({name: _shown(value) for name, value in request.items()})
        else:
            message = said(record)
        request_id = current_request_id.get()
        parts = [_time(record), f"{record.levelname:<7}", *([f"[{request_id}]"] if request_id else []), message]
        error = _error(record)
        return " ".join(parts) + (f"\n{error}" if error else "")


def _shown(value: Any) -> str:
    # Whoever names themselves with a line break begins no line.
    return "-" if value is None else str(value).encode("unicode_escape").decode()
