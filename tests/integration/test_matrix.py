"""The matrix of verbs, roles and ownership, over every route there is: nobody gets in where they may not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from pymongo.database import Database as SyncDatabase

from documents.api_key import Scope
from documents.user import Role
from service.identity import key_id, new_key
from tests.directory import Directory, grant, model
from tests.doors import GUARDED, LENIENT, STRICT, Door
from tests.matrix import CASES, IMAGE, MODEL, ROLES, Case, Facts

Raw = SyncDatabase[dict[str, Any]]
COLLECTIONS = ("models", "users", "groups", "api_keys", "revisions")


class Stage:
    """A directory with one model and everyone who could have to do with it; it can be set back."""

    def __init__(self, directory: Directory, raw: Raw, credentials: dict[str, str | None], facts: Facts) -> None:
        self._directory = directory
        self._raw = raw
        self._credentials = credentials
        self._facts = facts
        self._saved = self.state()

    @classmethod
    async def set_up(cls, directory: Directory, raw: Raw, tmp_path: Path) -> "Stage":
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
            f"{role} key": key_id(await directory.key(role.partition("-")[0], name="spare"))
            for role in ROLES
            if role.partition("-")[0] not in ("anonymous", "forged", "expired")
        }
        return cls(directory, raw, credentials, {"revision": first["_id"], **spare})

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Return all that is stored and that a request by itself does not change."""
        hidden = {"last_used_at": 0}
        return {name: list(self._raw[name].find({}, hidden).sort("_id")) for name in COLLECTIONS}

    def set_back(self) -> None:
        """Make everything as it was in the beginning."""
        for name, documents in self._saved.items():
            self._raw[name].delete_many({})
            self._raw[name].insert_many(documents)

    def unchanged(self) -> bool:
        """Say whether everything is as it was in the beginning."""
        return self.state() == self._saved

    async def send(self, door: Door, case: Case, role: str) -> Response:
        """Send the request of a case as one role."""
        credential = self._credentials[role]
        facts = {**self._facts, "spare key": self._facts.get(f"{role} key", "")}
        body = case.body(facts) if case.body else None
        return await self._directory.client.request(
            door.method,
            door.path.replace("{revision}", self._facts["revision"]) + case.query,
            headers={"Authorization": f"Bearer {credential}"} if credential else {},
            json=body or None,
        )


async def _credential(directory: Directory, role: str) -> str | None:
    if role == "anonymous":
        return None
    if role == "forged":
        known = await directory.key("owner")
        return known[:-6] + new_key()[-6:]
    if role == "expired":
        return await directory.key("owner", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    user, _, reads = role.partition("-")
    return await directory.key(user, name=role, scope=Scope.READ if reads else Scope.WRITE)


def test_every_route_has_a_case() -> None:
    assert {f"{door.method} {door.inner}" for door in GUARDED} == CASES.keys()


@pytest.mark.parametrize("doors", [STRICT, LENIENT], ids=["strict", "lenient"])
async def test_nobody_gets_in_where_they_may_not(
    real_directory: Directory, raw: Raw, tmp_path: Path, doors: list[Door]
) -> None:
    stage = await Stage.set_up(real_directory, raw, tmp_path)
    for door in doors:
        case = CASES[f"{door.method} {door.inner}"]
        for role in ROLES:
            answer = await stage.send(door, case, role)
            assert answer.status_code == case.status(role), f"{door}, {role}: {answer.text}"
            assert stage.unchanged() == (role not in case.changing), f"{door}, {role}"
            if role in case.changing:
                stage.set_back()
