"""Whether there are traces: the libraries that make them are looked at only when the settings say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import ConfigurationError
from service.settings import Settings

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

    from service.observability.spans import Traces

# The framework would also export by itself, with queries, errors and what they quote, where a variable tells it to.
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def require_libraries(settings: Settings) -> None:
    """Raise ConfigurationError when traces are asked for that can't be made."""
    if settings.tracing:
        _kind()


def traces(settings: Settings) -> Traces | None:
    """Return what makes the traces that the settings ask for, if any."""
    return _kind()() if settings.tracing else None


def _kind() -> type[Traces]:
    try:
        from service.observability.spans import Traces  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "MODELDECK_TRACING needs libraries that are not installed: pip install 'modeldeck[tracing]'"
        ) from None
    return Traces
