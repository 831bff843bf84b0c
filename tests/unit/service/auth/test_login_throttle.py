"""The login throttle: a limit on invalid credentials from one address."""

import pytest

from service.auth import login_throttle as module
from service.auth.authentication import Caller
from service.auth.login_throttle import VALID_SECONDS, WINDOW_SECONDS, LoginThrottle, network
from service.errors import TooManyLoginFailuresError, UnauthorizedError

LIMIT = 3
HERE, THERE = "192.0.2.1", "192.0.2.2"
ANN = Caller("ann", False, frozenset())


class Login:
    """Accepts valid credentials, and counts the credentials that were checked."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.right = {"Bearer right", "Bearer other"}
        self.checked = self.failed = self.throttled = 0
        self.throttle = LoginThrottle(LIMIT, self, lambda: self.time)

    def authentication_failed(self) -> None:
        self.failed += 1

    def authentication_throttled(self) -> None:
        self.throttled += 1

    async def resolve(self, authorization: str | None) -> Caller:
        self.checked += 1
        if authorization not in self.right:
            raise UnauthorizedError
        return ANN

    async def try_credential(self, authorization: str | None, address: str | None = HERE) -> str:
        try:
            await self.throttle.resolve(authorization, address, self.resolve)
        except UnauthorizedError:
            return "wrong"
        except TooManyLoginFailuresError as error:
            return error.headers["Retry-After"]
        return "right"

    async def fails(self, times: int = LIMIT, address: str | None = HERE) -> None:
        for number in range(times):
            assert await self.try_credential(f"Bearer {address}{number}", address) == "wrong"


@pytest.fixture
def login() -> Login:
    return Login()


async def test_after_too_many_failures_none_is_checked_until_the_minute_is_over(login: Login) -> None:
    await login.fails(1)
    login.time += 20
    await login.fails(LIMIT - 1)
    checked = login.checked
    assert await login.try_credential("Bearer wrong") == "40"
    assert await login.try_credential("Bearer other") == "40"
    assert (login.checked, login.failed, login.throttled) == (checked, LIMIT, 2)
    login.time += WINDOW_SECONDS - 20
    assert await login.try_credential("Bearer wrong") == "wrong"
    assert await login.try_credential("Bearer wrong") == "20"
    login.time += WINDOW_SECONDS
    assert await login.try_credential("Bearer other") == "right"


async def test_other_addresses_are_not_affected(login: Login) -> None:
    await login.fails()
    assert await login.try_credential("Bearer wrong", THERE) == "wrong"
    assert await login.try_credential("Bearer right", THERE) == "right"


async def test_recently_valid_credentials_are_checked_beside_a_guesser(login: Login) -> None:
    assert await login.try_credential("Bearer right") == "right"
    await login.fails()
    assert await login.try_credential("Bearer right") == "right"
    assert await login.try_credential("Bearer other") == "60"
    for _ in range(2):
        login.time += VALID_SECONDS - 1
        await login.fails()
        assert await login.try_credential("Bearer right") == "right"
    login.time += VALID_SECONDS
    await login.fails()
    assert await login.try_credential("Bearer right") == "60"


async def test_a_credential_that_became_invalid_counts_as_a_failure(login: Login) -> None:
    assert await login.try_credential("Bearer right") == "right"
    await login.fails(LIMIT - 1)
    login.right.clear()
    assert await login.try_credential("Bearer right") == "wrong"
    assert await login.try_credential("Bearer right") == "60"


async def test_a_missing_credential_is_no_failure(login: Login) -> None:
    for _ in range(LIMIT + 1):
        assert await login.try_credential(None) == await login.try_credential("") == "wrong"
    assert login.failed == 0
    await login.fails()
    assert await login.try_credential(None) == "wrong"


async def test_other_errors_are_no_failures(login: Login) -> None:
    async def away(_: str | None) -> Caller:
        raise ConnectionError

    for _ in range(LIMIT + 1):
        with pytest.raises(ConnectionError):
            await login.throttle.resolve("Bearer x", HERE, away)
    assert await login.try_credential("Bearer x") == "wrong"


async def test_floods_of_addresses_and_of_keys_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ADDRESSES", 100)
    monkeypatch.setattr(module, "MAX_VALID", 100)
    login = Login()
    await login.fails(LIMIT, "198.51.100.1")
    for number in range(1000):
        login.right.add(f"Bearer {number}")
        assert await login.try_credential(f"Bearer {number}", THERE) == "right"
        await login.fails(1, f"10.0.{number // 250}.{number % 250}")
    assert len(login.throttle._failures) == len(login.throttle._valid) == 100
    assert await login.try_credential("Bearer wrong", "198.51.100.1") == "wrong"


async def test_no_credential_is_kept_as_it_is(login: Login) -> None:
    await login.try_credential("Bearer right")
    await login.fails(1)
    assert "right" not in repr(vars(login.throttle))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("x" * 1000, "x" * 64),
    ],
)
def test_the_customers_of_a_provider_are_reported_apart(address: str | None, expected: str) -> None:
    assert network(address) == expected
