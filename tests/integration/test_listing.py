"""`GET /api/models/list` as a REST client meets it, on every backend that can run it."""

from pathlib import Path

from documents.user import Role
from tests.directory import Directory, grant, model


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
