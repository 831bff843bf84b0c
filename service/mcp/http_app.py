"""The server over HTTP: each request is answered by itself, with the key that it carries, within bounds."""

import ipaddress
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from mcp.server.transport_security import RequestBodyLimitMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from modeldeck_client import AsyncModeldeck
from service.errors import ConfigurationError, UnauthorizedError
from service.http.problem_responses import problem
from service.mcp.connections import Connections, is_word
from service.mcp.server import Context, create_server
from service.middleware.access_log import AccessLog, RouteTemplates
from service.middleware.concurrency_limit import ConcurrencyLimit
from service.middleware.security_headers import SecurityHeaders
from service.middleware.timeout import RequestTimeout

PATH = "/mcp"
# A call of a tool ends earlier. Bodies are arguments of tools, which are short.
REQUEST_SECONDS, MAX_BODY_BYTES, MAX_IN_FLIGHT = 30.0, 65_536, 32
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # to recognize them
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\]", re.ASCII | re.IGNORECASE)
_KEY = "modeldeck_key"


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Where the API is, who may ask the server for what, and the key of requests that carry none, if there is one."""

    url: str
    hosts: Sequence[str]
    key: str | None = field(default=None, repr=False)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens on a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, names: Sequence[str]) -> list[str]:
    """Return the `Host` headers to answer to: those of the address that is listened on, and the given names.

    Others come from pages whose name was made to lead here. Raises ConfigurationError for a name that is none, and
    when no host is known.
    """
    for name in names:
        if not _HOST.fullmatch(name):
            raise ConfigurationError(f"--allowed-host: {name!r} is not the name of a host, such as mcp.example.com")
    listening = f"[{host}]" if ":" in host else host
    own = [] if host in EVERY_ADDRESS else [listening]
    if is_loopback(host):
        own += LOOPBACK_NAMES
    if not own and not names:
        raise ConfigurationError(f"--allowed-host: at {host}, name the hosts by which clients reach this server.")
    return [f"{name}{port}" for name in dict.fromkeys([*own, *names]) for port in ("", ":*")]


class KeyRequired:
    """Passes POST requests with a key on; answers all others."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401 without a key, and 405 to other methods."""
        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["method"] != "POST":
            # Streams and sessions, which GET and DELETE are for, do not exist here.
            return problem(HTTPStatus.METHOD_NOT_ALLOWED, "Only POST is answered here.", {"Allow": "POST"})
        headers = Headers(scope=scope)
        scheme, _, key = headers.get("authorization", "").partition(" ")
        usable = key.strip()
        # A request with a credential never gets the key of the server instead, whatever the credential is. Nor does
        # one from another machine, by a proxy on this one.
        if not scheme and self._key and not any(name in headers for name in OF_PROXIES):
            usable = self._key
        elif scheme.lower() != "bearer" or not is_word(usable):
            refused = UnauthorizedError()
            return problem(refused.status, refused.detail, refused.headers)
        scope.setdefault("state", {})[_KEY] = usable
        return None


def create_app(options: HttpOptions) -> ASGIApp:
    """Return the application. The protocol is at `/mcp`, and a probe at `/health/live`."""
    connections = Connections(options.url)

    def client_of(context: Context) -> AsyncModeldeck:
        request: Request = context.request  # type: ignore[assignment]  # by HTTP, there always is one
        address = None if request.client is None else request.client.host
        return connections.client(request.scope["state"][_KEY], address)

    served = create_server(client_of).streamable_http_app(
        streamable_http_path=PATH,
        # Nothing is remembered from one request to the next, so that none can use the key of another.
        stateless_http=True,
        json_response=True,
        max_request_body_size=MAX_BODY_BYTES,
        # Pages of browsers have no business here, on whatever host.
        transport_security=TransportSecuritySettings(allowed_hosts=[*options.hosts], allowed_origins=[]),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with connections, served.router.lifespan_context(served):
            yield

    bounded = RequestBodyLimitMiddleware(ConcurrencyLimit(served, MAX_IN_FLIGHT), MAX_BODY_BYTES)
    app = Starlette(
        routes=[Route("/health/live", _live), Route(PATH, KeyRequired(bounded, options.key))],
        lifespan=lifespan,
    )
    timed = RequestTimeout(app, REQUEST_SECONDS, REQUEST_SECONDS)
    return AccessLog(SecurityHeaders(timed), RouteTemplates(app.routes))


async def _live(_: object) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)
