"""The service behind a proxy that strips a path."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.database.client import Database
from service.models.item import META_DEFAULTS
from service.settings import Settings
from tests.support.directory import LIST, Directory, model

# The same as the beginning of the routes, which must not be taken for it.
ROOT = "/api"
MODEL, UPDATE, IMAGE = "/api/models/model", "/api/models/model/update", "/api/models/model/profile/image"
DEFAULT = META_DEFAULTS["profile_image_url"]


@pytest.fixture(params=["/apps/modeldeck", ROOT])
async def behind(mongod: Database, settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Directory]:
    """The service with MODELDECK_ROOT_PATH."""
    async with Directory.on(
        mongod, settings.model_copy(update={"root_path": request.param, "docs": True})
    ) as directory:
        yield directory


async def test_the_documentation_leads_to_it(behind: Directory) -> None:
    root = behind.settings.root_path
    assert f'"{root}/openapi.json"' in (await behind.client.get("/docs")).text.replace("'", '"')
    assert f'"{root}/openapi.json"' in (await behind.client.get("/redoc")).text
    assert (await behind.client.get("/openapi.json")).json()["servers"] == [{"url": root}]
    assert (await behind.client.get("/health/ready")).status_code == 200


async def test_images_are_below_it(behind: Directory, tmp_path: Path) -> None:
    root = behind.settings.root_path
    await behind.user("ann")
    images = {"default": None, "own": "/static/a.png", "remote": "https://x.example/static/a.png"}
    models = [model(name, "ann", meta={"profile_image_url": url} if url else {}) for name, url in images.items()]
    await behind.load({"models": models}, tmp_path)
    shown = {item["id"]: item["meta"]["profile_image_url"] for item in (await behind.page("ann"))["items"]}
    assert shown == {"default": root + DEFAULT, "own": f"{root}/static/a.png", "remote": images["remote"]}
    for name in ("default", "own"):
        answer = await behind.get(IMAGE, "ann", id=name)
        assert (answer.status_code, answer.headers["location"]) == (307, shown[name])
    exported = (await behind.get("/api/models/export", "ann", format="modeldeck")).json()["models"]
    assert [one["meta"].get("profile_image_url") for one in exported] == [*images.values()]


@pytest.mark.parametrize("meta", [{}, {"profile_image_url": "/static/a.png"}, {"profile_image_url": None}, {"x": 1}])
async def test_what_was_shown_may_be_sent_back(behind: Directory, meta: dict[str, object]) -> None:
    await behind.user("ann")
    await behind.post("/api/models/create", "ann", {"id": "m", "name": "M", "meta": meta})
    shown = (await behind.get(MODEL, "ann", id="m")).json()
    answer = await behind.post(UPDATE, "ann", {"id": "m", "name": "M", "meta": shown["meta"]})
    assert (answer.status_code, answer.json()) == (200, shown)
    sent = {"id": "m", "meta": {**shown["meta"], "y": 1}}
    assert (await behind.post(UPDATE, "ann", sent)).json()["meta"] == sent["meta"]
    stored = (await behind.get("/api/models/export", "ann", format="modeldeck")).json()["models"][0]["meta"]
    assert str(stored["profile_image_url"]).startswith(("/static/", "None"))
    imported = {"models": [{"id": "n", "name": "N", "meta": shown["meta"]}]}
    assert (await behind.post("/api/models/import", "ann", imported)).status_code == 200


async def test_no_other_image_may_be_sent(behind: Directory) -> None:
    await behind.user("ann")
    for url in (
        "/other/static/a.png",
        f"{behind.settings.root_path}/a.png",
        f"{behind.settings.root_path}/static/../a",
    ):
        meta = {"profile_image_url": url}
        answer = await behind.post("/api/models/create", "ann", {"id": "m", "name": "M", "meta": meta})
        assert answer.status_code == 422


async def test_the_link_to_the_next_page_is_below_it(behind: Directory, tmp_path: Path) -> None:
    await behind.user("ann")
    await behind.load({"models": [model(name, "ann") for name in "abc"]}, tmp_path)
    link = (await behind.get(LIST, "ann", page_size=2)).headers["link"]
    root = behind.settings.root_path or ""
    assert link.startswith(f"<{root}{LIST}?page_size=2&cursor=")
    stripped = link[1:].partition(">")[0].removeprefix(root)
    headers = {"Authorization": f"Bearer {await behind.key('ann')}"}
    assert [item["id"] for item in (await behind.client.get(stripped, headers=headers)).json()["items"]] == ["a"]
