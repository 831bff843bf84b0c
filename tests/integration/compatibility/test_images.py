"""Images for `<img>`, which sends the session cookie of Open WebUI and no header; nothing else takes a cookie."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr

from service.database.client import Database
from service.settings import Settings
from tests.support.directory import Directory, grant
from tests.support.permission_matrix import IMAGE
from tests.support.routes import COMPATIBLE
from tests.support.tokens import claims

SECRET = "s" * 32
PATH = "/api/v1/models/model/profile/image"
DEFAULT = (307, "/static/favicon.png")


def _token(user: str = "ann", **more: Any) -> str:
    return jwt.encode({**claims(sub=None), "id": user, **more}, SECRET)


@pytest.fixture
async def behind(mongod: Database, settings: Settings) -> AsyncIterator[Directory]:
    """A directory that takes the tokens of an Open WebUI, with a model of ann's that bob may read."""
    changes = {"jwt_secret": SecretStr(SECRET), "jwt_user_claim": "id", "auth_failures_per_minute": 3}
    async with Directory.on(mongod, settings.model_copy(update=changes)) as directory:
        for user in ("ann", "bob", "eve"):
            await directory.user(user)
        model = {"id": "m", "name": "M", "meta": {"profile_image_url": IMAGE}, "access_grants": [grant("user:bob")]}
        assert (await directory.post("/api/v1/models/create", "ann", model)).status_code == 200
        yield directory


async def _get(directory: Directory, cookie: str | None, model_id: str = "m", **headers: str) -> httpx.Response:
    sent = {**headers, **({"Cookie": cookie} if cookie is not None else {})}
    return await directory.client.get(PATH, params={"id": model_id, "lang": "en-US"}, headers=sent)


async def test_the_cookie_shows_what_its_user_may_see(behind: Directory) -> None:
    for user in ("ann", "bob"):
        answer = await _get(behind, f"a=1; token={_token(user)}; b=2")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.headers["vary"] == "Authorization, Cookie"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "private, no-cache"
        tag = answer.headers["etag"]
        assert (await _get(behind, f"token={_token(user)}", **{"If-None-Match": tag})).status_code == 304
    for user, model_id in (("eve", "m"), ("eve", "absent"), ("ann", "absent")):
        answer = await _get(behind, f"token={_token(user)}", model_id)
        assert (answer.status_code, answer.headers["location"]) == DEFAULT


async def test_no_other_cookie_does(behind: Directory) -> None:
    key = await behind.key("ann")
    expired = _token(exp=1)
    for cookie in (
        *(None, "", "token=", "token=x", f"token={key}", f"token=Bearer {_token()}", f"other={_token()}"),
        *(f"token={_token()}; token={_token()}", f"token={expired}", f"token={_token('nobody')}"),
        f"token={jwt.encode({'id': 'ann', 'exp': claims()['exp']}, 'x' * 32)}",
    ):
        assert (await _get(behind, cookie)).status_code == 401, cookie


async def test_a_header_counts_more(behind: Directory) -> None:
    answer = await _get(behind, f"token={_token()}", Authorization=f"Bearer {await behind.key('eve')}")
    assert (answer.status_code, answer.headers["location"]) == DEFAULT
    assert (await _get(behind, f"token={_token()}", Authorization="Bearer x")).status_code == 401


async def test_a_page_of_ended_sessions_locks_nobody_out(behind: Directory) -> None:
    for _ in range(10):
        assert (await _get(behind, f"token={_token(exp=1)}")).status_code == 401
    assert (await behind.get("/api/me", "eve")).status_code == 200


async def test_nothing_else_takes_the_cookie(behind: Directory) -> None:
    for route in COMPATIBLE:
        if route.path == PATH:
            continue
        answer = await behind.client.request(route.method, route.address, headers={"Cookie": f"token={_token()}"})
        assert answer.status_code == 401, route
    strict = await behind.client.get("/api/models/model/profile/image?id=m", headers={"Cookie": f"token={_token()}"})
    assert strict.status_code == 401


async def test_without_tokens_there_is_no_cookie(directory: Directory) -> None:
    await directory.user("ann")
    assert (await _get(directory, f"token={_token()}")).status_code == 401
