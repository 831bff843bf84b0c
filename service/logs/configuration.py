"""Making all that a process logs take one form, also what the web server, the driver and the interpreter say."""

import logging
import logging.config
import sys
import threading
from types import TracebackType
from typing import Any

from service.settings import Settings

log = logging.getLogger("modeldeck")

_FORMATS = {"json": "service.logs.formats.JsonLines", "text": "service.logs.formats.TextLines"}


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
