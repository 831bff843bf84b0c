"""`PATCH /models/model`: a JSON merge patch (RFC 7396)."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given

from documents.api_key import Scope
from service.doctor import examine
from tests.conftest import Raw
from tests.integration.http.test_exact_values import bounded, exact, metas, objects
from tests.support.directory import Directory, grant

MODEL, CREATE, UPDATE = "/api/models/model", "/api/models/create", "/api/models/model/update"
MERGE_PATCH = "application/merge-patch+json"
ICON = "/static/favicon.png"
META = {
    "description": "Old",
    "tags": [{"name": "sql"}],
    "a.b": {"$set": 1, "kept": None},
    "capabilities": {"vision": True},
}
PARAMS = {"system": "secret", "temperature": 1.0, "big": 2**63 - 1, "nested": {"x": 1, "y": {"z": [1, None]}}}


async def patch(
    directory: Directory, body: Any, *, user: str = "owner", model_id: str = "m", prefix: str = "/api", **headers: str
) -> httpx.Response:
    sent = {"Authorization": f"Bearer {await directory.key(user)}", "Content-Type": MERGE_PATCH}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await directory.client.patch(
        f"{prefix}/models/model", params={"id": model_id}, content=content, headers=sent
    )


@pytest.fixture
async def owned(directory: Directory) -> Directory:
    """A directory in which `owner` has the model m, which `writer` may change and `reader` may read."""
    for user in ("owner", "writer", "reader", "stranger"):
        await directory.user(user)
    grants = [grant("user:writer", "write"), grant("user:reader")]
    body = {"id": "m", "name": "M", "base_model_id": "base", "meta": META, "params": PARAMS, "access_grants": grants}
    assert (await directory.post(CREATE, "owner", body)).status_code == 200
    return directory


async def test_what_is_not_named_stays_and_null_removes(owned: Directory, raw: Raw) -> None:
    before = (await owned.get(MODEL, "owner", id="m")).json()

    answer = await patch(
        owned,
        {
            "name": "Better",
            "meta": {"description": "New", "a.b": {"kept": None, "more": [None]}, "capabilities": {"tools": False}},
            "params": {"system": None, "nested": {"y": {"w": -0.0}, "x": None}, "$inc": {"a.b": 2**53 + 1}},
        },
    )

    expected = {
        **before,
        "name": "Better",
        "meta": {
            **META,
            "description": "New",
            "a.b": {"$set": 1, "more": [None]},
            "capabilities": {"vision": True, "tools": False},
            "profile_image_url": ICON,
        },
        "params": {
            "temperature": 1.0,
            "big": 2**63 - 1,
            "nested": {"y": {"z": [1, None], "w": -0.0}},
            "$inc": {"a.b": 2**53 + 1},
        },
        "version": 2,
        "updated_at": answer.json()["updated_at"],
    }
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert exact(answer.json()) == exact(expected)
    assert (await owned.get(MODEL, "owner", id="m")).content == answer.content
    assert await owned.ids("reader", query="better", tag="SQL", capability="vision") == ["m"]
    [last] = raw.revisions.find({"model_id": "m", "version": 2})
    assert (last["change"], last["by"], last["fields"]) == ("update", "owner", ["name", "params", "meta"])
    assert last["before"]["meta"] == META
    assert (await examine(owned.database, repair=False)).problems == 0


async def test_null_for_the_base_model_is_none_and_tags_are_a_list_to_replace(owned: Directory) -> None:
    answer = (await patch(owned, {"base_model_id": None, "is_active": False, "meta": {"tags": [" New "]}})).json()
    assert (answer["base_model_id"], answer["is_active"], answer["meta"]["tags"]) == (None, False, [{"name": "New"}])
    assert "tags" not in (await patch(owned, {"meta": {"tags": None}})).json()["meta"]
    assert (await patch(owned, {"base_model_id": "m"})).json()["base_model_id"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"meta": {}, "params": {}},
        {"name": "M", "is_active": True, "base_model_id": "base"},
        {"meta": {"tags": ["sql"], "absent": None, "capabilities": {"tools": None}}, "params": {"nested": {"x": 1}}},
        {"meta": {"profile_image_url": ICON}},
        {"meta": {**META, "a.b": {"$set": 1}}},
    ],
    ids=str,
)
async def test_a_patch_that_changes_nothing_makes_no_version(owned: Directory, body: Any, raw: Raw) -> None:
    before = raw.models.find_one()
    answer = await patch(owned, body)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert (raw.models.find_one(), raw.revisions.count_documents({})) == (before, 1)


async def test_a_default_that_is_shown_is_not_stored_by_sending_it(owned: Directory, raw: Raw) -> None:
    await owned.post(CREATE, "owner", {"id": "bare", "name": "Bare"})
    answer = await patch(owned, {"meta": {"description": "", "capabilities": {"x": None}}}, model_id="bare")
    assert answer.json()["version"] == 1
    assert (await patch(owned, {"meta": {"description": "", "x": ""}}, model_id="bare")).json()["version"] == 2
    assert raw.models.find_one({"_id": "bare"}, {"meta": 1}) == {"_id": "bare", "meta": {"x": ""}}


REFUSED: list[tuple[Any, list[Any], str]] = [
    ({"access_grants": []}, ["access_grants"], "POST /models/model/access/update"),
    ({"user_id": "writer"}, ["user_id"], "transfer"),
    ({"id": "other"}, ["id"], "query string"),
    ({"version": 7}, ["version"], "not permitted"),
    ({"name": None}, ["name"], "must not be null"),
    ({"meta": None}, ["meta"], "must not be null"),
    ({"params": None}, ["params"], "must not be null"),
    ({"is_active": None}, ["is_active"], "must not be null"),
    ({"name": " "}, ["name"], "blank"),
    ({"is_active": 1}, ["is_active"], "boolean"),
    ({"params": []}, ["params"], "dictionary"),
    ({"meta": {"tags": [1]}}, ["meta"], "tags must be a list"),
    ({"meta": {"profile_image_url": "javascript:alert(1)"}}, ["meta"], "profile_image_url"),
    ({"meta": {"a": {"b\0": 1}}}, ["meta"], "NUL"),
    ({"params": {"n": 2**63}}, ["params"], "64 bits"),
    ({"params": json.loads('{"z":' * 90 + "1" + "}" * 90)}, ["params"], "levels deep"),
    ([], [], "must be a JSON object"),
]


@pytest.mark.parametrize(("body", "where", "why"), REFUSED, ids=lambda value: str(value)[:40])
async def test_what_an_update_would_refuse_is_refused_by_name(
    owned: Directory, raw: Raw, body: Any, where: list[Any], why: str
) -> None:
    before = raw.models.find_one()
    answer = await patch(owned, body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    [error] = answer.json()["errors"]
    assert error["loc"] == ["body", *where]
    assert why in error["msg"]
    assert raw.models.find_one() == before


async def test_a_result_that_is_too_large_is_refused(owned: Directory) -> None:
    assert (await patch(owned, {"params": {"a": "x" * 300_000}})).status_code == 200
    assert (await patch(owned, {"params": {"b": "x" * 300_000}})).status_code == 413
    assert (await patch(owned, {"params": {"b": "x" * 300_000, "a": None}})).status_code == 200


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        (MERGE_PATCH, 200),
        ("Application/Merge-Patch+JSON; charset=utf-8", 200),
        ("application/json", 200),
        ("application/json-patch+json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
async def test_only_a_merge_patch_is_taken(owned: Directory, media_type: str, status: int) -> None:
    answer = await patch(owned, {"name": "New"}, Content_Type=media_type)
    assert answer.status_code == status, answer.text
    if status == 415:
        assert answer.headers["accept-patch"] == f"{MERGE_PATCH}, application/json"
        assert MERGE_PATCH in answer.json()["detail"]
        assert (await owned.get(MODEL, "owner", id="m")).json()["version"] == 1


async def test_who_may_patch(owned: Directory) -> None:
    assert (await patch(owned, {"name": "A"}, user="writer")).status_code == 200
    assert (await patch(owned, {"name": "B"}, user="reader")).status_code == 403
    hidden = await patch(owned, {"name": "B"}, user="stranger")
    absent = await patch(owned, {"name": "B"}, user="stranger", model_id="absent")
    assert (hidden.status_code, hidden.content) == (404, absent.content)
    read_only = f"Bearer {await owned.key('owner', scope=Scope.READ)}"
    assert (await patch(owned, {"name": "B"}, Authorization=read_only)).status_code == 403
    assert (await owned.get(MODEL, "owner", id="m")).json()["name"] == "A"


async def test_a_stale_version_is_refused_with_the_current_one(owned: Directory) -> None:
    assert (await patch(owned, {"name": "Second"}, If_Match='"1"')).headers["etag"] == '"2"'
    stale = await patch(owned, {"name": "Third"}, If_Match='"1"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    assert (await patch(owned, {"name": "Third"}, If_Match="one")).status_code == 422
    # A stale patch is refused even if it would change nothing.
    assert (await patch(owned, {"name": "Second"}, If_Match='"1"')).status_code == 412


async def test_patches_at_the_same_time_all_take_effect(owned: Directory, raw: Raw) -> None:
    bodies = [{"params": {f"p{number}": number}, "meta": {"last": number}} for number in range(20)]
    answers = await asyncio.gather(*(patch(owned, body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    final = (await owned.get(MODEL, "owner", id="m")).json()
    assert final["version"] == 21
    assert {name for name in final["params"] if name.startswith("p")} == {f"p{number}" for number in range(20)}
    assert raw.revisions.count_documents({"model_id": "m"}) == 21


async def test_the_compatibility_api_ignores_what_is_no_part_of_a_patch(owned: Directory) -> None:
    body = {"id": "x", "user_id": "stranger", "access_grants": [], "version_id": "v", "meta": {"description": "New"}}
    answer = await patch(owned, body, prefix="/api/v1")
    assert (answer.status_code, answer.json()["meta"]["tags"]) == (200, META["tags"])
    assert (answer.json()["user_id"], len(answer.json()["access_grants"]), answer.json()["version"]) == ("owner", 2, 2)


@bounded
@given(params=objects, meta=metas)
async def test_patched_values_come_back_exactly(owned: Directory, params: dict[str, Any], meta: dict[str, Any]) -> None:
    # Wrapped in lists, in which null is a value like any other.
    wrapped = {name: [value] for name, value in params.items()}
    await owned.post(UPDATE, "owner", {"id": "m", "params": {}, "meta": meta})
    answer = await patch(owned, {"params": wrapped, "meta": {"description": "New"}})
    assert answer.status_code == 200, answer.text
    assert exact(answer.json()["params"]) == exact(wrapped)
    shown = {**meta, "description": "New"}
    assert exact({name: answer.json()["meta"][name] for name in shown}) == exact(shown)
