"""The demo catalogue, loaded into databases with other content."""

from pathlib import Path

import pytest

from documents.user import Role
from service.demo.catalogue import ADMIN_ID, demo_key, load_demo, require_room
from service.errors import ConfigurationError
from tests.support.directory import Directory


async def test_the_demo_key_is_never_that_of_somebody_else(real_directory: Directory, tmp_path: Path) -> None:
    await real_directory.user("boss", role=Role.ADMIN)
    theirs = await real_directory.key("boss", name="demo")
    (tmp_path / "demo-key").write_text(theirs)
    await load_demo(real_directory.database)

    key = await demo_key(real_directory.database, tmp_path / "demo-key")

    for sent, user in ((key, ADMIN_ID), (theirs, "boss")):
        answer = await real_directory.client.get("/api/me", headers={"Authorization": f"Bearer {sent}"})
        assert answer.json()["id"] == user
    assert await demo_key(real_directory.database, tmp_path / "demo-key") == key


async def test_a_deleted_model_of_the_demo_stays_deleted(real_directory: Directory, tmp_path: Path) -> None:
    database = real_directory.database
    assert await load_demo(database) > 400
    key = await demo_key(database, tmp_path / "demo-key")
    headers = {"Authorization": f"Bearer {key}"}
    deleted = await real_directory.client.post("/api/models/model/delete", json={"id": "sql-tuning"}, headers=headers)
    assert deleted.status_code == 200
    assert await load_demo(database) == 0


async def test_the_demo_keeps_out_of_a_directory_in_use(real_directory: Directory) -> None:
    await require_room(real_directory.database)
    await real_directory.user("boss", role=Role.ADMIN)
    with pytest.raises(ConfigurationError, match="in use"):
        await require_room(real_directory.database)
    await load_demo(real_directory.database)
    await require_room(real_directory.database)
