"""Spans of requests, made by the framework, and of database commands; configured by the variables of OpenTelemetry.

Only chosen attributes are exported: those of the framework include paths and queries.
"""

import threading
import time
from collections.abc import Sequence

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

from service.observability.requests import PROBES

# At shutdown, spans that are not sent by then are lost: a collector that does not answer must not delay the end.
FLUSH_SECONDS = 3.0
EXPORTED_ATTRIBUTES = frozenset(
    {
        *("http.request.method", "http.route", "http.response.status_code", "network.protocol.version", "url.scheme"),
        *("db.system.name", "db.operation.name", "db.response.status_code", "error.type"),
    }
)


class Traces:
    """Makes and exports spans."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        """Export to an OTLP collector, or to another exporter."""
        named = OTELResourceDetector().detect()
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: named.attributes.get(SERVICE_NAME, "modeldeck")}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(FilteringExporter(exporter or OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("modeldeck")

    @property
    def telemetry(self) -> TelemetryConfig:
        """The configuration for the framework."""
        return {
            "tracer_provider": self._provider,
            "tracing": True,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        }

    def command(self, name: str, seconds: float, code: str | None) -> None:
        """Add a span for a database command that has just ended to the span of its request, if any."""
        if not trace.get_current_span().is_recording():
            return
        ended = time.time_ns()
        attributes = {"db.system.name": "mongodb", "db.operation.name": name}
        if code is not None:
            attributes |= {"db.response.status_code": code, "error.type": code}
        span = self._tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=ended - int(seconds * 1e9)
        )
        if code is not None:
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    def close(self) -> None:
        """Send the remaining spans."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


class FilteringExporter(SpanExporter):
    """Exports spans without data that clients have sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans with the chosen attributes only."""
        return self._exporter.export([_filtered(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Make the exporter send its spans."""
        return self._exporter.force_flush(timeout_millis)


def _filtered(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_without_state(span.context),
        parent=_without_state(span.parent),
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in EXPORTED_ATTRIBUTES},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_state(context: SpanContext | None) -> SpanContext | None:
    # Clients can put any data into the state.
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)
