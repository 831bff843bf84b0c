"""Pages that are remembered: what was rendered before is used again, and never for what has changed since."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.listing import page, rendered_pages
from service.listing.rendered_pages import RenderedPages
from service.models import item
from tests.conftest import Raw
from tests.support.directory import LIST, Directory, grant, model


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """Return a directory of three models of Ann's, which a team may read and Wil and a group may write."""
    for group in ("team", "writers"):
        await directory.group(group)
    await directory.user("ann")
    for member in ("bob", "cleo", "wil"):
        await directory.user(member, groups=["team"])
    await directory.user("root", role=Role.ADMIN)
    grants = [grant("group:team"), grant("user:wil", "write"), grant("group:writers", "write")]
    models = [model(name, "ann", params={"system": name}, access_grants=grants) for name in ("m1", "m2", "m3")]
    await directory.load({"models": models}, tmp_path)
    return directory


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the ids of all records that are rendered for a page."""
    ids, render = list[Any](), item.render_item

    def noted(record: Any, *arguments: Any, **options: Any) -> Any:
        ids.append(record["_id"])
        return render(record, *arguments, **options)

    monkeypatch.setattr(page, "render_item", noted)
    return ids


async def test_a_page_that_is_found_again_is_not_rendered_again(filled: Directory, rendered: list[Any]) -> None:
    first = await filled.get(LIST, "bob")
    assert sorted(rendered) == ["m1", "m2", "m3"]
    again = await filled.get(LIST, "bob")
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    headers = {"Authorization": f"Bearer {await filled.key('bob')}", "If-None-Match": first.headers["ETag"]}
    assert (await filled.client.get(LIST, headers=headers)).status_code == 304
    # Facets are counted each time.
    counted = await filled.page("bob", facets="tag")
    assert await filled.page("bob", facets="tag") == counted
    assert sorted(rendered) == ["m1", "m1", "m2", "m2", "m3", "m3"]


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$set": {"is_active": False}}),
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$set": {"updated_at": datetime(2030, 1, 1, tzinfo=UTC)}}),
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$set": {"meta.description": "other"}}),
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$push": {"keys.writers": "group:team"}}),
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$pull": {"keys.readers": "group:team"}}),
        lambda raw: raw.models.update_one({"_id": "m2"}, {"$set": {"user_id": 5}}),
        lambda raw: raw.models.delete_one({"_id": "m3"}),
        lambda raw: raw.users.update_one({"_id": "ann"}, {"$set": {"name": "Anna"}}),
        lambda raw: raw.users.update_one({"_id": "ann"}, {"$set": {"leaving": True}}),
        lambda raw: raw.users.delete_one({"_id": "ann"}),
        lambda raw: raw.users.update_one({"_id": "bob"}, {"$set": {"role": "admin"}}),
        lambda raw: raw.users.update_one({"_id": "bob"}, {"$set": {"group_ids": ["team", "writers"]}}),
    ],
)
async def test_whatever_changes_changes_the_page(
    filled: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch, change: Callable[[Raw], object]
) -> None:
    before = await filled.get(LIST, "bob", page_size=2)
    change(raw)
    after = await filled.get(LIST, "bob", page_size=2)
    assert after.content != before.content
    assert after.headers["ETag"] != before.headers["ETag"]
    monkeypatch.setattr(RenderedPages, "get", lambda *_: None)
    assert (await filled.get(LIST, "bob", page_size=2)).content == after.content


async def test_callers_share_a_page_only_if_it_shows_them_the_same(filled: Directory, rendered: list[Any]) -> None:
    pages = {user: await filled.page(user) for user in ("bob", "cleo", "wil", "root", "ann")}
    shown = {user: [(item["write_access"], item["params"]) for item in page["items"]] for user, page in pages.items()}
    assert shown["bob"] == shown["cleo"] == [(False, {})] * 3
    for user in ("wil", "root", "ann"):
        assert shown[user] == [(True, {"system": name}) for name in ("m3", "m2", "m1")], user
    rendered.clear()
    for asked in ({"fields": "name"}, {"page_size": 2}, {"order_by": "name"}, {"query": "name"}, {"total": "none"}):
        both = [await filled.page("bob", **asked) for _ in range(2)]
        assert both[0] == both[1]
    assert len(rendered) == 3 + 2 + 3 + 3 + 3


async def test_what_is_remembered_is_bounded(
    filled: Directory, rendered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    [size] = [len((await filled.get(LIST, "bob")).content)]
    monkeypatch.setattr(rendered_pages, "MAX_PAGE_BYTES", size)
    rendered.clear()
    for _ in range(2):
        await filled.page("bob", page_size=50)
    # With what it is made of, the page is larger.
    assert len(rendered) == 6


async def test_what_is_read_only_when_it_is_sent_is_not_remembered(
    filled: Directory, tmp_path: Path, rendered: list[Any]
) -> None:
    large = model("large", "ann", params={"system": "x" * 200_000}, access_grants=[grant("group:team")])
    await filled.load({"models": [large]}, tmp_path)
    for _ in range(2):
        assert (await filled.page("bob"))["total"] == 4
    assert len(rendered) == 8
