"""The login throttle: a limit on invalid credentials from one address."""

import pytest

from service.auth import login_throttle as module
from service.auth.authentication import Caller
from service.auth.login_throttle import VALID_SECONDS, WINDOW_SECONDS, LoginThrottle, network
from service.errors import TooManyLoginFailuresError, UnauthorizedError

LIMIT = 3
HERE, THERE = "192.0.2.1", "192.0.2.2"
ANN = Caller("ann", False, frozenset())


class Door:
    """Lets in whoever shows what is right, and counts who was looked at."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.right = {"Bearer right", "Bearer other"}
        self.looked_at = self.failed = self.throttled = 0
        self.guesses = LoginThrottle(LIMIT, self, lambda: self.time)

    def authentication_failed(self) -> None:
        self.failed += 1

    def authentication_throttled(self) -> None:
        self.throttled += 1

    async def resolve(self, authorization: str | None) -> Caller:
        self.looked_at += 1
        if authorization not in self.right:
            raise UnauthorizedError
        return ANN

    async def shows(self, authorization: str | None, address: str | None = HERE) -> str:
        try:
            await self.guesses.resolve(authorization, address, self.resolve)
        except UnauthorizedError:
            return "wrong"
        except TooManyLoginFailuresError as error:
            return error.headers["Retry-After"]
        return "right"

    async def fails(self, times: int = LIMIT, address: str | None = HERE) -> None:
        for number in range(times):
            assert await self.shows(f"Bearer {address}{number}", address) == "wrong"


@pytest.fixture
def door() -> Door:
    return Door()


async def test_after_too_many_no_further_one_is_looked_at_until_the_minute_is_over(door: Door) -> None:
    await door.fails(1)
    door.time += 20
    await door.fails(LIMIT - 1)
    looked_at = door.looked_at
    assert await door.shows("Bearer wrong") == "40"
    assert await door.shows("Bearer other") == "40"
    assert (door.looked_at, door.failed, door.throttled) == (looked_at, LIMIT, 2)
    door.time += WINDOW_SECONDS - 20
    assert await door.shows("Bearer wrong") == "wrong"
    assert await door.shows("Bearer wrong") == "20"
    door.time += WINDOW_SECONDS
    assert await door.shows("Bearer other") == "right"


async def test_others_are_not_concerned(door: Door) -> None:
    await door.fails()
    assert await door.shows("Bearer wrong", THERE) == "wrong"
    assert await door.shows("Bearer right", THERE) == "right"


async def test_whoever_was_let_in_lately_still_is_beside_a_guesser(door: Door) -> None:
    assert await door.shows("Bearer right") == "right"
    await door.fails()
    assert await door.shows("Bearer right") == "right"
    assert await door.shows("Bearer other") == "60"
    for _ in range(2):
        door.time += VALID_SECONDS - 1
        await door.fails()
        assert await door.shows("Bearer right") == "right"
    door.time += VALID_SECONDS
    await door.fails()
    assert await door.shows("Bearer right") == "60"


async def test_what_was_right_and_is_not_any_more_is_a_guess_like_any_other(door: Door) -> None:
    assert await door.shows("Bearer right") == "right"
    await door.fails(LIMIT - 1)
    door.right.clear()
    assert await door.shows("Bearer right") == "wrong"
    assert await door.shows("Bearer right") == "60"


async def test_whoever_shows_nothing_does_not_guess(door: Door) -> None:
    for _ in range(LIMIT + 1):
        assert await door.shows(None) == await door.shows("") == "wrong"
    assert door.failed == 0
    await door.fails()
    assert await door.shows(None) == "wrong"


async def test_other_failures_are_no_guesses(door: Door) -> None:
    async def away(_: str | None) -> Caller:
        raise ConnectionError

    for _ in range(LIMIT + 1):
        with pytest.raises(ConnectionError):
            await door.guesses.resolve("Bearer x", HERE, away)
    assert await door.shows("Bearer x") == "wrong"


async def test_floods_of_addresses_and_of_keys_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ADDRESSES", 100)
    monkeypatch.setattr(module, "MAX_VALID", 100)
    door = Door()
    await door.fails(LIMIT, "198.51.100.1")
    for number in range(1000):
        door.right.add(f"Bearer {number}")
        assert await door.shows(f"Bearer {number}", THERE) == "right"
        await door.fails(1, f"10.0.{number // 250}.{number % 250}")
    assert len(door.guesses._failures) == len(door.guesses._valid) == 100
    assert await door.shows("Bearer wrong", "198.51.100.1") == "wrong"


async def test_no_credential_is_kept_as_it_is(door: Door) -> None:
    await door.shows("Bearer right")
    await door.fails(1)
    assert "right" not in repr(vars(door.guesses))


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
def test_the_customers_of_a_provider_are_told_apart(address: str | None, expected: str) -> None:
    assert network(address) == expected
