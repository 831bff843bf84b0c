"""Turns tracing on: its libraries, which are an extra, are imported only when the settings ask for traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import ConfigurationError
from service.settings import Settings

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

    from service.observability.spans import Traces

# Otherwise variables of OpenTelemetry could make the framework export by itself, with queries and error messages.
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def require_libraries(settings: Settings) -> None:
    """Raise ConfigurationError when the settings ask for traces and the libraries are missing."""
    if settings.tracing:
        _traces_class()


def traces(settings: Settings) -> Traces | None:
    """Return the maker of traces, or None when the settings ask for no traces."""
    return _traces_class()() if settings.tracing else None


def _traces_class() -> type[Traces]:
    try:
        from service.observability.spans import Traces  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "MODELDECK_TRACING needs libraries that are not installed: pip install 'modeldeck[tracing]'"
        ) from None
    return Traces
