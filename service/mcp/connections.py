"""Connections to the service's HTTP API, shared by all keys, over which nothing but reading requests are sent."""

from typing import Self

import httpx

from modeldeck_client import AsyncModeldeck
from service.errors import ConfigurationError

# One answer, and how long a call waits before it tries again what failed for the moment, in all.
ANSWER_SECONDS, PATIENCE_SECONDS = 15.0, 2.0
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=60.0)


class ReadingTransport(httpx.AsyncHTTPTransport):
    """Sends GET requests and refuses all others: no key, and no defect of a tool, can change anything."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raise UnsupportedProtocol for one that could change something."""
        if request.method != "GET":
            raise httpx.UnsupportedProtocol(f"{request.method} is not a reading request", request=request)
        return await super().handle_async_request(request)


class Connections:
    """The connections to the service at one address, which are closed at the end of an `async with`.

    Proxies that the environment names are not used: the key is for nobody else to see.
    """

    def __init__(self, url: str) -> None:
        """Raise ConfigurationError for what can't be the address of a service."""
        self._url = url
        self._transport = ReadingTransport(limits=_LIMITS)
        try:
            self.client(key="any")
        except ValueError as error:
            raise ConfigurationError(f"MODELDECK_URL or --url: {str(error).removeprefix('url: ')}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    def client(self, key: str, address: str | None = None) -> AsyncModeldeck:
        """Return a client with a key; `address` is whose request it is, for the service's count of wrong keys.

        Raises ValueError for what can't be a key.
        """
        # A client of its own for each request: so keys share connections, and no cookies or headers.
        headers = {"X-Forwarded-For": address} if address and is_word(address) else {}
        http = httpx.AsyncClient(transport=self._transport, headers=headers, trust_env=False)
        return AsyncModeldeck(self._url, key, timeout=ANSWER_SECONDS, patience=PATIENCE_SECONDS, http=http)


def is_word(text: str) -> bool:
    """Return whether a text fits into a header as one word, as keys and addresses do."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
