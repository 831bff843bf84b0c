"""The two forms of a line in the log: a JSON object, and text for a terminal."""

import logging
import logging.config
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

from service.observability.rendered_errors import rendered_error, rendered_message
from service.observability.requests import current_request_id
from service.settings import Settings

# The attribute of a record about a request that holds what is known of it.
REQUEST = "request"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(record: logging.LogRecord) -> str | None:
    return rendered_error(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None


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
            log_data["message"] = rendered_message(record)
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
            message = rendered_message(record)
        request_id = current_request_id.get()
        parts = [_time(record), f"{record.levelname:<7}", *([f"[{request_id}]"] if request_id else []), message]
        error = _error(record)
        return " ".join(parts) + (f"\n{error}" if error else "")


def _shown(value: Any) -> str:
    # Whoever names themselves with a line break begins no line.
    return "-" if value is None else str(value).encode("unicode_escape").decode()


log = logging.getLogger("modeldeck")

_FORMATS = {"json": "service.observability.logs.JsonLines", "text": "service.observability.logs.TextLines"}


def configuration(settings: Settings) -> dict[str, Any]:
    """Return the configuration for `logging` that the settings ask for, to be handed to worker processes too."""
    chosen = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    level = settings.log_level.upper()
    # Of others only what is wrong: the driver's details would quote queries.
    theirs = logging.getLevelName(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": _FORMATS[chosen]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        "root": {"level": theirs, "handlers": ["stderr"]},
        "loggers": {"modeldeck": {"level": level}, "uvicorn": {"level": theirs}},
    }


def configure(chosen: dict[str, Any]) -> None:
    """Log as configured from here on, and log what would be written past it."""
    logging.config.dictConfig(chosen)
    log_the_rest()


def log_the_rest() -> None:
    """Log what the interpreter would print: warnings, and errors that nobody is there to catch."""
    logging.captureWarnings(True)
    threading.excepthook = lambda failure: _uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.unraisablehook = lambda failure: _uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        log.error("an error that nobody caught", exc_info=(kind, error, trace))
