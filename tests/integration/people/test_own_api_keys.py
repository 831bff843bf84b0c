"""`/api/me` and `/api/keys`: the caller's own user and API keys."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from documents.api_key import Scope
from tests.support.directory import LIST, Directory

ME, KEYS, CREATE, REVOKE = "/api/me", "/api/keys", "/api/keys/create", "/api/keys/revoke"


async def _with_key(directory: Directory, key: str, path: str = LIST, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    if body is None:
        return await directory.client.get(path, headers=headers)
    return await directory.client.post(path, headers=headers, json=body)


async def test_callers_learn_who_they_are(directory: Directory) -> None:
    await directory.group("top")
    await directory.group("low", parent="top")
    await directory.user("ann", groups=["low"], username="annie")
    assert (await directory.get(ME, "ann")).json() == {
        "id": "ann",
        "name": "Name of ann",
        "email": "ann@example.com",
        "username": "annie",
        "role": "user",
        "scope": "write",
        "group_ids": ["low", "top"],
    }


async def test_a_key_is_shown_once_and_listed_without_its_secret(directory: Directory) -> None:
    await directory.user("ann")
    await directory.user("bob")
    ahead = int((datetime.now(UTC) + timedelta(days=1)).timestamp())

    made = (await directory.post(CREATE, "ann", {"name": "script", "scope": "read", "expires_at": ahead})).json()

    key = made.pop("key")
    listed = await directory.get(KEYS, "ann")
    assert made in [{**shown, "last_used_at": None} for shown in listed.json()]
    assert (made["scope"], made["expires_at"]) == ("read", ahead)
    assert key.rpartition("_")[2] not in listed.text
    assert made["id"] not in (await directory.get(KEYS, "bob")).text
    assert (await _with_key(directory, key)).status_code == 200


async def test_a_revoked_key_does_not_count_on_the_next_request(directory: Directory) -> None:
    await directory.user("ann")
    await directory.user("bob")
    made = (await directory.post(CREATE, "ann", {"name": "script"})).json()

    assert (await directory.post(REVOKE, "bob", {"id": made["id"]})).status_code == 404
    assert (await _with_key(directory, made["key"])).status_code == 200
    assert (await directory.post(REVOKE, "ann", {"id": made["id"]})).json() is True
    assert (await _with_key(directory, made["key"])).status_code == 401
    assert (await directory.post(REVOKE, "ann", {"id": made["id"]})).status_code == 404


async def test_a_key_for_reading_can_not_make_or_revoke_keys(directory: Directory) -> None:
    await directory.user("ann")
    reading = await directory.key("ann", scope=Scope.READ)
    assert (await _with_key(directory, reading, CREATE, {"name": "more"})).status_code == 403
    assert (await _with_key(directory, reading, REVOKE, {"id": "x"})).status_code == 403


async def test_a_key_that_expires_makes_none_that_outlives_it(directory: Directory) -> None:
    await directory.user("ann")
    expires_at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    parent, end = await directory.key("ann", expires_at=expires_at), int(expires_at.timestamp())
    for asked, status in ((None, 422), (end + 1, 422), (end, 200)):
        body = {"name": "child", **({} if asked is None else {"expires_at": asked})}
        assert (await _with_key(directory, parent, CREATE, body)).status_code == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "scope": "admin"}, "scope"),
        ({"name": "x", "expires_at": 1}, "expires_at"),
        ({"name": "x", "expires_at": 10**15}, "expires_at"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "user_id": "bob"}, "user_id"),
    ],
)
async def test_bad_keys_are_refused_by_field(directory: Directory, body: dict[str, Any], field: str) -> None:
    await directory.user("ann")
    answer = await directory.post(CREATE, "ann", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", field]
