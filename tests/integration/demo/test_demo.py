"""The demo catalogue, loaded into databases with other content."""

from pathlib import Path

import pytest

from documents.user import Role
from service.demo.catalogue import ADMIN_ID, demo_key, load_demo, require_room
from service.errors import ConfigurationError
from tests.conftest import Raw
from tests.support.directory import Directory, model


async def test_the_demo_key_is_never_that_of_somebody_else(directory: Directory, tmp_path: Path) -> None:
    await directory.user("boss", role=Role.ADMIN)
    theirs = await directory.key("boss", name="demo")
    (tmp_path / "demo-key").write_text(theirs)
    await load_demo(directory.database)

    key = await demo_key(directory.database, tmp_path / "demo-key")

    for sent, user in ((key, ADMIN_ID), (theirs, "boss")):
        answer = await directory.client.get("/api/me", headers={"Authorization": f"Bearer {sent}"})
        assert answer.json()["id"] == user
    assert await demo_key(directory.database, tmp_path / "demo-key") == key


async def test_a_deleted_model_of_the_demo_stays_deleted(directory: Directory, tmp_path: Path) -> None:
    database = directory.database
    assert await load_demo(database) > 400
    key = await demo_key(database, tmp_path / "demo-key")
    headers = {"Authorization": f"Bearer {key}"}
    deleted = await directory.client.post("/api/models/model/delete", json={"id": "sql-tuning"}, headers=headers)
    assert deleted.status_code == 200
    assert await load_demo(database) == 0


async def test_a_fresh_demo_shows_who_changed_what(directory: Directory, raw: Raw) -> None:
    database = directory.database
    await load_demo(database)
    changes = {
        (one["by"], one["model_id"], one["change"], tuple(one["fields"]))
        for one in raw.revisions.find({"imported": {"$ne": True}})
    }
    assert changes == {
        ("u-emeka", "runbook-writer", "update", ("params",)),
        ("u-kenji", "go-tutor", "access", ("access_grants",)),
        ("u-priya", "legacy-migrator", "update", ("params",)),
        ("u-kenji", "faq-writer", "update", ("meta",)),
        ("u-priya", "bug-triage", "update", ("meta",)),
    }
    assert await load_demo(database) == 0
    assert raw.revisions.count_documents({"imported": {"$ne": True}}) == len(changes)


async def test_models_of_others_with_ids_of_the_demo_are_not_changed(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    await directory.user("boss")
    await directory.load({"models": [model("runbook-writer", "boss", name="Ours")]}, tmp_path)
    before = raw.models.find_one({"_id": "runbook-writer"})
    await load_demo(directory.database)
    assert raw.models.find_one({"_id": "runbook-writer"}) == before


async def test_the_demo_keeps_out_of_a_directory_in_use(directory: Directory) -> None:
    await require_room(directory.database)
    await directory.user("boss", role=Role.ADMIN)
    with pytest.raises(ConfigurationError, match="in use"):
        await require_room(directory.database)
    await load_demo(directory.database)
    await require_room(directory.database)
