"""The clicks on Open WebUI's pages about models, as calls of its client, in a real browser."""

from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from tests.support.directory import grant, model
from tests.support.openwebui_page import OpenWebUIPages, OpenWebUITab

pytestmark = pytest.mark.tools

# What the pages read of a model.
SHOWN = {"id", "name", "base_model_id", "meta", "params", "is_active", "access_grants", "user", "updated_at"}
ENTRY = {"id", "model_id", "parent_id", "user_id", "commit_message", "created_at", "user"}
PUBLIC = grant("user:*")
# One pixel.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
NEW: dict[str, Any] = {
    "id": "team/helper:1",
    "base_model_id": "gpt",
    "name": "Helper",
    "meta": {
        "profile_image_url": PICTURE,
        "description": "Helps",
        "suggestion_prompts": None,
        "tags": [{"name": "Data"}],
        "capabilities": {"vision": True},
    },
    "params": {"system": "Help."},
    "access_grants": [],
}


@pytest.fixture
async def team(pages: OpenWebUIPages) -> OpenWebUIPages:
    """Ann and bob in a team, eve, and an admin."""
    await pages.directory.group("team")
    for user in ("ann", "bob"):
        await pages.directory.user(user, groups=["team"])
    await pages.directory.user("eve")
    await pages.directory.user("root", role=Role.ADMIN)
    return pages


async def _listed(tab: OpenWebUITab, **asked: Any) -> list[str]:
    found = await tab.call("list", asked)
    assert found["total"] >= len(found["items"])
    assert all(item.keys() >= {*SHOWN, "write_access", "version_id"} for item in found["items"])
    return [item["id"] for item in found["items"]]


async def test_the_workspace(team: OpenWebUIPages) -> None:
    async with team.opened("ann") as ann, team.opened("bob") as bob, team.opened("eve") as eve:
        # Create, which also shows its picture.
        created = await ann.call("create", {**NEW, "commit_message": "first"})
        assert created.keys() >= {*SHOWN, "version_id"}
        assert "refused" in await ann.call("create", NEW)
        assert await ann.picture(NEW["id"]) == 1
        assert await ann.header_of_the_last_picture("authorization") is None
        # Edit, hide, switch off and on again.
        opened = await ann.call("open", NEW["id"])
        assert opened["write_access"] is True
        updated = await ann.call("update", {**opened, "name": "Better", "commit_message": "why"})
        assert (updated["name"], updated["version_id"] == created["version_id"]) == ("Better", False)
        [item] = (await ann.call("list", {}))["items"]
        hidden = await ann.call("update", {**item, "meta": {**item["meta"], "hidden": True}})
        assert (hidden["meta"]["hidden"], hidden["meta"]["profile_image_url"]) == (True, PICTURE)
        assert [(await ann.call("toggle", NEW["id"]))["is_active"] for _ in range(2)] == [False, True]
        # Share: with a team to read, and with bob to write.
        assert await _listed(bob) == []
        grants = [grant("group:team"), grant("user:bob", "write")]
        shared = await ann.call("share", NEW["id"], "Better", grants)
        assert len(shared["access_grants"]) == 2
        assert {given["principal_id"] for given in shared["access_grants"]} == {"team", "bob"}
        assert (await bob.call("open", NEW["id"]))["write_access"] is True
        assert (await bob.call("update", {**opened, "name": "Bob's"}))["name"] == "Bob's"
        refused = await bob.call("share", NEW["id"], "Bob's", [PUBLIC])
        assert refused == {"refused": 403, "detail": "Only the owner of this model and admins may do this."}
        # Others see neither the model nor that it is there.
        assert (await _listed(eve), await eve.call("tags")) == ([], [])
        assert (await eve.call("open", NEW["id"]))["refused"] == 404
        default = await eve.picture("absent")
        assert (default, await eve.picture(NEW["id"])) == (default, default)
        assert default > 1
        # Clone, as the page does: another id, and the rest as it was opened.
        whole = await bob.call("open", NEW["id"])
        clone = await bob.call("create", {**whole, "id": f"{NEW['id']}-clone", "name": "Clone"})
        assert (clone["user_id"], clone["params"]) == ("bob", NEW["params"])
        # Export what one may change, and import it again.
        exported = await bob.call("export")
        assert {one["id"] for one in exported} == {NEW["id"], clone["id"]}
        assert await bob.call("import", exported) is True
        assert [one["id"] for one in await bob.call("export", [clone["id"]])] == [clone["id"]]
        assert (await bob.call("export", ["absent"]))["refused"] == 404
        # Delete.
        assert await bob.call("remove", clone["id"]) is True
        assert isinstance((await bob.call("remove", clone["id"]))["detail"], str)
        assert await _listed(bob) == [NEW["id"]]


async def test_search_tags_and_pages(team: OpenWebUIPages, tmp_path: Path) -> None:
    models = [
        model(f"m{at:02}", "ann", name=f"Model {at:02}", base_model_id="gpt", meta={"tags": ["Odd"] if at % 2 else []})
        for at in range(35)
    ]
    await team.directory.load({"models": [*models, model("base", "ann", access_grants=[PUBLIC])]}, tmp_path)
    async with team.opened("ann") as ann, team.opened("eve") as eve:
        assert [len(await _listed(ann, page=page)) for page in (1, 2, 3)] == [30, 5, 0]
        assert await _listed(ann, query="model 07") == ["m07"]
        assert await _listed(ann, query="model " + "x" * 490) == []
        assert (await ann.call("list", {"tag": "odd"}))["total"] == 17
        assert await ann.call("tags") == ["Odd"]
        assert (await _listed(ann, order_by="name", direction="asc"))[0] == "m00"
        assert (await _listed(ann, view_option="shared"), await _listed(eve)) == ([], [])
        assert len(await _listed(ann, view_option="created")) == 30


async def test_the_version_menu(team: OpenWebUIPages) -> None:
    async with team.opened("ann") as ann:
        await ann.call("create", NEW)
        model_id = NEW["id"]
        for name in ("Two", "Three"):
            await ann.call("update", {**NEW, "name": name})
        current = await ann.call("open", model_id)
        entries = await ann.call("history", model_id, 1)
        assert [entry.keys() for entry in entries] == [ENTRY] * 3
        assert next(entry for entry in entries if entry["id"] == current["version_id"]) is entries[0]
        assert {entry["user"]["name"] for entry in entries} == {"Name of ann"}
        # Open an earlier one, try to delete it, and make it the current one.
        first = entries[-1]["id"]
        version = await ann.call("version", model_id, first)
        assert version.keys() == {*ENTRY, "snapshot"}
        assert version["snapshot"].keys() == {"name", "base_model_id", "params", "meta"}
        assert version["snapshot"]["name"] == "Helper"
        refused = await ann.call("removeVersion", model_id, first)
        assert (refused["refused"], refused["detail"].partition(" here")[0]) == (403, "History can't be deleted")
        restored = await ann.call("restore", model_id, first)
        assert restored["name"] == "Helper"
        [newest, *others] = await ann.call("history", model_id, 1)
        assert (newest["id"], others) == (restored["version_id"], entries)
        assert await ann.call("history", model_id, 2) == []


async def test_the_settings_of_admins(team: OpenWebUIPages, tmp_path: Path) -> None:
    models = [
        model("custom", "ann", base_model_id="known", meta={"tags": ["Own"]}),
        model("known", "root", meta={"tags": ["Basic"]}, access_grants=[PUBLIC]),
    ]
    await team.directory.load({"models": models}, tmp_path)
    async with team.opened("root") as root, team.opened("eve") as eve:
        assert [one["id"] for one in await root.call("all")] == ["custom", "known"]
        assert [one["id"] for one in await root.call("base", "")] == ["known"]
        assert [one["id"] for one in await root.call("base", "Own")] == []
        assert await root.call("baseTags") == ["Basic"]
        assert {(await eve.call(name))["refused"] for name in ("all", "baseTags", "removeAll")} == {403}
        # A provider's model has no record until it is shared, switched off or hidden.
        shared = await root.call("share", "provider/new", "New", [PUBLIC])
        assert (shared["base_model_id"], shared["name"], len(shared["access_grants"])) == (None, "New", 1)
        assert {one["id"] for one in await eve.call("base", "")} == {"known", "provider/new"}
        assert (await root.call("share", "provider/new", "New", []))["access_grants"] == []
        off: dict[str, Any] = {
            "id": "provider/off",
            "name": "Off",
            "base_model_id": None,
            "meta": {},
            "params": {},
            "access_grants": [],
        }
        assert (await root.call("create", {**off, "is_active": False}))["is_active"] is False
        assert (await root.call("toggle", "provider/off"))["is_active"] is True
        known = (await root.call("base", ""))[0]
        assert (await root.call("update", {**known, "meta": {**known["meta"], "hidden": True}}))["meta"][
            "hidden"
        ] is True
        # All of it again, as an import of what the page has, and not deleted by one click.
        everything = await root.call("all")
        assert await root.call("import", everything) is True
        refused = await root.call("removeAll")
        assert (refused["refused"], "MODELDECK_COMPATIBILITY_RESET" in refused["detail"]) == (403, True)
        assert len(await root.call("all")) == len(everything) == 4
