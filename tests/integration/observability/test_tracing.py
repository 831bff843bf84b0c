"""Traces: what spans of requests and database commands contain, and what they must not contain."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from service.app import create_app
from service.database.client import Database
from service.observability import spans as module
from service.people.api_keys import create_api_key
from service.people.users import add_user
from service.settings import Settings
from tests.conftest import DATABASE, settings_in
from tests.support.commands import COMMAND_SECONDS, CommandLine, free_port, until
from tests.support.directory import LIST

MARK = "planted-secret"
SERVED = "modeldeck_traced"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class LastingExporter(InMemorySpanExporter):
    """Keeps its spans after the shutdown, because only then all of them have arrived."""

    def shutdown(self) -> None:
        pass


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = LastingExporter()
    monkeypatch.setattr(module, "OTLPSpanExporter", lambda: exporter)
    return exporter


@pytest.fixture
def settings(mongo_uri: str, tmp_path: Path) -> Settings:
    changed = {"mongodb_uri": SecretStr(mongo_uri), "database": DATABASE, "tracing": True}
    return settings_in(tmp_path).model_copy(update=changed)


@pytest.fixture
async def key(mongod: Database) -> str:
    user = await add_user(mongod, email=f"{MARK}@x.org", name=MARK, user_id=MARK, by=None)
    return await create_api_key(mongod, user.id, name=MARK)


@pytest.fixture
async def spans(settings: Settings, exporter: InMemorySpanExporter, key: str) -> list[ReadableSpan]:
    """The spans of a few requests with a marker in every place where a client can put text."""
    app = create_app(settings)
    headers = {
        "Authorization": f"Bearer {key}",
        "Cookie": MARK,
        "User-Agent": MARK,
        "Host": f"{MARK}.example",
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
        "tracestate": f"x={MARK}",
        "baggage": f"x={MARK}",
    }
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
    ):
        assert (await client.get(LIST, params={"query": MARK, "page_size": 3})).status_code == 200
        await client.get("/api/models/model", params={"id": MARK})
        await client.post("/api/models/create", json={"id": MARK, "name": MARK, "params": {"system": MARK}})
        await client.post("/api/models/create", json={"id": 5, MARK: MARK})
        await client.get(f"/{MARK}")
        await client.request("MARKED", f"/{MARK}")
        await client.get(LIST, headers={"Authorization": f"Bearer {MARK}"})
        await client.get("/health/live")
    return list(exporter.get_finished_spans())


async def test_a_request_is_a_span_named_by_its_route_with_the_commands_it_took(spans: list[ReadableSpan]) -> None:
    request = next(span for span in spans if span.name == f"GET {LIST}")
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == LIST
    assert request.context is not None
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}" == TRACE
    commands = [span for span in spans if span.parent and span.parent.span_id == request.context.span_id]
    assert {span.name for span in commands} == {"aggregate"}
    for span in commands:
        assert span.attributes == {"db.system.name": "mongodb", "db.operation.name": "aggregate"}
        assert request.start_time is not None
        assert request.end_time is not None
        assert span.start_time is not None
        assert span.end_time is not None
        assert request.start_time - 2_000_000 <= span.start_time <= span.end_time <= request.end_time


async def test_unknown_paths_and_methods_have_no_names_of_their_own_and_probes_no_spans(
    spans: list[ReadableSpan],
) -> None:
    requests = sorted(span.name for span in spans if (span.attributes or {}).get("http.request.method"))
    assert requests == sorted(
        [
            *(f"GET {LIST}", f"GET {LIST}", "GET /api/models/model"),
            *("POST /api/models/create", "POST /api/models/create", "GET", "HTTP"),
        ]
    )


async def test_no_span_holds_what_a_client_sent(spans: list[ReadableSpan], key: str) -> None:
    assert len(spans) >= 10
    for span in spans:
        exported = span.to_json()
        assert MARK not in exported
        assert key.rsplit("_", 1)[1] not in exported
        assert "MARKED" not in exported
        assert json.loads(exported)["events"] == []


# --- A running service


class Collector(ThreadingHTTPServer):
    """Receives spans as an OTLP collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _CollectorHandler)
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[tuple[str, Span]]:
        """The received spans, each with the name of its service."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        return [
            (attribute.value.string_value, span)
            for request in requests
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _CollectorHandler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_a_collector_gets_them_from_every_process_and_at_the_end(
    workers: int, collector: Collector, mongo_uri: str, tmp_path: Path
) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=SERVED, tracing="true")
    shell.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    transport = httpx.HTTPTransport(retries=20)
    with (
        shell.serving("--workers", str(workers)) as served,
        httpx.Client(transport=transport, timeout=COMMAND_SECONDS) as client,
    ):
        for _ in range(5):
            client.get(f"{served.url}{LIST}", params={"query": MARK}, headers={"Authorization": f"Bearer {MARK}"})
        until(lambda: len(collector.spans) >= 10, "they have come")
        assert "Traceback" not in served.output.read_text()
    named = [(service, span.name) for service, span in collector.spans]
    assert named.count(("modeldeck", f"GET {LIST}")) == 5
    assert named.count(("modeldeck", "aggregate")) == 5
    assert not [body for body in collector.bodies if MARK.encode() in body]


@pytest.mark.faults
def test_an_unreachable_collector_delays_nothing(mongo_uri: str, tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=SERVED, tracing="true")
    shell.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
    with shell.serving() as served:
        assert served.get(LIST).status_code == 401
        # The exporter stops after ten seconds; by default, it would retry for a minute.
        assert served.stop(signal.SIGTERM) == 0


def test_without_its_libraries_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.sdk'] = None\n")
    shell = CommandLine(tmp_path, data_dir=str(tmp_path / "data"), tracing="true")
    shell.environment["PYTHONPATH"] = str(tmp_path)
    done = shell.run("serve", "--port", str(free_port()))
    assert done.status == 2
    assert "pip install 'modeldeck[tracing]'" in done.stderr
    assert not (tmp_path / "data").exists()


def test_nothing_of_opentelemetry_is_loaded_without_tracing(tmp_path: Path) -> None:
    # With these, FastAPI's own instrumentation would export.
    exporting = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    environment = {**os.environ, **exporting}
    code = (
        "import sys, service.cli.serve; from service.app import create_app; from service.settings import Settings; "
        "create_app(Settings(_env_file=None)); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )
    assert done.stdout == "[]\n"
