"""Signing in and out, and what ends a session at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from documents import ApiKey, Session, User
from service.auth.authentication import Authenticator, api_key_id
from service.web import sessions
from service.web.sessions import new_link, session_hash
from tests.support.directory import LIST, Directory
from tests.support.page import Browser, browser

COOKIE = "modeldeck_session"


@pytest.fixture
async def ann(directory: Directory) -> str:
    """A user."""
    return await directory.user("ann")


async def test_a_key_signs_in_and_only_its_hash_is_stored(directory: Directory, ann: str) -> None:
    async with browser(directory) as opened:
        answer = await opened.sign_in(await directory.key(ann), next="/?query=a")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?query=a")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        secret = opened.client.cookies[COOKIE]
        [stored] = await directory.database.find(Session, {})
        assert stored["_id"] == session_hash(secret)
        assert secret not in repr(stored)
        assert (await opened.get("/")).status_code == 200


async def test_behind_tls_the_cookie_is_secure(directory: Directory, ann: str) -> None:
    async with browser(directory) as opened:
        form = {"key": await directory.key(ann)}
        answer = await opened.client.post("https://test/sign-in/key", data=form, headers={"Origin": "https://test"})
        assert "Secure" in answer.headers["set-cookie"]


async def test_a_page_asks_to_sign_in_and_then_goes_on(directory: Directory) -> None:
    async with browser(directory) as opened:
        answer = await opened.get("/", query="a b", tag="x")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2F%3Fquery%3Da%2Bb%26tag%3Dx"
        form = await opened.get(answer.headers["location"])
        assert 'value="/?query=a+b&amp;tag=x"' in form.text


@pytest.mark.parametrize(
    "address", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x", "/a\nb", "/日本"]
)
async def test_signing_in_leads_nowhere_else(directory: Directory, ann: str, address: str) -> None:
    async with browser(directory) as opened:
        answer = await opened.sign_in(await directory.key(ann), next=address)
        assert answer.headers["location"] == "/"


async def test_a_wrong_key_is_a_guess(directory: Directory, ann: str) -> None:
    settings = directory.settings.model_copy(update={"auth_failures_per_minute": 2})
    async with Directory.on(directory.database, settings) as limited, browser(limited) as opened:
        for _ in range(2):
            answer = await opened.sign_in("mdk_wrong")
            assert (answer.status_code, "not valid" in answer.text) == (401, True)
            assert "mdk_wrong" not in answer.text
        answer = await opened.sign_in(await directory.key(ann))
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
        opened.client.cookies.set(COOKIE, "guessed")
        assert (await opened.get("/")).status_code == 429


Ending = Callable[[Directory, Browser, str], Awaitable[Any]]


async def _revoked(directory: Directory, opened: Browser, key: str) -> None:
    await directory.database.delete_many(ApiKey, {"_id": api_key_id(key)})


async def _expired(directory: Directory, opened: Browser, key: str) -> None:
    change = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
    await directory.database.update_one(ApiKey, {"_id": api_key_id(key)}, change)


async def _deactivated(directory: Directory, opened: Browser, key: str) -> None:
    await directory.database.update_one(User, {"_id": "ann"}, {"$set": {"is_active": False}})


async def _given_to_another(directory: Directory, opened: Browser, key: str) -> None:
    await directory.user("ben")
    await directory.database.update_one(ApiKey, {"_id": api_key_id(key)}, {"$set": {"user_id": "ben"}})


async def _over(directory: Directory, opened: Browser, key: str) -> None:
    change = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
    await directory.database.update_one(Session, {}, change)


async def _signed_out(directory: Directory, opened: Browser, key: str) -> None:
    answer = await opened.send("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert await directory.database.count(Session, {}) == 0


@pytest.mark.parametrize("end", [_revoked, _expired, _deactivated, _given_to_another, _over, _signed_out])
async def test_a_session_ends_at_once(directory: Directory, ann: str, end: Ending) -> None:
    async with browser(directory, ann) as opened:
        assert (await opened.get("/")).status_code == 200
        secret = opened.client.cookies[COOKIE]
        await end(directory, opened, await directory.key(ann))
        opened.client.cookies.set(COOKIE, secret, domain="test.local")
        answer = await opened.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?ended=1")
        assert f'{COOKIE}=""' in answer.headers["set-cookie"]


async def test_a_used_session_lasts_longer(directory: Directory, ann: str) -> None:
    async with browser(directory, ann) as opened:
        soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        await directory.database.update_one(Session, {}, {"$set": {"expires_at": soon}})
        await opened.get("/")
        # It is stored in the background of the request.
        for _ in range(10_000):
            if await directory.database.count(Session, {"expires_at": {"$gt": soon + timedelta(hours=10)}}):
                return
            await asyncio.sleep(0.005)
        raise AssertionError


async def test_a_link_signs_in_once(directory: Directory, ann: str) -> None:
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(ann)}")
    token = await new_link(directory.database, caller)
    async with browser(directory) as opened:
        opened.client.cookies.set(COOKIE, token)
        assert (await opened.get("/")).status_code == 303
        opened.client.cookies.clear()
        assert (await opened.send("/sign-in/link", token=token)).status_code == 204
        assert (await opened.get("/")).status_code == 200
        assert (await opened.send("/sign-in/link", token=token)).status_code == 401


async def test_of_several_who_use_a_link_at_once_one_signs_in(directory: Directory, ann: str) -> None:
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(ann)}")
    token = await new_link(directory.database, caller)
    async with browser(directory) as opened:
        answers = await asyncio.gather(*(opened.send("/sign-in/link", token=token) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204, *[401] * 7]
    assert await directory.database.count(Session, {}) == 1


async def test_signing_in_again_and_again_keeps_the_sessions_that_were_used_last(
    directory: Directory, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    await directory.user("ben")
    async with browser(directory, "ben") as other, browser(directory, ann) as first:
        await directory.database.update_one(
            Session, {"user_id": ann}, {"$set": {"expires_at": datetime.now(UTC) + timedelta(hours=1)}}
        )
        async with browser(directory, ann) as second:
            for _ in range(2):
                async with browser(directory, ann):
                    pass
            assert await directory.database.count(Session, {"user_id": ann}) == 3
            assert [(await one.get("/me")).status_code for one in (first, second, other)] == [303, 200, 200]


async def test_an_old_link_does_not_sign_in(directory: Directory, ann: str) -> None:
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(ann)}")
    token = await new_link(directory.database, caller)
    await _over(directory, None, "")  # type: ignore[arg-type]
    async with browser(directory) as opened:
        assert (await opened.send("/sign-in/link", token=token)).status_code == 401


async def test_the_api_takes_no_cookie_and_the_page_no_key(directory: Directory, ann: str) -> None:
    async with browser(directory, ann) as opened:
        assert (await opened.get(LIST)).status_code == 401
    headers = {"Authorization": f"Bearer {await directory.key(ann)}"}
    assert (await directory.client.get("/", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://test", "Sec-Fetch-Site": "same-site"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://test@evil.example"},
    ],
    ids=str,
)
async def test_forms_from_elsewhere_do_nothing(directory: Directory, ann: str, headers: dict[str, str]) -> None:
    async with browser(directory, ann) as opened:
        for path in ("/sign-out", "/sign-in/key", "/sign-in/link"):
            answer = await opened.send(path, headers, key=await directory.key(ann))
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        assert (await opened.get("/")).status_code == 200


async def test_a_form_of_another_session_does_nothing(directory: Directory, ann: str) -> None:
    await directory.user("ben")
    async with browser(directory, ann) as opened, browser(directory, "ben") as other:
        opened.form_token = other.form_token
        assert (await opened.send("/sign-out")).status_code == 403
        assert (await opened.get("/")).status_code == 200


async def test_without_the_page_there_is_none(directory: Directory) -> None:
    settings = directory.settings.model_copy(update={"page": False})
    async with Directory.on(directory.database, settings) as plain, browser(plain) as opened:
        for path in ("/", "/sign-in"):
            answer = await opened.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
