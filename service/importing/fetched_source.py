"""Fetching a source over HTTPS, or over HTTP from this machine: bounded, and without following redirects."""

import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import IO
from urllib.parse import urlsplit

from service.errors import ConfigurationError
from service.importing.readers.secret_texts import looks_secret
from service.importing.source import Bounds, Source, SourceError

MAX_FETCHED_BYTES = 1 << 26
CONNECT_SECONDS, SILENT_SECONDS, ALL_SECONDS = 10.0, 30.0, 300.0
MAX_URL_LENGTH, MAX_HEADERS = 4096, 10
CHUNK_BYTES = 1 << 16
OK = 200
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~A-Za-z0-9-]{1,100}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]{0,8000}[\x21-\x7e])?)[ \t]*"
)
# Those that say what the request is, and how its answer is sent.
_OWN = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "upgrade")
_PATH = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, slots=True)
class _Address:
    """Where to send the request. `server` is all of it that messages show."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def server(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


@contextmanager
def fetched_source(url: str, header_variables: Sequence[str] = ()) -> Iterator[Source]:
    """Fetch a file over HTTPS, or over HTTP from this machine, and yield it as a source.

    Each of `header_variables` is an environment variable that holds a header, such as `Authorization: Bearer …`. Raises
    ConfigurationError for an address or a header that is refused, and SourceError when the file can't be fetched: for
    any status but 200, also a redirect, and beyond the bounds of size and time. No message quotes the answer, a header,
    or more of the address than the server.
    """
    address = _checked(url)
    headers = [_header(name) for name in header_variables]
    if len(headers) > MAX_HEADERS:
        raise ConfigurationError(f"At most {MAX_HEADERS} headers can be sent.")
    with tempfile.TemporaryFile() as file:
        _Fetch(address, headers).into(file)
        yield Source(file, file.tell(), Bounds(size=MAX_FETCHED_BYTES))


def _checked(url: str) -> _Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        named = host.encode("idna").decode() if host and not host.isascii() else host
    except ValueError:
        raise ConfigurationError("The URL is malformed.") from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in ("https", "http") or not named:
        raise ConfigurationError("A URL to be read must begin with https://, or with http:// on this machine.")
    if parts.username is not None or parts.password is not None or looks_secret(path):
        problem = "The URL has what is or may be a secret, which would be kept in the history of the shell"
        raise ConfigurationError(f"{problem}; send it as a header (--url-header-env).")
    if len(url) > MAX_URL_LENGTH or not _PATH.fullmatch(path) or not _PATH.fullmatch(named):
        raise ConfigurationError("The URL is too long, or has characters that must be percent-encoded.")
    secure = parts.scheme == "https"
    return _Address(secure, named, port if port is not None else 443 if secure else 80, path)


def _header(variable: str) -> tuple[str, str]:
    held = os.environ.get(variable)
    if held is None:
        raise ConfigurationError(f"There is no environment variable {variable[:100]!r}, which should hold a header.")
    found = _HEADER.fullmatch(held.strip("\r\n"))
    if found is None:
        form = "NAME: VALUE on one line, such as Authorization: Bearer …"
        raise ConfigurationError(f"The environment variable {variable[:100]!r} must hold a header, {form}")
    if found[1].lower() in _OWN:
        raise ConfigurationError(f"The header {found[1]} can't be set, which the variable {variable[:100]!r} does.")
    return found[1], found[2]


class _Fetch:
    """One request, and the answer to it."""

    def __init__(self, address: _Address, headers: list[tuple[str, str]]) -> None:
        self._address = address
        self._headers = headers
        self._until = time.monotonic() + ALL_SECONDS
        self._late = False

    def into(self, file: IO[bytes]) -> None:
        """Write the body of the answer into a file; raise SourceError when it can't be had."""
        try:
            with self._connected() as plain, self._in_time(plain):
                self._exchange(plain, file)
        except ssl.SSLCertVerificationError as error:
            raise self._error(f"its certificate is refused: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise self._error(self._slow or f"TLS failed: {error.reason or 'the connection was closed'}") from None
        except TimeoutError:
            raise self._error(self._slow or f"did not answer for {SILENT_SECONDS:.0f} seconds") from None
        except OSError as error:
            raise self._error(self._slow or error.strerror or "the connection was closed") from None
        except (HTTPException, ValueError):
            # Their messages quote what came.
            raise self._error(self._slow or "its answer is no HTTP, or is incomplete") from None

    @property
    def _slow(self) -> str | None:
        return f"took longer than {ALL_SECONDS:.0f} seconds in all" if self._late else None

    def _error(self, problem: str) -> SourceError:
        return SourceError(f"{self._address.server}: {problem}")

    def _connected(self) -> socket.socket:
        connected = socket.create_connection((self._address.host, self._address.port), CONNECT_SECONDS)
        # Whatever a name stands for, what is not encrypted does not leave this machine.
        if not self._address.secure and not ip_address(connected.getpeername()[0].partition("%")[0]).is_loopback:
            connected.close()
            raise ConfigurationError("A URL that begins with http:// is read from this machine only; use https://.")
        connected.settimeout(SILENT_SECONDS)
        return connected

    @contextmanager
    def _in_time(self, connected: socket.socket) -> Iterator[None]:
        """End the connection when time is up, whatever it is doing: a few bytes now and then are no silence."""
        other = connected.dup()

        def end() -> None:
            self._late = True
            try:
                other.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The server has ended it first.
                return

        timer = threading.Timer(self._until - time.monotonic(), end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            other.close()

    def _exchange(self, plain: socket.socket, file: IO[bytes]) -> None:
        address = self._address
        connection = HTTPConnection(address.host, address.port)
        if address.secure:
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
        # With a socket it opens none itself.
        connection.sock = plain
        try:
            connection.putrequest("GET", address.path, skip_accept_encoding=True)
            own = [("Accept", "application/json, */*"), ("Accept-Encoding", "gzip"), ("Connection", "close")]
            for name, value in (*own, *self._headers):
                connection.putheader(name, value)
            connection.endheaders()
            with connection.getresponse() as response:
                self._require_file(response)
                self._copy(response, file)
        finally:
            connection.close()

    def _require_file(self, response: HTTPResponse) -> None:
        if response.status in (301, 302, 303, 307, 308):
            raise self._error(f"redirects (status {response.status}), which is not followed; name the final address")
        if response.status != OK:
            raise self._error(f"answered with status {response.status}")
        # What is packed is read as a packed file is.
        if response.getheader("Content-Encoding", "identity").strip().lower() not in ("", "identity", "gzip", "x-gzip"):
            raise self._error("its answer is packed in another way than gzip")
        if (response.length or 0) > MAX_FETCHED_BYTES:
            raise self._error(f"its answer has more than {MAX_FETCHED_BYTES:,} bytes")

    def _copy(self, response: HTTPResponse, file: IO[bytes]) -> None:
        size = 0
        expected = response.length
        while chunk := response.read1(CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_FETCHED_BYTES:
                raise self._error(f"its answer has more than {MAX_FETCHED_BYTES:,} bytes")
            file.write(chunk)
        if self._late or (expected is not None and size < expected):
            raise self._error(self._slow or "its answer is incomplete")
