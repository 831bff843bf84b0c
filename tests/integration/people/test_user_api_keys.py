"""Routes for admins only, and how admins create API keys for other users."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from documents.api_key import Scope
from documents.user import Role
from service.doctor import examine
from tests.support.directory import LIST, Directory
from tests.support.routes import STRICT, Route

KEYS, CREATE_KEY, REVOKE_KEY = "/api/users/keys", "/api/users/keys/create", "/api/users/keys/revoke"
ME, USER, CREATE = "/api/me", "/api/users/user", "/api/users/create"

FOR_ADMINS = [route for route in STRICT if route.inner.startswith(("/users", "/groups"))]
CHANGING = [route for route in FOR_ADMINS if route.method == "POST"]


async def _send(directory: Directory, route: Route, key: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return await directory.client.request(route.method, route.path, headers=headers, json=body)


async def _with_key(directory: Directory, key: str, path: str, body: Mapping[str, Any] | None = None) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    if body is None:
        return (await directory.client.get(path, headers=headers)).status_code
    return (await directory.client.post(path, headers=headers, json=body)).status_code


def test_the_routes_for_admins_are_found() -> None:
    assert len(FOR_ADMINS) >= 17
    assert len(CHANGING) >= 11


@pytest.mark.parametrize("route", FOR_ADMINS, ids=str)
async def test_only_admins_are_answered_and_nothing_leaks(directory: Directory, route: Route) -> None:
    await directory.user("ann")
    answer = await _send(directory, route, await directory.key("ann"), {"nonsense": 1})
    assert (answer.status_code, answer.json()["detail"]) == (403, "Only admins may do this.")


@pytest.mark.parametrize("route", CHANGING, ids=str)
async def test_an_admins_key_for_reading_changes_nothing(directory: Directory, route: Route) -> None:
    await directory.user("root", role=Role.ADMIN)
    answer = await _send(directory, route, await directory.key("root", scope=Scope.READ), {})
    assert (answer.status_code, answer.json()["detail"]) == (403, "This key is for reading only.")


@pytest.mark.parametrize("route", CHANGING, ids=str)
async def test_unknown_fields_are_refused(directory: Directory, route: Route) -> None:
    await directory.user("root", role=Role.ADMIN)
    answer = await _send(directory, route, await directory.key("root"), {"surprise": 1})
    assert ["body", "surprise"] in [error["loc"] for error in answer.json()["errors"]]


async def test_a_new_person_comes_to_a_key_without_the_command_line(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.group("team")
    body = {"id": "ben", "email": "Ben@Example.com", "name": "Ben", "username": "benny", "group_ids": ["team", "team"]}

    created = await directory.post(CREATE, "root", body)
    made = await directory.post(CREATE_KEY, "root", {"user_id": "ben", "name": "first", "scope": "write"})

    user = created.json()
    assert (created.status_code, made.status_code) == (200, 200)
    assert user == {
        "id": "ben",
        "name": "Ben",
        "email": "Ben@Example.com",
        "username": "benny",
        "role": "user",
        "is_active": True,
        "group_ids": ["team"],
        "created_at": user["created_at"],
        "updated_at": user["created_at"],
    }
    assert (await directory.get(USER, "root", id="ben")).json() == user
    assert await _with_key(directory, made.json()["key"], ME) == 200
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_keys_are_made_listed_and_revoked_for_others(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.user("bob")
    made = (await directory.post(CREATE_KEY, "root", {"user_id": "ann", "name": "k", "scope": "read"})).json()
    listed = await directory.get(KEYS, "root", user_id="ann")
    assert {name: value for name, value in made.items() if name != "key"} in [
        {**key, "last_used_at": None} for key in listed.json()
    ]
    assert made["key"].rpartition("_")[2] not in listed.text
    assert await _with_key(directory, made["key"], LIST) == 200
    assert (await directory.post(REVOKE_KEY, "root", {"user_id": "bob", "id": made["id"]})).status_code == 404
    assert (await directory.post(REVOKE_KEY, "root", {"user_id": "ann", "id": made["id"]})).json() is True
    assert await _with_key(directory, made["key"], LIST) == 401
    for answer in (
        await directory.get(KEYS, "root", user_id="ann@example.com"),
        await directory.post(CREATE_KEY, "root", {"user_id": "ann@example.com", "name": "k"}),
    ):
        assert answer.status_code == 404


async def test_a_key_made_for_others_does_not_outlive_the_admins(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    expires_at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    key, end = await directory.key("root", expires_at=expires_at), int(expires_at.timestamp())
    for asked, status in ((None, 422), (end + 1, 422), (end, 200)):
        body = {"user_id": "ann", "name": "child", **({} if asked is None else {"expires_at": asked})}
        assert await _with_key(directory, key, CREATE_KEY, body) == status
