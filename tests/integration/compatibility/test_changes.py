"""Sharing what has no record yet, and deleting everything, as Open WebUI's clients ask for it."""

from typing import Any

from documents.user import Role
from service.database.client import Database
from service.settings import Settings
from tests.conftest import Raw
from tests.support.directory import Directory, grant

V1 = "/api/v1/models"
SHARE = f"{V1}/model/access/update"


def _share(model_id: str, *grants: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"id": model_id, "access_grants": [*grants], **more}


async def test_an_admin_shares_a_providers_model_that_has_no_record(directory: Directory) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    body = _share("vendor/gpt:1", grant("user:*"), name="GPT")
    assert (await directory.post(SHARE, "ann", body)).status_code == 404
    assert (await directory.post(SHARE, "root", body, if_match='"1"')).status_code == 404
    created = (await directory.post(SHARE, "root", body)).json()
    assert (created["name"], created["base_model_id"], created["is_active"]) == ("GPT", None, True)
    assert (await directory.get(f"{V1}/base", "bob")).json()[0]["id"] == "vendor/gpt:1"
    private = (await directory.post(SHARE, "root", _share("vendor/gpt:1", name="Other"))).json()
    assert (private["name"], private["access_grants"], private["version"]) == ("GPT", [], 2)
    assert (await directory.post(SHARE, "root", _share("nameless"))).json()["name"] == "nameless"
    refused = await directory.post(SHARE, "root", _share("new", grant("user:nobody")))
    assert (refused.status_code, "nobody" in refused.json()["detail"]) == (422, True)
    assert (await directory.get(f"{V1}/model", "root", id="new")).status_code == 404
    assert (await directory.post("/api/models/model/access/update", "root", _share("new"))).status_code == 404


async def test_sharing_brings_no_deleted_model_back(directory: Directory) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    assert (await directory.post(f"{V1}/create", "ann", {"id": "m", "name": "M"})).status_code == 200
    assert (await directory.post(f"{V1}/model/delete", "ann", {"id": "m"})).status_code == 200
    assert (await directory.post(SHARE, "root", _share("m", grant("user:*")))).status_code == 404
    assert (await directory.post(f"{V1}/create", "ann", {"id": "m", "name": "Again"})).status_code == 200


async def test_who_may_only_write_is_told_that_they_can_not_share(directory: Directory) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    model = {"id": "m", "name": "M", "access_grants": [grant("user:bob", "write")]}
    await directory.post(f"{V1}/create", "ann", model)
    refused = await directory.post(SHARE, "bob", _share("m", grant("user:*"), name="M"))
    detail = "Only the owner of this model and admins may do this."
    assert (refused.status_code, refused.json()["detail"]) == (403, detail)


async def test_everything_is_deleted_only_where_the_service_is_set_to(
    mongod: Database, settings: Settings, raw: Raw
) -> None:
    async def delete(directory: Directory, user: str) -> Any:
        headers = {"Authorization": f"Bearer {await directory.key(user)}"}
        return await directory.client.delete(f"{V1}/delete/all", headers=headers)

    async with Directory.on(mongod, settings) as directory:
        await directory.user("ann")
        await directory.user("root", role=Role.ADMIN)
        for model_id in ("a", "b/c"):
            assert (await directory.post(f"{V1}/create", "ann", {"id": model_id, "name": "M"})).status_code == 200
        refused = await delete(directory, "root")
        assert (refused.status_code, "MODELDECK_COMPATIBILITY_RESET" in refused.json()["detail"]) == (403, True)
        assert (await delete(directory, "ann")).status_code == 403
    assert raw.models.count_documents({}) == 2
    async with Directory.on(mongod, settings.model_copy(update={"compatibility_reset": True})) as directory:
        assert (await delete(directory, "ann")).status_code == 403
        done = await delete(directory, "root")
        assert (done.status_code, done.json()) == (200, True)
        assert raw.models.count_documents({}) == 0
        # The history stays, and each deletion is in it.
        assert sorted(raw.revisions.distinct("model_id", {"change": "delete", "by": "root"})) == ["a", "b/c"]
        assert (await delete(directory, "root")).json() is True
