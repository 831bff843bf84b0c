"""Work on many large records is done in parts, so that its memory is bounded."""

from pathlib import Path

import pytest

from documents.user import Role
from service.models import record_sizes
from service.models.record_sizes import split_by_size
from tests.conftest import Commands
from tests.support.directory import Directory, model


@pytest.fixture
async def large(directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """Five models, of which two at a time fit into a part, except for the third, which alone is too large."""
    await directory.user("root", role=Role.ADMIN)
    sizes = {"m0": 3_000, "m1": 3_000, "m2": 20_000, "m3": 3_000, "m4": 3_000}
    models = [model(name, "root", params={"system": "x" * size}) for name, size in sizes.items()]
    await directory.load({"models": models}, tmp_path)
    monkeypatch.setattr(record_sizes, "MAX_PART_BYTES", 10_000)
    return directory


async def test_a_part_holds_at_most_so_many_bytes_but_at_least_one_record(large: Directory) -> None:
    ids = ["m0", "m1", "m2", "absent", "m3", "m4"]
    parts = await split_by_size(large.database, ids, str)
    assert [[one for one in part if one != "absent"] for part in parts] == [["m0", "m1"], ["m2"], ["m3", "m4"]]


WAYS = {
    "bulk": ("/api/models/bulk/state", {"filter": {}, "is_active": False}, {}),
    "set": ("/api/models/import", {"models": [{"id": f"m{n}", "name": "New"} for n in range(5)]}, {}),
    "file": ("/api/models/import", {"models": [{"id": f"m{n}", "name": "New"} for n in range(5)]}, {"format": "auto"}),
    "sync": ("/api/models/sync", {"models": [{"id": "new", "name": "New"}], "max_deletions": "100%"}, {}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_large_records_are_changed_in_parts(large: Directory, commands: Commands, way: str) -> None:
    path, body, parameters = WAYS[way]
    commands.clear()
    assert (await large.post(path, "root", body, **parameters)).status_code == 200
    sent = [command for name, command in commands.on("models") if name in ("update", "delete")]
    written = [len(command.get("updates") or command["deletes"]) for command in sent]
    assert written == [2, 1, 2]
