"""A web server on the loopback address that answers as a test tells it to, in a thread of its own."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Gets a connection after its request was read, and says when to stop.
Answer = Callable[[socket.socket, threading.Event], None]


@dataclass(slots=True)
class WebServer:
    """A server that runs; `requests` are those that it got, as they were sent."""

    port: int
    requests: list[str] = field(default_factory=list)

    def url(self, path: str = "/v1/models", scheme: str = "http") -> str:
        """Return the address of a path."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"


def answering(body: bytes, status: str = "200 OK", **headers: str) -> Answer:
    """Answer with this body, and headers in whose names `_` stands for `-`."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""])

    def answer(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(head.encode() + body)

    return answer


def sending(*parts: bytes, again: bytes = b"", pause: float = 0.0, silent: bool = False) -> Answer:
    """Send these parts, then a part again and again with a pause between, or nothing more without closing."""

    def answer(connection: socket.socket, stopped: threading.Event) -> None:
        for part in parts:
            connection.sendall(part)
        while again and not stopped.wait(pause):
            connection.sendall(again)
        if silent:
            stopped.wait()

    return answer


@contextmanager
def web_server(answer: Answer, certificate: Path | None = None) -> Iterator[WebServer]:
    """Answer every request in this way for the duration of a block; over TLS with a certificate and its key."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = WebServer(listening.getsockname()[1])
        listening.settimeout(0.05)
        thread = threading.Thread(target=_serve, args=(listening, server, answer, certificate, stopped), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            stopped.set()
            thread.join(60)
            assert not thread.is_alive()


def make_certificate(path: Path, host: str = "127.0.0.1") -> Path:
    """Write a certificate that its own key has signed, and that key; return the path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return path


def _serve(
    listening: socket.socket, server: WebServer, answer: Answer, certificate: Path | None, stopped: threading.Event
) -> None:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    while not stopped.is_set():
        with suppress(TimeoutError):
            accepted, _ = listening.accept()
            accepted.settimeout(60)
            # A client that gives up closes the connection.
            with suppress(OSError), accepted, _wrapped(accepted, context) as connection:
                server.requests.append(_request(connection))
                answer(connection, stopped)


def _wrapped(accepted: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return accepted if context is None else context.wrap_socket(accepted, server_side=True)


def _request(connection: socket.socket) -> str:
    held = b""
    # What is no request, such as the beginning of TLS, is answered too.
    while b"\r\n\r\n" not in held and held[:1] in (b"", b"G") and (read := connection.recv(65536)):
        held += read
    return held.decode("latin-1")
