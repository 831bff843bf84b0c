"""The filters of `GET /api/models/list` that select by values of a model."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents import User
from documents.user import Role
from service.doctor import examine
from tests.support.backends import on_each_backend
from tests.support.directory import LIST, Directory, grant, model

PUBLIC = [grant("user:*")]


@on_each_backend
async def test_a_batch_is_read_by_ids(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("bob")
    models = [model("vendor/a:1", "ann"), model("b", "ann"), model("c", "ann"), model("hidden", "bob")]
    await directory.load({"models": models}, tmp_path)

    page = await directory.page("ann", id=["vendor/a:1", "c", "hidden", "absent", "c"], order_by="name")
    assert ([item["id"] for item in page["items"]], page["total"]) == (["vendor/a:1", "c"], 2)
    assert await directory.ids("ann", id="b", query="of b") == ["b"]
    assert await directory.ids("ann", id="b", query='"of c"') == []


@on_each_backend
async def test_several_tags_and_capabilities_are_all_required(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    able = {"vision": True, "web.search": True, "$where": True, "": True, "off": False, "one": 1, "text": "true"}
    models = [
        model("a", "ann", meta={"tags": ["Größe", "eu"], "capabilities": able}),
        model("b", "ann", meta={"tags": ["eu"], "capabilities": {"vision": True, "web": {"search": True}}}),
        model("c", "ann", meta={"capabilities": ["vision"]}),
    ]
    await directory.load({"models": models}, tmp_path)

    assert await directory.ids("ann", tag=["EU", " GRÖSSE "]) == ["a"]
    assert await directory.ids("ann", tag=["EU", "eu", " "]) == ["b", "a"]
    assert await directory.ids("ann", tag=["eu", "absent"]) == []
    assert await directory.ids("ann", capability="vision") == ["b", "a"]
    assert await directory.ids("ann", capability=["vision", "web.search", "$where"]) == ["a"]
    for name in ("Vision", "off", "one", "text", "web", "search", "$", "absent"):
        assert await directory.ids("ann", capability=name) == [], name


@on_each_backend
async def test_a_base_model_or_an_owner_is_any_of_those_named(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("bob", email="Bob@Straße.example")
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("a", "ann", base_model_id="x", access_grants=PUBLIC),
        model("b", "bob", base_model_id="y", access_grants=PUBLIC),
        model("c", "bob"),
        model("d", "gone", base_model_id="x", access_grants=PUBLIC),
    ]
    await directory.load({"models": models}, tmp_path)

    assert await directory.ids("ann", base_model_id=["x", "y"]) == ["d", "b", "a"]
    assert await directory.ids("ann", base_model_id="X") == []
    assert await directory.ids("ann", base_model_id="x", kind="base") == []
    assert await directory.ids("ann", owner="BOB@STRASSE.example") == ["b"]
    assert await directory.ids("root", owner="bob") == ["c", "b"]
    assert await directory.ids("ann", owner=["bob", "gone", "nobody"]) == ["d", "b"]
    assert await directory.ids("ann", owner="bob", view_option="created") == []
    assert await directory.ids("ann", owner=["ann", "bob"], view_option="shared") == ["b"]
    for unknown in ("nobody", "nobody@example.com", "Bob", "*"):
        assert (await directory.page("ann", owner=unknown))["total"] == 0, unknown
    await directory.database.delete_many(User, {"_id": "bob"})
    assert await directory.ids("ann", owner="bob") == ["b"]
    assert await directory.ids("ann", owner="bob@straße.example") == []


@on_each_backend
async def test_times_are_inclusive_and_written_in_two_ways(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    models = [model(f"m{at}", "ann", created_at=1_767_225_600 + at, updated_at=1_767_225_610 - at) for at in range(3)]
    await directory.load({"models": models}, tmp_path)

    same = ["1767225601", "2026-01-01T00:00:01Z", "2026-01-01t02:00:01+02:00", "2026-01-01T00:00:00.000000001Z"]
    for moment in same:
        assert await directory.ids("ann", created_since=moment) == ["m2", "m1"], moment
    assert await directory.ids("ann", updated_since="1767225609") == ["m1", "m0"]
    assert await directory.ids("ann", created_since="1767225601", updated_since="1767225609") == ["m1"]
    assert await directory.ids("ann", created_since="-1", order_by="name") == ["m2", "m1", "m0"]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("id", [f"m{at}" for at in range(101)], "at most 100"),
        ("id", ["a b"], "white"),
        ("tag", ["x" * 513], "at most 512"),
        ("owner", [" "], "at least 1"),
        ("base_model_id", [""], "at least 1"),
        ("capability", [""], "at least 1"),
        ("capability", ["a\0b"], "NUL"),
        ("created_since", ["yesterday"], "RFC 3339"),
        ("created_since", ["2026-01-01"], "RFC 3339"),
        ("created_since", ["2026-02-30T00:00:00Z"], "not a time"),
        ("updated_since", ["99999999999999"], "RFC 3339"),
        ("updated_since", ["999999999999"], "253402300799"),
        ("updated_since", ["0001-01-01T00:00:00+10:00"], "not a time"),
        ("updated_since", ["1", "2"], "only once"),
    ],
)
async def test_a_bad_filter_is_named(directory: Directory, name: str, values: list[str], message: str) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", **{name: values})
    assert answer.status_code == 422
    [error, *_] = answer.json()["errors"]
    assert error["loc"][:2] == ["query", name]
    assert message in error["msg"]


async def test_what_was_stored_without_the_key_of_a_filter_is_repaired(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann", meta={"capabilities": {"vision": True}})]}, tmp_path)
    raw.models.update_one({"_id": "m"}, {"$unset": {"keys.capabilities": 1}})

    assert await directory.ids("ann", capability="vision") == []
    assert (await examine(directory.database, repair=True)).repaired == 1
    assert await directory.ids("ann", capability="vision") == ["m"]


@on_each_backend
async def test_a_group_selects_what_is_shared_with_it_and_readable(directory: Directory, tmp_path: Path) -> None:
    await directory.group("org")
    await directory.group("team", "org")
    await directory.group("other")
    await directory.user("ann", groups=["team"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("a", "root", access_grants=[grant("group:team")]),
        model("b", "root", access_grants=[grant("group:org", "write")]),
        model("c", "root", access_grants=[grant("group:other"), *PUBLIC]),
        model("d", "root", access_grants=[grant("group:other")]),
        model("team", "ann"),
    ]
    await directory.load({"models": models}, tmp_path)
    assert await directory.ids("ann", group="team", order_by="name") == ["a"]
    assert await directory.ids("ann", group=["team", "org"], order_by="name", direction="asc") == ["a", "b"]
    # A grant to a group of others is seen with the model, and selects nothing more than that.
    assert await directory.ids("ann", group="other") == ["c"]
    assert await directory.ids("root", group="other", order_by="name", direction="asc") == ["c", "d"]
    assert await directory.ids("ann", group="ann") == []
    assert (await directory.page("ann", group="team", facets="kind"))["facets"]["kind"] == [
        {"value": "base", "count": 1}
    ]
