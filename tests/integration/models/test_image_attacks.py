"""Invalid profile images are refused on every path that stores one, and the service never fetches an image."""

import json
import socket
from typing import Any

import httpx
import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.support.directory import Directory
from tests.support.every_case import sample
from tests.support.images import ACCEPTED, REFUSED, Way, ways
from tests.support.outbound import outbound_calls

Raw = SyncDatabase[dict[str, Any]]
GOOD = "/static/favicon.png"


@pytest.fixture
async def directory_with_model(directory: Directory) -> Directory:
    await directory.user("root", role=Role.ADMIN)
    model = {"id": "m", "name": "M", "meta": {"profile_image_url": GOOD}}
    assert (await directory.post("/api/models/create", "root", model)).status_code == 200
    return directory


async def send(directory: Directory, way: Way) -> httpx.Response:
    headers = {"Authorization": f"Bearer {await directory.key('root')}"}
    return await directory.client.request(way.method, way.path, content=json.dumps(way.body).encode(), headers=headers)


def images(raw: Raw) -> set[str]:
    """Return all stored images, in models and in their revisions."""
    sides = [side for revision in raw.revisions.find() for side in (revision["before"], revision["after"]) if side]
    metas = [one["meta"] for one in (*raw.models.find(), *sides) if "meta" in one]
    return {repr(meta.get("profile_image_url", "")) for meta in metas}


async def test_only_allowed_images_are_stored_whatever_the_way(directory_with_model: Directory, raw: Raw) -> None:
    for number, image in enumerate(REFUSED):
        for way in sample(ways(image), 9, number):
            answer = await send(directory_with_model, way)
            if way.reports and answer.status_code == 200:
                assert "profile_image_url" in answer.text, (image, way)
                continue
            assert answer.status_code == 422, (image, way, answer.text)
            assert "profile_image_url" in answer.text, (image, way)
        # An import that refuses only the image stores the rest.
        assert images(raw) <= {repr(GOOD), repr("")}, image
        assert (
            await directory_with_model.post("/api/models/model/update", "root", {"id": "m", "meta": {}})
        ).status_code == 200


async def test_no_image_is_ever_fetched(directory_with_model: Directory, raw: Raw) -> None:
    with outbound_calls() as attempted:
        for image in (*ACCEPTED, *sample(REFUSED, 29)):
            for way in ways(image):
                assert (await send(directory_with_model, way)).status_code in (200, 409, 422)
                for model_id in ("m", "new"):
                    shown = await directory_with_model.get("/api/models/model/profile/image", "root", id=model_id)
                    assert shown.status_code in (200, 307, 404)
        await directory_with_model.get("/api/models/list", "root")
        await directory_with_model.get("/api/models/export", "root", format="openwebui")
    assert attempted == []
    assert {repr(image) for image in ACCEPTED} <= images(raw)


def test_an_outbound_connection_would_be_detected() -> None:
    with outbound_calls() as attempted:
        for call in (lambda: socket.create_connection(("127.0.0.1", 9)), lambda: httpx.get("http://evil.example/")):
            with pytest.raises((OSError, httpx.HTTPError)):
                call()
        with socket.socket() as direct, pytest.raises(OSError):
            direct.connect(("192.0.2.1", 80))
    assert attempted == ["127.0.0.1", "evil.example", "('192.0.2.1', 80)"]
