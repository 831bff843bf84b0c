"""Reading a source from a web address: what is fetched, what is refused, and that no secret is shown or sent on."""

import gzip
import json
import os
import socket
import threading
import time
import zlib
from pathlib import Path

import pytest

from service.errors import ConfigurationError
from service.importing import fetched_source as fetching
from service.importing.fetched_source import fetched_source
from service.importing.source import SourceError
from tests.support.commands import CommandLine
from tests.support.import_samples import Raw, dump
from tests.support.model_answers import OPENAI, OPENROUTER
from tests.support.outbound import outbound_calls
from tests.support.web_server import Answer, answering, make_certificate, sending, web_server

BODY = json.dumps(OPENROUTER).encode()
HEADER = "Authorization: Bearer planted-token-of-the-url"
SECRET = "planted-token-of-the-url"
ENDLESS_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def admin(shell: CommandLine) -> CommandLine:
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    return shell


def fetched(url: str, *variables: str) -> bytes:
    with fetched_source(url, variables) as source:
        return source.head(1 << 20)


def refusal(answer: Answer) -> str:
    with web_server(answer) as server, pytest.raises(SourceError) as caught:
        fetched(server.url())
    assert caught.value.detail.startswith(f"http://127.0.0.1:{server.port}: ")
    return caught.value.detail.split(": ", 1)[1]


# --- By the command


def test_a_rehearsal_and_an_import_from_an_address(admin: CommandLine, store: Raw) -> None:
    admin.environment["OURS"] = HEADER
    with web_server(answering(BODY)) as server:
        import_it = ("import", "--from-url", server.url(), "--url-header-env", "OURS", "--owner", "root")
        rehearsed = admin.ok(*import_it, "--dry-run")
        assert rehearsed.startswith("read as openai-models, since JSON with data")
        assert store["models"].count_documents({}) == 0
        done = admin.ok(*import_it, "--report", "report.json")
        assert done.endswith("\n1 changes")
        assert admin.ok(*import_it).endswith("\n0 changes")
    assert [request.splitlines()[0] for request in server.requests] == ["GET /v1/models HTTP/1.1"] * 3
    assert all(HEADER in request for request in server.requests)
    report = (admin.folder / "report.json").read_text()
    assert SECRET not in rehearsed + done + report + dump(store)


def test_one_place_is_named(shell: CommandLine) -> None:
    for arguments in ((), ("a.json", "--from-url", "https://x.example"), ("a.json", "--url-header-env", "OURS")):
        done = shell.run("import", *arguments)
        assert (done.status, done.stdout) == (2, "")
        assert "--from-url" in done.stderr


def test_an_address_is_read_on_request_only(shell: CommandLine) -> None:
    with web_server(answering(BODY)) as server:
        done = shell.run("import", server.url())
    assert (done.status, "is read with --from-url" in done.stderr, server.requests) == (2, True, [])


def test_what_is_no_list_of_models_is_not_imported(admin: CommandLine, store: Raw) -> None:
    admin.environment["OURS"] = HEADER
    for answer in (
        answering(b"<html>planted-body</html>", "200 OK"),
        answering(b"planted-body", "401 Unauthorized"),
        answering(b"planted-body", "302 Found", Location="https://elsewhere.example/planted-body"),
        answering(b""),
        answering(b"SQLite format 3\0" + bytes(4096)),
    ):
        with web_server(answer) as server:
            done = admin.run("import", "--from-url", server.url(), "--url-header-env", "OURS", "--owner", "root")
        assert done.status in (1, 2)
        assert done.stderr
        assert not any(word in done.stdout + done.stderr for word in ("planted", "Traceback"))
    assert store["models"].count_documents({}) == 0


# --- What is fetched


def test_what_is_packed_is_unpacked(tmp_path: Path) -> None:
    for headers in ({}, {"Content_Encoding": "gzip"}, {"Content_Type": "application/gzip"}):
        with web_server(answering(gzip.compress(BODY), **headers)) as server:
            assert fetched(server.url()) == BODY
    with web_server(answering(BODY, Content_Encoding="identity")) as server:
        assert fetched(server.url("")) == fetched(server.url("/a?b=c#d")) == BODY
    assert [request.split(" ")[1] for request in server.requests] == ["/", "/a?b=c"]


def test_an_answer_in_chunks_is_put_together() -> None:
    half = len(BODY) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:half], BODY[half:]))
    with web_server(sending(ENDLESS_CHUNKS + chunks + b"0\r\n\r\n")) as server:
        assert fetched(server.url()) == BODY


def test_headers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "x-api-key:  abc ")
    monkeypatch.setenv("TWO", "anthropic-version: 2023-06-01\n")
    with web_server(answering(BODY)) as server:
        fetched(server.url(), "ONE", "TWO")
    assert "x-api-key: abc\r\nanthropic-version: 2023-06-01\r\n" in server.requests[0]


def test_a_certificate_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path / "trusted.pem")
    monkeypatch.setenv("OURS", HEADER)
    with web_server(answering(BODY), certificate) as server:
        with pytest.raises(SourceError, match="its certificate is refused: self-signed certificate"):
            fetched(server.url(scheme="https"), "OURS")
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetched(server.url(scheme="https"), "OURS") == BODY
    other = make_certificate(tmp_path / "other.pem", "127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    mismatch = pytest.raises(SourceError, match="its certificate is refused: IP address mismatch")
    with web_server(answering(BODY), other) as server, mismatch:
        fetched(server.url(scheme="https"))
    with web_server(answering(BODY)) as server, pytest.raises(SourceError, match="TLS failed: WRONG_VERSION_NUMBER"):
        fetched(server.url(scheme="https"))


# --- What is refused


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("where", ["file:///etc/passwd", "https://elsewhere.example/", "/v2/models"])
def test_no_redirect_is_followed(status: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", HEADER)
    with web_server(answering(BODY)) as other:
        target = where.replace("https://elsewhere.example", f"http://127.0.0.1:{other.port}")
        refused = pytest.raises(SourceError, match=f"redirects .status {status[:3]}., which is not followed")
        with web_server(answering(b"", status, Location=target)) as server, refused as caught:
            fetched(server.url(), "OURS")
    assert (len(server.requests), other.requests) == (1, [])
    assert target not in caught.value.detail


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "401 Unauthorized", "404 Not Found", "500 Oops"])
def test_another_status_is_an_error_without_the_answer(status: str) -> None:
    assert refusal(answering(b"planted-body", status)) == f"answered with status {status[:3]}"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1/models",
        "ftp://example.com/a",
        "file:///etc/passwd",
        "example.com/v1/models",
        "https://",
        "https:///models",
        "https://x.example:99999/",
        "https://[::1/",
        "https://x.example/a b",
        "https://x.example/\r\nX-Injected: 1",
        "https://x.example/" + "a" * 5000,
        "https://ann:planted-word@x.example/",
        "https://planted-word@x.example/",
        "https://x.example/?key=planted-word",
        "https://x.example/?api_key=planted-word",
        "https://x.example/sk-planted0000000000000001",
        "",
    ],
)
def test_an_address_that_is_refused_is_not_asked_and_not_shown(url: str) -> None:
    with outbound_calls() as attempted, pytest.raises((ConfigurationError, SourceError)) as caught:
        fetched(url)
    assert "planted" not in caught.value.detail
    # Of a name, only its address tells whether it is this machine.
    assert [place for place in attempted if place != "example.com"] == []


def test_nothing_unencrypted_goes_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(socket.socket):
        def getpeername(self) -> tuple[str, int]:
            return ("192.0.2.1", 80)

    def connected(address: tuple[str, int], timeout: float) -> socket.socket:
        mine = Elsewhere()
        mine.connect(address)
        return mine

    with web_server(answering(BODY)) as server:
        monkeypatch.setattr(socket, "create_connection", connected)
        with pytest.raises(ConfigurationError, match="from this machine only"):
            fetched(server.url())
    assert server.requests in ([], [""])


@pytest.mark.parametrize(
    "held",
    [
        "planted-word",
        "planted word: x",
        ": planted",
        "A: planted\r\nB: x",
        "A: planted\0",
        "Host: planted",
        "A:",
        "Ä: planted",
    ],
)
def test_a_header_that_is_none_is_refused_without_being_shown(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing with a NUL can be in the real environment.
    monkeypatch.setattr(os, "environ", {**os.environ, "OURS": held})
    with web_server(answering(BODY)) as server, pytest.raises(ConfigurationError, match="OURS") as caught:
        fetched(server.url(), "OURS")
    assert "planted" not in caught.value.detail
    assert server.requests == []


def test_a_variable_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no environment variable 'ABSENT_ONE'"):
        fetched("https://x.example", "ABSENT_ONE")


# --- Bounds


def test_an_endless_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FETCHED_BYTES", 1 << 20)
    block = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    for answer in (
        sending(ENDLESS_CHUNKS, again=block),
        sending(b"HTTP/1.1 200 OK\r\n\r\n", again=bytes(1 << 16)),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", silent=True),
    ):
        assert refusal(answer) == "its answer has more than 1,048,576 bytes"


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FETCHED_BYTES", 1 << 20)
    bomb = answering(gzip.compress(bytes(1 << 24)), Content_Encoding="gzip")
    with web_server(bomb) as server, fetched_source(server.url()) as source:
        assert len(source.head(1 << 24)) <= 1 << 20


def test_a_slow_server_does_not_hold_it_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "ALL_SECONDS", 0.5)
    began = time.monotonic()
    for answer in (
        sending(ENDLESS_CHUNKS, again=b"1\r\n \r\n", pause=0.02),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", again=b" ", pause=0.02),
        sending(b"HTTP/1.1 200 OK\r\n", again=b"x", pause=0.02),
        sending(again=b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02),
        sending(silent=True),
    ):
        assert refusal(answer) == "took longer than 0 seconds in all"
    assert time.monotonic() - began < 30


def test_a_handshake_that_never_ends_does_not_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "ALL_SECONDS", 0.5)
    with web_server(sending(silent=True)) as server, pytest.raises(SourceError, match="took longer than"):
        fetched(server.url(scheme="https"))


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 0.2)
    assert refusal(sending(silent=True)).startswith("did not answer for")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (sending(b""), "the connection was closed"),
        (sending(b"planted nonsense\r\n\r\n"), "its answer is no HTTP, or is incomplete"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx"), "its answer is incomplete"),
        (sending(ENDLESS_CHUNKS + b"zz\r\n"), "its answer is no HTTP, or is incomplete"),
        (sending(ENDLESS_CHUNKS + b"ff\r\nx"), "its answer is no HTTP, or is incomplete"),
        (sending(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000 + b"\r\n"), "its answer is no HTTP, or is incomplete"),
        (sending(b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000 + b"\r\n\r\n"), "its answer is no HTTP, or is incomplete"),
        (answering(zlib.compress(BODY), Content_Encoding="deflate"), "its answer is packed in another way than gzip"),
        (answering(BODY, Content_Encoding="gzip, br"), "its answer is packed in another way than gzip"),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: Answer, problem: str) -> None:
    assert refusal(answer) == problem


def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(SourceError, match="Connection refused"):
        fetched(f"http://127.0.0.1:{port}/")


def test_nothing_remains_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    with web_server(answering(json.dumps(OPENAI).encode())) as server:
        fetched(server.url())
    assert (threading.active_count(), list(tmp_path.iterdir())) == (before, [])
