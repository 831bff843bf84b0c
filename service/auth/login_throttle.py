"""A bound on how often one address may fail to say who it is: whoever guesses is sent away before any work is done."""

import hashlib
import ipaddress
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from cachetools import TTLCache

from service.errors import TooManyLoginFailuresError, UnauthorizedError

T = TypeVar("T")

WINDOW_SECONDS = 60.0
KNOWN_SECONDS = 600.0
# Both are forgotten oldest first: floods cost those who make them their own traces, and this process no memory.
MAX_ADDRESSES = MAX_KNOWN = 10_000
# What one customer of a network provider is given to choose addresses from.
IPV6_CUSTOMER_BITS = 64


class LoginThrottleObserver(Protocol):
    """Who wants to know of credentials that did not count."""

    def authentication_failed(self) -> None:
        """Take note of a credential that does not count."""

    def authentication_throttled(self) -> None:
        """Take note of one that was not looked at."""


class LoginThrottle:
    """Looks at credentials, as long as not too many from their address were wrong within a minute.

    What was right within the last minutes is looked at always: a guesser beside others, behind one proxy, locks out
    nobody but newcomers, and gains nothing, since it has to be right still.
    """

    def __init__(self, limit: int, watch: LoginThrottleObserver, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._watch = watch
        self._clock = clock
        self._known: TTLCache[bytes, None] = TTLCache(MAX_KNOWN, KNOWN_SECONDS, clock)
        self._failures: TTLCache[str, deque[float]] = TTLCache(MAX_ADDRESSES, WINDOW_SECONDS, clock)

    async def resolve(
        self, authorization: str | None, address: str | None, resolve: Callable[[str | None], Awaitable[T]]
    ) -> T:
        """Return what `resolve` takes a credential for.

        Raises UnauthorizedError as `resolve` does, and TooManyGuessesError instead of asking it.
        """
        if not authorization:
            return await resolve(authorization)
        digest = hashlib.sha256(authorization.encode()).digest()
        if digest not in self._known and self._failures and (seconds := self._wait(address)) > 0:
            self._watch.authentication_throttled()
            raise TooManyLoginFailuresError(seconds)
        try:
            resolved = await resolve(authorization)
        except UnauthorizedError:
            self._known.pop(digest, None)
            self._failed(address)
            raise
        self._known[digest] = None
        return resolved

    def _wait(self, address: str | None) -> float:
        """Return for how many seconds no unknown credential from this address is looked at."""
        failures = self._failures.get(network(address))
        if failures is None or len(failures) < self._limit:
            return 0.0
        return failures[0] + WINDOW_SECONDS - self._clock()

    def _failed(self, address: str | None) -> None:
        key = network(address)
        failures = self._failures.get(key) or deque(maxlen=self._limit)
        failures.append(self._clock())
        # Put in again, so that it is kept for a minute from now.
        self._failures[key] = failures
        self._watch.authentication_failed()


def network(address: str | None) -> str:
    """Return what is taken for one and the same client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        # A Unix socket has no address; what a trusted proxy says may be anything.
        return (address or "")[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_CUSTOMER_BITS), strict=False))
