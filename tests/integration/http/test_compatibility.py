"""An existing client of Open WebUI's models routes works unchanged with the compatibility API."""

from typing import Any

from documents.user import Role
from tests.support.directory import Directory, grant

PREFIX = "/api/v1/models"

# A model as such a client holds it: it sends back all that it received.
HELD: dict[str, Any] = {
    "id": "team/sql:1",
    "user_id": "somebody-else",
    "base_model_id": "gpt-4o",
    "name": "SQL Helper",
    "params": {"system": "You are an SQL helper.", "temperature": 0.5, "stop": None, "custom_params": {}},
    "meta": {
        "profile_image_url": "/static/favicon.png",
        "background_image_url": None,
        "description": "For everyone",
        "capabilities": {"vision": False},
        "tags": [{"name": "Data"}],
        "toolIds": [],
    },
    "access_grants": [
        {
            "id": "8d2630b2",
            "resource_type": "model",
            "resource_id": "team/sql:1",
            "principal_type": "user",
            "principal_id": "ann",
            "permission": "read",
            "created_at": 1_795_503_032,
        }
    ],
    "is_active": True,
    "version_id": "283f540b",
    "commit_message": "why",
    "background_image_data": None,
    "user": {"id": "somebody-else", "name": "S", "email": "s@example.com", "role": "user"},
    "write_access": False,
    "created_at": 1,
    "updated_at": 1,
}


async def _request(directory: Directory, method: str, path: str, user: str, **sent: Any) -> Any:
    headers = {"Authorization": f"Bearer {await directory.key(user)}"}
    answer = await directory.client.request(method, f"{PREFIX}{path}", headers=headers, **sent)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _people(directory: Directory) -> None:
    for user in ("owner", "ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)


async def test_the_life_of_a_model(directory: Directory) -> None:
    await _people(directory)

    async def ask(method: str, path: str, user: str = "owner", **sent: Any) -> Any:
        return await _request(directory, method, path, user, **sent)

    created = await ask("POST", "/create", json=HELD)
    assert (created["id"], created["user_id"], created["version"]) == ("team/sql:1", "owner", 1)
    assert (created["params"], created["meta"]) == (HELD["params"], HELD["meta"])
    assert created["created_at"] > 1
    assert [item["id"] for item in (await ask("GET", "/list?page=1&limit=3", "ann"))["items"]] == ["team/sql:1"]
    shown = await ask("GET", "/model?id=team/sql:1&v=2", "ann")
    assert (shown["write_access"], shown["params"]) == (False, {})
    updated = await ask("POST", "/model/update?id=team/sql:1", json={**HELD, "name": "Better", "access_grants": []})
    assert (updated["name"], updated["user_id"], len(updated["access_grants"])) == ("Better", "owner", 1)
    toggled = await ask("POST", "/model/toggle?id=team/sql:1")
    assert toggled["is_active"] is False
    shared = {"id": "team/sql:1", "name": "Better", "access_grants": [grant("user:bob", "write")]}
    assert (await ask("POST", "/model/access/update", json=shared))["access_grants"][0]["principal_id"] == "bob"
    assert await ask("GET", "/tags", "bob") == ["Data"]
    assert await ask("GET", "/base?tag=Data", "root") == []
    exported = await ask("GET", "/export?ids=team/sql:1", "bob")
    assert [model["params"] for model in exported] == [HELD["params"]]
    assert await ask("POST", "/import", "bob", json={"models": exported}) is True
    assert await ask("POST", "/model/delete", json={"id": "team/sql:1"}) is True
    assert await ask("POST", "/import", json={"models": [HELD]}) is True
    assert (await ask("GET", "/model?id=team/sql:1"))["user_id"] == "owner"


async def test_what_has_no_effect_there_is_refused_at_the_front_request(directory: Directory) -> None:
    await _people(directory)
    answer = await directory.post("/api/models/create", "owner", HELD)
    assert answer.status_code == 422
    refused = {error["loc"][1] for error in answer.json()["errors"]}
    shown_only = {"user_id", "version_id", "commit_message", "background_image_data", "user", "write_access"}
    assert refused == shown_only | {"created_at", "updated_at"}


async def test_values_are_checked_by_both_apis(directory: Directory) -> None:
    await _people(directory)
    key = await directory.key("owner")
    for sent in ({**HELD, "id": "a b"}, {**HELD, "params": None}, {**HELD, "meta": {"profile_image_url": "//x"}}):
        answer = await directory.client.post(f"{PREFIX}/create", json=sent, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 422, sent
