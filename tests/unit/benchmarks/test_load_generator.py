"""The load generator reads answers as they arrive, and counts only whole ones."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.throughput import LOAD_GENERATOR

BODY = b"x" * 600_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = self.path == "/found" and self.headers["Authorization"] == "Bearer secret"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def run(port: int, path: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", LOAD_GENERATOR, str(port), path, "3", "0.2"]
    return subprocess.run(command, env={**os.environ, "KEY": "secret"}, capture_output=True, text=True, check=False)


def test_whole_answers_are_counted(port: int) -> None:
    done = run(port, "/found")
    figures = json.loads(done.stdout)
    assert figures["requests"] > 3
    assert figures["per_second"] > 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]


def test_what_is_not_answered_is_an_error(port: int) -> None:
    done = run(port, "/absent")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not answered with 200: b'HTTP/1.1 404" in done.stderr
