"""Spans of requests, which the framework makes, and of database commands; configured by the variables of OpenTelemetry.

What spans tell is chosen here: the framework's own hold paths and queries.
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

# At the end, what is not sent by then is lost: a collector that is away must not hold up those who wait for the end.
FLUSH_SECONDS = 3.0
TOLD = frozenset(
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
        self._provider.add_span_processor(BatchSpanProcessor(Discreet(exporter or OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("modeldeck")

    @property
    def telemetry(self) -> TelemetryConfig:
        """What the framework is to be told."""
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
        """Add a database command that has just ended to the request that it was for, if it was for one."""
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
        """Send what is still to be sent."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


class Discreet(SpanExporter):
    """Exports spans without anything that a client has sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what may be told of spans."""
        return self._exporter.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the exporter send what it holds."""
        return self._exporter.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_identity(span.context),
        parent=_identity(span.parent),
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in TOLD},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _identity(context: SpanContext | None) -> SpanContext | None:
    # Without the state, in which clients may hand on anything.
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)
