"""`GET /api/models/list`, on every backend that can run it."""

from pathlib import Path
from typing import Any

from documents import User
from documents.user import Role
from tests.support.backends import on_each_backend
from tests.support.directory import Directory, grant, model

pytestmark = on_each_backend


async def test_callers_see_what_is_theirs_shared_with_them_or_public(directory: Directory, tmp_path: Path) -> None:
    await directory.group("company")
    await directory.group("team", parent="company")
    for user in ("ann", "bob", "eve"):
        await directory.user(user)
    await directory.user("tim", groups=["team"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("own", "ann"),
        model("to-bob", "ann", access_grants=[grant("user:bob")]),
        model("to-team", "ann", access_grants=[grant("group:team", "write")]),
        model("to-company", "ann", access_grants=[grant("group:company")]),
        model("public", "ann", access_grants=[grant("user:*")]),
    ]
    assert (await directory.load({"models": models}, tmp_path)).clean

    assert set(await directory.ids("ann")) == {"own", "to-bob", "to-team", "to-company", "public"}
    assert set(await directory.ids("bob")) == {"to-bob", "public"}
    assert set(await directory.ids("tim")) == {"to-team", "to-company", "public"}
    assert await directory.ids("eve") == ["public"]
    assert (await directory.page("root"))["total"] == 5
    page = await directory.page("tim")
    assert {item["id"]: item["write_access"] for item in page["items"]} == {
        "to-team": True,
        "to-company": False,
        "public": False,
    }


async def test_an_item_has_all_that_the_contract_names(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann", name="Ann Ä", email="Ann@Example.com")
    shared = grant("user:*")
    record = model(
        "openai/gpt-4o:eu",
        "ann",
        name="GPT-4o EU",
        base_model_id="openai/gpt-4o",
        params={"system": "Be kind."},
        meta={"tags": ["  coding ", {"name": "EU"}], "extra": 1},
        access_grants=[shared],
        is_active=False,
        created_at=1_704_067_200,
        updated_at=1_704_153_600,
    )
    await directory.load({"models": [record]}, tmp_path)

    page = await directory.page("ann")

    assert page["total"] == 1
    [item] = page["items"]
    assert item["access_grants"][0].pop("id")
    assert item == {
        "id": "openai/gpt-4o:eu",
        "user_id": "ann",
        "base_model_id": "openai/gpt-4o",
        "name": "GPT-4o EU",
        "params": {"system": "Be kind."},
        "meta": {
            "tags": [{"name": "coding"}, {"name": "EU"}],
            "extra": 1,
            "profile_image_url": "/static/favicon.png",
            "description": "",
            "capabilities": {},
        },
        "access_grants": [shared],
        "is_active": False,
        "write_access": True,
        "user": {"id": "ann", "name": "Ann Ä", "email": "Ann@Example.com"},
        "version": 1,
        "created_at": 1_704_067_200,
        "updated_at": 1_704_153_600,
    }


async def test_params_hold_prompts_and_are_kept_from_readers(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "reader", "writer"):
        await directory.user(user)
    grants = [grant("user:reader"), grant("user:writer", "write")]
    secret = {"system": "The secret prompt."}
    await directory.load({"models": [model("m", "ann", params=secret, access_grants=grants)]}, tmp_path)

    shown = {user: (await directory.page(user))["items"][0]["params"] for user in ("ann", "reader", "writer")}
    assert shown == {"ann": secret, "reader": {}, "writer": secret}


async def test_views_divide_what_is_readable(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("bob")
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("ann-1", "ann", access_grants=[grant("user:bob"), grant("user:ann")]),
        model("bob-1", "bob", access_grants=[grant("user:*")]),
        model("orphan", "nobody", access_grants=[grant("user:*")]),
    ]
    await directory.load({"models": models}, tmp_path)

    assert await directory.ids("ann", view_option="created") == ["ann-1"]
    assert set(await directory.ids("ann", view_option="shared")) == {"bob-1", "orphan"}
    assert await directory.ids("root", view_option="created") == []
    assert set(await directory.ids("root", view_option="shared")) == {"ann-1", "bob-1", "orphan"}


async def test_search_finds_parts_of_five_fields_in_any_case(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann", name="Ann Weiß", email="annabel@corp.example", username="Wildcat")
    await directory.user("bob", name="Bob")
    models = [
        model("one", "ann", name="Straße", base_model_id="vendor/Model-X", access_grants=[grant("user:*")]),
        model("two", "bob", name="ＦＵＬＬ width", access_grants=[grant("user:*")]),
    ]
    await directory.load({"models": models}, tmp_path)

    async def found(query: str) -> list[str]:
        return await directory.ids("bob", query=query)

    assert await found("STRASSE") == ["one"]
    assert await found("r/mOD") == ["one"]
    assert await found("weiss") == ["one"]
    assert await found("BEL@corp") == ["one"]
    assert await found("ildca") == ["one"]
    assert await found("full w") == ["two"]
    assert set(await found(" ")) == {"one", "two"}
    assert await found("e") == ["two", "one"]
    for literal in (".*", "%", "_", "\\", "[", "^", "$", "a|b", "(?i)x"):
        assert await found(literal) == [], literal


async def test_a_match_never_spans_two_fields(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann", name="omega", email="z@example.com")
    await directory.load({"models": [model("m", "ann", name="alpha", base_model_id="beta")]}, tmp_path)

    for query in ("alphabeta", '"alpha beta"', '"alpha\nbeta"', "betaomega", '"a b"'):
        assert await directory.ids("ann", query=query) == [], query


async def test_the_order_is_total(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    names = {"c": "beta", "a": "Alpha", "b": "ALPHA", "d": "Ärger"}
    models = [model(key, "ann", name=name, updated_at=1_700_000_001) for key, name in names.items()]
    await directory.load({"models": models}, tmp_path)

    assert await directory.ids("ann") == ["d", "c", "b", "a"]
    assert await directory.ids("ann", direction="asc") == ["a", "b", "c", "d"]
    assert await directory.ids("ann", order_by="updated_at") == ["d", "c", "b", "a"]
    assert await directory.ids("ann", order_by="name", direction="asc") == ["a", "b", "c", "d"]
    assert await directory.ids("ann", order_by="name", direction="desc") == ["d", "c", "b", "a"]


async def test_pages_have_the_true_total_also_past_the_end(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.load({"models": [model(f"m{at:02}", "ann") for at in range(35)]}, tmp_path)

    first, second = await directory.page("ann"), await directory.page("ann", page=2)
    assert [len(first["items"]), len(second["items"])] == [30, 5]
    for page in (3, 10**6, 10**18, 2**63, 10**30):
        assert await directory.page("ann", page=page) == {"items": [], "total": 35, "next_cursor": None}
    assert len((await directory.page("ann", page_size=100))["items"]) == 35


async def test_filters_combine(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    models = [
        model("a", "ann", base_model_id="x", meta={"tags": [{"name": "Größe"}]}),
        model("b", "ann", base_model_id="x", is_active=False, meta={"tags": ["größe", "other"]}),
        model("c", "ann", meta={"tags": ["größer"]}),
        model("d", "ann", base_model_id="d"),
    ]
    await directory.load({"models": models}, tmp_path)

    assert await directory.ids("ann", tag="GRÖSSE") == ["b", "a"]
    assert await directory.ids("ann", tag="GRÖSSE", is_active="true") == ["a"]
    assert await directory.ids("ann", is_active="false") == ["b"]
    assert await directory.ids("ann", kind="custom") == ["b", "a"]
    assert await directory.ids("ann", kind="base") == ["d", "c"]
    assert await directory.ids("ann", kind="base", query='"of c"') == ["c"]
    assert await directory.ids("ann", tag="no such tag") == []


async def test_the_model_of_a_deleted_owner_stays_and_shows_no_owner(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("bob")
    await directory.load({"models": [model("m", "ann", access_grants=[grant("user:bob")])]}, tmp_path)
    await directory.database.delete_many(User, {"_id": "ann"})

    [item] = (await directory.page("bob"))["items"]
    assert (item["user_id"], item["user"]) == ("ann", None)


async def test_the_compatibility_api_ignores_unknown_parameters(directory: Directory) -> None:
    await directory.user("ann")
    strict: Any = await directory.get("/api/models/list", "ann", limit=3)
    compatible = await directory.get("/api/v1/models/list", "ann", limit=3)
    assert (strict.status_code, compatible.status_code) == (422, 200)
    assert strict.json()["errors"][0]["loc"] == ["query", "limit"]
    assert "page_size" in strict.json()["errors"][0]["allowed"]


async def test_nobody_owns_a_model_in_the_name_of_everyone(directory: Directory, tmp_path: Path) -> None:
    await directory.user("bob")
    report = await directory.load({"models": [model("m", "*")]}, tmp_path)
    assert [rejection.id for rejection in report.faults()] == ["m"]
    assert (await directory.page("bob"))["total"] == 0
