"""Lists, exports and tags as clients of Open WebUI ask for them."""

from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from tests.support.directory import Directory, grant, model

V1 = "/api/v1/models"


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """A base model, and models of ann's and bob's that use it."""
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    shared, written = {"access_grants": [grant("user:bob")]}, {"access_grants": [grant("user:bob", "write")]}
    models = [
        model("base/a", "ann", meta={"tags": ["foundation"]}, **shared),
        model("read", "ann", base_model_id="base/a", meta={"tags": ["Chat"]}, params={"system": "a"}, **shared),
        model("written", "ann", base_model_id="base/a", meta={"tags": ["code"]}, params={"system": "b"}, **written),
        model("mine", "bob", base_model_id="base/a", params={"system": "c"}),
        model("hidden", "ann", base_model_id="base/a", meta={"tags": ["secret"]}),
    ]
    await directory.load({"models": models}, tmp_path)
    return directory


async def _ids(directory: Directory, path: str, user: str, **parameters: Any) -> list[str]:
    answer = await directory.get(V1 + path, user, **parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return sorted(item["id"] for item in (found["items"] if isinstance(found, dict) else found))


async def test_custom_models_are_listed_unless_kind_says_otherwise(filled: Directory) -> None:
    assert await _ids(filled, "/list", "bob") == ["mine", "read", "written"]
    assert await _ids(filled, "/list", "bob", kind="base") == ["base/a"]
    assert await _ids(filled, "/list", "bob", kind="any") == ["base/a", "mine", "read", "written"]
    assert (await filled.get(V1 + "/list", "bob", kind="all")).status_code == 422
    assert await filled.ids("bob") == ["written", "read", "mine", "base/a"]


async def test_a_search_box_takes_500_characters(filled: Directory) -> None:
    assert await _ids(filled, "/list", "bob", query="x" * 500) == []
    assert (await filled.get(V1 + "/list", "bob", query="x" * 501)).status_code == 422
    assert (await filled.get("/api/models/list", "bob", query="x" * 129)).status_code == 422


async def test_an_export_holds_what_goes_in_again(filled: Directory) -> None:
    assert await _ids(filled, "/export", "bob") == ["mine", "written"]
    assert await _ids(filled, "/export", "bob", kind="any") == ["mine", "written"]
    assert await _ids(filled, "/export", "ann", kind="base") == ["base/a"]
    assert await _ids(filled, "/export", "bob", ids=["read", "mine"]) == ["mine", "read"]
    assert await _ids(filled, "/export", "root") == ["hidden", "mine", "read", "written"]
    assert await _ids(filled, "/export", "root", kind="any") == ["base/a", "hidden", "mine", "read", "written"]
    for user in ("bob", "root"):
        exported = (await filled.get(V1 + "/export", user)).json()
        assert all(one["params"] for one in exported if one["id"] != "hidden")
        again = await filled.post(V1 + "/import", user, {"models": exported})
        assert (again.status_code, again.json()) == (200, True)
        assert (await filled.get(V1 + "/export", user)).json() == exported


async def test_tags_are_those_of_what_is_listed(filled: Directory) -> None:
    async def tags(path: str, user: str, **parameters: Any) -> Any:
        return (await filled.get(V1 + path, user, **parameters)).json()

    assert await tags("/tags", "bob") == ["Chat", "code"]
    assert await tags("/tags", "bob", kind="any") == ["Chat", "code", "foundation"]
    assert await tags("/base/tags", "root") == ["foundation"]
    assert (await filled.get(V1 + "/base/tags", "bob")).status_code == 403
    assert await _ids(filled, "/base", "root", tag="foundation") == ["base/a"]


async def test_all_records_are_for_admins(filled: Directory) -> None:
    assert await _ids(filled, "/all", "root") == ["base/a", "hidden", "mine", "read", "written"]
    assert (await filled.get(V1 + "/all", "bob")).status_code == 403


async def test_models_that_one_may_change_name_their_version(filled: Directory) -> None:
    for path in ("/list", "/export?ids=read&ids=mine&ids=written"):
        answer = (await filled.get(V1 + path, "bob")).json()
        items = {item["id"]: item for item in (answer["items"] if isinstance(answer, dict) else answer)}
        assert items["read"]["version_id"] is None
        for model_id in ("mine", "written"):
            [newest, *_] = (await filled.get(V1 + "/model/history", "bob", id=model_id)).json()
            assert items[model_id]["version_id"] == newest["id"]
    shown = (await filled.get(V1 + "/model", "ann", id="read")).json()
    assert shown["version_id"] == (await filled.get(V1 + "/all", "root")).json()[3]["version_id"]
    assert "version_id" not in (await filled.get("/api/models/model", "ann", id="read")).json()
    fewer = (await filled.get(V1 + "/list", "bob", fields="name")).json()["items"]
    assert {frozenset(item) for item in fewer} == {frozenset({"id", "name"})}
