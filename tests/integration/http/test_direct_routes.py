"""The routes that are asked for most find their arguments themselves; FastAPI's search for them takes longer."""

import pytest

from tests.support.directory import Directory

DIRECT = ("/api/models/list?page_size=1", "/api/v1/models/list?unknown=1", "/api/models/model?id=m", "/api/me")


async def test_they_leave_nothing_to_fastapi(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await directory.user("u-ann")
    assert (await directory.post("/api/models/create", ann, {"id": "m", "name": "M"})).status_code == 200
    monkeypatch.delattr("fastapi.routing.solve_dependencies")
    for path in DIRECT:
        answer = await directory.get(path, ann)
        assert answer.status_code == 200, path
    # This one takes a body, which only FastAPI finds for it.
    assert (await directory.post("/api/models/create", ann, {"id": "n", "name": "N"})).status_code == 500
