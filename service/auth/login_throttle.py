"""The login throttle: refuses credentials, without a check, from an address that has sent too many invalid ones."""

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
VALID_SECONDS = 600.0
# When a limit is reached, the oldest entry is dropped, so that a flood of requests can't fill the memory.
MAX_ADDRESSES = MAX_VALID = 10_000
# The size of the address range that network providers give to one customer.
IPV6_CUSTOMER_BITS = 64


class LoginThrottleObserver(Protocol):
    """Receives the events of the login throttle, to count them."""

    def authentication_failed(self) -> None:
        """Count an invalid credential."""

    def authentication_throttled(self) -> None:
        """Count a credential that was refused without a check."""


class LoginThrottle:
    """Checks credentials unless too many from the same address were invalid within a minute.

    A credential that was valid within the last ten minutes is always checked, so that someone who guesses behind a
    shared proxy can only block users who have not logged in recently. The check still has to succeed.
    """

    def __init__(
        self, limit: int, observer: LoginThrottleObserver, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._observer = observer
        self._clock = clock
        self._valid: TTLCache[bytes, None] = TTLCache(MAX_VALID, VALID_SECONDS, clock)
        self._failures: TTLCache[str, deque[float]] = TTLCache(MAX_ADDRESSES, WINDOW_SECONDS, clock)

    async def resolve(
        self, authorization: str | None, address: str | None, resolve: Callable[[str | None], Awaitable[T]]
    ) -> T:
        """Return the result of `resolve` for a credential.

        Raises UnauthorizedError as `resolve` does, and TooManyLoginFailuresError without calling it.
        """
        if not authorization:
            return await resolve(authorization)
        if (seconds := self.refused_for(authorization, address)) > 0:
            self._observer.authentication_throttled()
            raise TooManyLoginFailuresError(seconds)
        digest = _digest(authorization)
        try:
            resolved = await resolve(authorization)
        except UnauthorizedError:
            self._valid.pop(digest, None)
            self._count_failure(address)
            raise
        self._valid[digest] = None
        return resolved

    def refused_for(self, authorization: str, address: str | None) -> float:
        """Return for how many seconds this credential from this address is not checked; 0 when it is."""
        if not self._failures or _digest(authorization) in self._valid:
            return 0.0
        failures = self._failures.get(network(address))
        if failures is None or len(failures) < self._limit:
            return 0.0
        return max(0.0, failures[0] + WINDOW_SECONDS - self._clock())

    def _count_failure(self, address: str | None) -> None:
        key = network(address)
        failures = self._failures.get(key) or deque(maxlen=self._limit)
        failures.append(self._clock())
        # Inserted again, so that the cache keeps it for a minute from now.
        self._failures[key] = failures
        self._observer.authentication_failed()


def _digest(authorization: str) -> bytes:
    # The credential itself is not kept in memory.
    return hashlib.sha256(authorization.encode()).digest()


def network(address: str | None) -> str:
    """Return what identifies one client: the IPv4 address, or the /64 network of the IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        # A Unix socket has no address, and the address from a trusted proxy may be any text.
        return (address or "")[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_CUSTOMER_BITS), strict=False))
