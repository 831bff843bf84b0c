"""`GET /api/models/model`."""

from pathlib import Path

from documents.user import Role
from tests.support.backends import on_each_backend
from tests.support.directory import Directory, grant, headers_to_compare, model

MODEL = "/api/models/model"

pytestmark = on_each_backend


async def test_a_model_is_shown_as_in_the_list_with_its_version(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("reader")
    record = model("team/x:1", "ann", params={"system": "secret"}, access_grants=[grant("user:reader")])
    await directory.load({"models": [record]}, tmp_path)

    for user in ("ann", "reader"):
        answer = await directory.get(MODEL, user, id="team/x:1")
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
        assert [answer.json()] == (await directory.page(user))["items"]


async def test_hidden_and_absent_models_are_answered_alike(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    await directory.load({"models": [model("hidden", "ann")]}, tmp_path)

    hidden, absent = [await directory.get(MODEL, "bob", id=name) for name in ("hidden", "absent")]

    assert hidden.status_code == absent.status_code == 404
    assert (hidden.content, headers_to_compare(hidden)) == (absent.content, headers_to_compare(absent))
    assert (await directory.get(MODEL, "root", id="hidden")).status_code == 200


async def test_bad_ids_are_refused_by_name(directory: Directory) -> None:
    await directory.user("ann")
    for parameters in ({}, {"id": ""}, {"id": "a b"}, {"id": "x" * 257}, {"id": "x", "version": 1}):
        answer = await directory.get(MODEL, "ann", **parameters)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"][0] == "query"
    assert (await directory.get("/api/v1/models/model", "ann", id="x", version=1)).status_code == 404
    assert (await directory.client.get(MODEL, params={"id": "x"})).status_code == 401
