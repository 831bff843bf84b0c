"""The life of an API key: stored only as a hash, never with more rights than its user and creator, and it expires."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from documents.api_key import Scope
from documents.user import Role
from service.database.client import Database
from service.settings import Settings
from tests.conftest import TIMEOUT_SECONDS
from tests.support.commands import CommandLine
from tests.support.directory import LIST, Directory
from tests.support.import_samples import NAME, Raw
from tests.support.openwebui_databases import LATE, make_database
from tests.support.watched_server import Server

MIGRATED = "sk-00000000000000000000000000000002"
KEYS, CREATE, REVOKE = "/api/keys", "/api/keys/create", "/api/keys/revoke"


async def send(directory: Directory, key: str, path: str = LIST, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    method = "GET" if body is None else "POST"
    return await directory.client.request(method, path, json=body, headers=headers)


async def status(directory: Directory, key: str) -> int:
    return (await send(directory, key)).status_code


async def made(directory: Directory, user: str, **content: Any) -> dict[str, Any]:
    answer = await directory.post(CREATE, user, {"name": "made", **content})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    key: dict[str, Any] = answer.json()
    return key


async def test_no_key_is_stored_or_logged_anywhere(
    shell: CommandLine, store: Raw, server: Server, mongo_uri: str, tmp_path: Path
) -> None:
    # Created by a command, adopted from another system, and created over HTTP for oneself and for others.
    source = make_database(tmp_path / "webui.db", LATE)
    shell.run("import", source.name, "--create-groups")
    source.unlink()
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    keys = [shell.ok("key", "create", "--user", "root"), MIGRATED]
    database = Database.connect(mongo_uri, NAME, TIMEOUT_SECONDS)
    settings = Settings(_env_file=None, data_dir=tmp_path)
    async with Directory.on(database, settings) as directory:
        for path, body in ((CREATE, {"name": "k"}), ("/api/users/keys/create", {"user_id": "ben", "name": "k"})):
            keys.append((await send(directory, keys[0], path, body)).json()["key"])
        for key in keys:
            for path in (LIST, KEYS, "/api/me", "/api/users/keys?user_id=ben", "/api/models/export?format=modeldeck"):
                answer = await send(directory, key, path)
                assert answer.status_code in (200, 403)
                assert not any(secret in answer.text for secret in _secrets(keys))
            assert (await send(directory, key[:-1] + "x")).status_code == 401
    database.close()

    known = [secret.encode() for secret in _secrets(keys)]
    assert sum(1 for _ in store.api_keys.find()) == len(keys)
    assert [place for place, record in server.records() if any(secret in record for secret in known)] == []
    assert [line for line in server.log().splitlines() if any(secret in line for secret in known)] == []
    assert [path for path in _files(tmp_path) if any(secret in path.read_bytes() for secret in known)] == []
    # The stored fields suffice to recognise an API key, but not to construct it.
    hashes = {record["sha256"] for record in store.api_keys.find()}
    assert hashes == {sha256(key.encode()).hexdigest() for key in keys}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _secrets(keys: list[str]) -> list[str]:
    """Return the whole API keys and their secret parts."""
    return [*keys, *(key.rpartition("_")[2] for key in keys if key.startswith("mdk_"))]


async def test_keys_have_a_known_format_and_enough_randomness(directory: Directory) -> None:
    await directory.user("ann")
    keys = [(await made(directory, "ann"))["key"] for _ in range(20)]
    assert all(re.fullmatch("mdk_[0-9a-f]{16}_[0-9a-f]{48}", key) for key in keys)
    for part in (1, 2):
        assert len({key.split("_")[part] for key in keys}) == len(keys)


async def test_keys_are_rotated_with_an_overlap(directory: Directory) -> None:
    await directory.user("ann")
    old = await made(directory, "ann", name="script")
    new = await made(directory, "ann", name="script")
    assert [await status(directory, key["key"]) for key in (old, new)] == [200, 200]
    assert (await send(directory, new["key"], REVOKE, {"id": old["id"]})).json() is True
    assert [await status(directory, key["key"]) for key in (old, new)] == [401, 200]
    # An API key can also revoke itself.
    assert (await send(directory, new["key"], REVOKE, {"id": new["id"]})).json() is True
    assert await status(directory, new["key"]) == 401


async def test_a_key_of_the_same_id_or_with_the_same_beginning_is_another_key(directory: Directory) -> None:
    await directory.user("ann")
    await directory.user("ben")
    ann, ben = [(await made(directory, user))["key"] for user in ("ann", "ben")]
    swapped = f"{ann.rpartition('_')[0]}_{ben.rpartition('_')[2]}"
    for other in (
        swapped,
        ann[:-1],
        ann[:40],
        f"{ann}0",
        f"{ann[:-1]}g",
        ann.upper(),
        sha256(ann.encode()).hexdigest(),
    ):
        assert await status(directory, ann) == 200
        assert await status(directory, other) == 401, other


async def test_a_key_expires_at_its_time(directory: Directory, raw: Raw) -> None:
    await directory.user("ann")
    end = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    key = await made(directory, "ann", expires_at=end)
    for seconds, expected in ((60, 200), (0, 401), (-1, 401)):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        raw.api_keys.update_one({"_id": key["id"]}, {"$set": {"expires_at": moment}})
        assert await status(directory, key["key"]) == expected
    odd: Any
    for odd in ("never", 2**40, False, [], {"later": 0}):
        # An expiry written past the service that is no date counts as expired.
        raw.api_keys.update_one({"_id": key["id"]}, {"$set": {"expires_at": odd}})
        assert await status(directory, key["key"]) == 401, odd


async def test_a_key_follows_its_owner_at_once(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", role=Role.ADMIN)
    key = (await made(directory, "ann"))["key"]
    for content, users, own in (
        ({"role": "user"}, 403, 200),
        ({"role": "admin"}, 200, 200),
        ({"is_active": False}, 401, 401),
        ({"is_active": True}, 200, 200),
        ({"role": "user", "is_active": False}, 401, 401),
        ({"is_active": True}, 403, 200),
    ):
        assert (await directory.post("/api/users/update", "root", {"id": "ann", **content})).status_code == 200
        assert ((await send(directory, key, "/api/users")).status_code, await status(directory, key)) == (users, own)


async def test_a_key_outlives_no_owner_and_is_not_the_next_ones(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    key = (await made(directory, "ann"))["key"]
    assert (await directory.post("/api/users/delete", "root", {"id": "ann"})).status_code == 200
    assert await status(directory, key) == 401
    again = {"id": "ann", "email": "ann@example.com", "name": "Another"}
    assert (await directory.post("/api/users/create", "root", again)).status_code == 200
    assert await status(directory, key) == 401


async def test_no_key_is_made_that_may_more_than_its_maker(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    for user in ("root", "ann"):
        reading = await directory.key(user, scope=Scope.READ)
        for path in (CREATE, "/api/users/keys/create"):
            for scope in ("read", "write"):
                body = {"name": "k", "scope": scope, **({} if path == CREATE else {"user_id": "root"})}
                assert (await send(directory, reading, path, body)).status_code == 403
        assert (await send(directory, reading, "/api/models/create", {"id": "m", "name": "M"})).status_code == 403
    body = {"name": "k", "user_id": "root"}
    assert (await directory.post("/api/users/keys/create", "ann", body)).status_code == 403
    # An API key that an admin creates for a user has the rights of that user.
    made_for_ann = await directory.post("/api/users/keys/create", "root", {"name": "k", "user_id": "ann"})
    assert (await send(directory, made_for_ann.json()["key"], "/api/users")).status_code == 403
    assert (await send(directory, made_for_ann.json()["key"], "/api/me")).json()["id"] == "ann"
