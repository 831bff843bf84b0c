"""`GET /v1/models` as OpenAI's API has it; `test_clients.py` tries it with OpenAI's own client."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from documents.user import Role
from service.http.problems import PROBLEM_JSON
from service.listing import openai_routes
from service.middleware.concurrency_limit import ConcurrencyLimit
from tests.conftest import Raw
from tests.support.directory import Directory, grant, model

MENU = "/v1/models"


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """Models of ann's, of which bob may read some through a group."""
    await directory.group("team")
    await directory.user("ann")
    await directory.user("bob", groups=["team"])
    await directory.user("root", role=Role.ADMIN)
    shared = {"access_grants": [grant("group:team")]}
    models = [
        model("vendor/base:1", "ann", params={"system": "secret"}, **shared),
        model("assistant", "ann", base_model_id="vendor/base:1", access_grants=[grant("user:*")]),
        model("asleep", "ann", is_active=False, **shared),
        model("private", "ann"),
    ]
    await directory.load({"models": models}, tmp_path)
    return directory


def _item(model_id: str) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": 1_700_000_000, "owned_by": "ann"}


async def test_a_menu_holds_the_active_models_that_the_caller_may_read(filled: Directory) -> None:
    answer = await filled.get(MENU, "bob")
    assert answer.json() == {"object": "list", "data": [_item("assistant"), _item("vendor/base:1")]}
    for user in ("ann", "root"):
        ids = [one["id"] for one in (await filled.get(MENU, user)).json()["data"]]
        assert ids == ["assistant", "private", "vendor/base:1"]
    await filled.user("eve")
    await filled.post("/api/models/model/access/update", "ann", {"id": "assistant", "access_grants": []})
    assert (await filled.get(MENU, "eve")).json() == {"object": "list", "data": []}


async def test_one_model(filled: Directory) -> None:
    for written in ("vendor/base:1", quote("vendor/base:1", safe="")):
        assert (await filled.get(f"{MENU}/{written}", "bob")).json() == _item("vendor/base:1")
    answers = [await filled.get(f"{MENU}/{model_id}", "bob") for model_id in ("asleep", "private", "absent")]
    assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {(404, PROBLEM_JSON)}
    assert len({answer.text for answer in answers}) == 1


async def test_errors_have_what_clients_of_openai_read(filled: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def error(path: str, key: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = await filled.client.get(path, headers=headers)
        problem = answer.json()
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert problem["error"]["message"] == problem["detail"]
        return answer.status_code, problem["error"]["type"]

    key = await filled.key("bob")
    assert await error(MENU + "/absent", key) == (404, "invalid_request_error")
    assert await error(MENU + "/a%20b", key) == (422, "invalid_request_error")
    assert await error(MENU) == (401, "invalid_request_error")
    assert await error("/v1/chat/completions", key) == (404, "invalid_request_error")
    monkeypatch.setattr(ConcurrencyLimit, "enter", lambda *_: False)
    assert await error(MENU, key) == (503, "server_error")
    assert "error" not in (await filled.get("/api/models/list", "bob")).json()


async def test_what_a_client_has_already_is_not_sent_again(filled: Directory) -> None:
    headers = {"Authorization": f"Bearer {await filled.key('bob')}"}
    for path in (MENU, f"{MENU}/assistant"):
        tag = (await filled.get(path, "bob")).headers["etag"]
        again = await filled.client.get(path, headers={**headers, "If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


async def test_parameters_of_tools_have_no_effect(filled: Directory) -> None:
    plain = await filled.get(MENU, "bob")
    assert (await filled.get(MENU, "bob", limit=1, order="desc")).json() == plain.json()


async def test_a_long_menu_is_sent_in_parts(filled: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await filled.get(MENU, "root")
    monkeypatch.setattr(openai_routes, "MENU_BYTES", 1)
    monkeypatch.setattr(openai_routes, "BATCH", 1)
    sent = await filled.get(MENU, "root")
    assert sent.json() == whole.json()
    assert "etag" not in sent.headers


async def test_records_that_were_written_past_the_service_do_no_harm(filled: Directory, raw: Raw) -> None:
    raw.models.update_one({"_id": "assistant"}, {"$set": {"created_at": "x", "user_id": 5}}, upsert=False)
    raw.models.update_one({"_id": "private"}, {"$set": {"is_active": "yes"}})
    raw.models.insert_one({"_id": 7, "is_active": True})
    [first, second] = (await filled.get(MENU, "root")).json()["data"]
    assert first == {"id": "assistant", "object": "model", "created": 0, "owned_by": ""}
    assert second == _item("vendor/base:1")
