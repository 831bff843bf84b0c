"""The log: its configuration, and its two line formats, a JSON object and text for a terminal."""

import logging
import logging.config
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from documents.freeform import json_bytes
from service.observability.rendered_errors import rendered_error, rendered_message
from service.observability.requests import current_request_id
from service.settings import Settings

# The attribute of a log record about a request that holds the fields of the request.
REQUEST = "request"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(record: logging.LogRecord) -> str | None:
    return rendered_error(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; attributes of the record that are not named here are left out, since they may quote data."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": current_request_id.get(),
        }
        request = getattr(record, REQUEST, None)
        line |= request if request is not None else {"message": rendered_message(record)}
        if (error := _error(record)) is not None:
            line["error"] = error
        return json_bytes(line).decode()


class TextLines(logging.Formatter):
    """Formats a record as text for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, followed by the lines of the rendered error, if any."""
        request = getattr(record, REQUEST, None)
        if request is not None:
            template = "{method} {route} {status} {duration_ms} ms caller={caller} key={key} client={client}"
            message = template.format_map({name: _escaped(value) for name, value in request.items()})
        else:
            message = rendered_message(record)
        request_id = current_request_id.get()
        parts = [_time(record), f"{record.levelname:<7}", *([f"[{request_id}]"] if request_id else []), message]
        error = _error(record)
        return " ".join(parts) + (f"\n{error}" if error else "")


def _escaped(value: Any) -> str:
    # A line break in an id of a user must not start a line of the log.
    return "-" if value is None else str(value).encode("unicode_escape").decode()


log = logging.getLogger("modeldeck")

_FORMATS = {"json": "service.observability.logs.JsonLines", "text": "service.observability.logs.TextLines"}


def configuration(settings: Settings) -> dict[str, Any]:
    """Return the `logging` configuration for the settings; it can be handed to worker processes."""
    line_format = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    level = settings.log_level.upper()
    # Of other libraries only warnings and errors: the driver's debug lines would quote queries.
    others_level = logging.getLevelName(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": _FORMATS[line_format]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        "root": {"level": others_level, "handlers": ["stderr"]},
        "loggers": {"modeldeck": {"level": level}, "uvicorn": {"level": others_level}},
    }


def configure(log_configuration: dict[str, Any]) -> None:
    """Configure the log, and send warnings and uncaught errors to it."""
    logging.config.dictConfig(log_configuration)
    log_uncaught()


def log_uncaught() -> None:
    """Log what the interpreter would print to stderr: warnings and uncaught errors."""
    logging.captureWarnings(True)
    threading.excepthook = lambda failure: _uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.unraisablehook = lambda failure: _uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        log.error("uncaught error", exc_info=(kind, error, trace))
