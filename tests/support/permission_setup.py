"""A directory with one model and every kind of caller, for the permission matrix and similar tests."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from httpx import Response
from pymongo.database import Database as SyncDatabase

from documents.api_key import Scope
from documents.user import Role
from service.auth.authentication import api_key_id, new_api_key
from tests.support.directory import Directory, grant, model
from tests.support.permission_matrix import IMAGE, MODEL, ROLES, Case, Ids
from tests.support.routes import Route
from tests.support.snapshot import Snapshot

Raw = SyncDatabase[dict[str, Any]]
NOTHING: Ids = MappingProxyType({})


class PermissionSetup:
    """A directory with one model and every kind of caller; `snapshot` is how it began."""

    def __init__(self, directory: Directory, raw: Raw, credentials: dict[str, str | None], ids: Ids) -> None:
        self._directory = directory
        self.credentials = credentials
        self.ids = ids
        self.snapshot = Snapshot(raw)

    @classmethod
    async def set_up(cls, directory: Directory, raw: Raw, tmp_path: Path) -> "PermissionSetup":
        await directory.group("org")
        await directory.group("team", "org")
        for user in ("owner", "writer", "reader", "stranger", "idle"):
            await directory.user(user)
        await directory.user("member", groups=["team"])
        await directory.user("admin", role=Role.ADMIN)
        await directory.user("second-admin", role=Role.ADMIN)
        grants = [grant("user:writer", "write"), grant("user:reader"), grant("group:org"), grant("user:idle", "write")]
        meta = {"profile_image_url": IMAGE}
        for name in ("One", "Two"):
            bundle = {"models": [model(MODEL, "owner", name=name, meta=meta, access_grants=grants)]}
            await directory.load(bundle, tmp_path)
        credentials: dict[str, str | None] = {role: await _credential(directory, role) for role in ROLES}
        raw.users.update_one({"_id": "idle"}, {"$set": {"is_active": False}})
        first = raw.revisions.find_one({"model_id": MODEL, "version": 1})
        assert first is not None
        spare = {
            f"{role} key": api_key_id(await directory.key(role.partition("-")[0], name="spare"))
            for role in ROLES
            if role.partition("-")[0] not in ("anonymous", "forged", "expired")
        }
        return cls(directory, raw, credentials, {"revision": first["_id"], **spare})

    async def send(
        self,
        route: Route,
        case: Case,
        role: str,
        *,
        instead: Ids = NOTHING,
        headers: Ids = NOTHING,
    ) -> Response:
        """Send the request of a case as one role; `instead` maps texts of the request to their replacements."""
        credential = self.credentials[role]
        ids = {**self.ids, "spare key": self.ids.get(f"{role} key", "")}
        body = json.dumps(case.body(ids)) if case.body and case.body(ids) else ""
        path = route.path.replace("{revision}", self.ids["revision"]).replace("{id}", MODEL)
        address = path + case.query
        for text, other in instead.items():
            body, address = body.replace(text, other), address.replace(text, other)
        sent = {"Authorization": f"Bearer {credential}"} if credential else {}
        return await self._directory.client.request(
            route.method, address, headers={**sent, **headers}, content=body.encode()
        )


async def _credential(directory: Directory, role: str) -> str | None:
    if role == "anonymous":
        return None
    if role == "forged":
        known = await directory.key("owner")
        return known[:-6] + new_api_key()[-6:]
    if role == "expired":
        return await directory.key("owner", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    user, _, reads = role.partition("-")
    return await directory.key(user, name=role, scope=Scope.READ if reads else Scope.WRITE)
