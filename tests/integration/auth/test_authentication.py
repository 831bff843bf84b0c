"""Authentication: API keys, generated and adopted, and JWTs if configured."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from pymongo.database import Database as SyncDatabase

from service.auth.authentication import Authenticator, new_api_key
from service.database.client import Database
from service.errors import InvalidInputError
from service.people.api_keys import adopt_api_key
from service.people.users import find_user
from service.settings import Settings
from tests.conftest import Commands
from tests.support.directory import LIST, Directory
from tests.support.tokens import claims, forge, jwks_file, public_jwk, rsa_key

SECRET = "s" * 32
NOW = datetime.now(UTC)


async def _status(directory: Directory, credential: str, scheme: str = "Bearer") -> int:
    answer = await directory.client.get(LIST, headers={"Authorization": f"{scheme} {credential}"})
    return answer.status_code


async def test_only_a_whole_and_right_key_counts(directory: Directory) -> None:
    await directory.user("ann")
    key = await directory.key("ann")
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")

    assert await _status(directory, key) == 200
    assert await _status(directory, key, scheme="bearer") == 200
    for credential in (
        wrong,
        key[:-1],
        key + "0",
        key.upper(),
        new_api_key(),
        "mdk_",
        "mdk__",
        "x",
        "",
        "a b",
        "é" * 40,
    ):
        headers = {b"Authorization": b"Bearer " + credential.encode()}
        answer = await directory.client.get(LIST, headers=headers)
        assert answer.status_code == 401, credential
        assert answer.json()["detail"] == (await directory.client.get(LIST)).json()["detail"]
    assert await _status(directory, key, scheme="Basic") == 401


async def test_a_key_is_random_and_stored_only_as_a_hash(
    directory: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    key = await directory.key("ann")
    prefix, key_id, secret = key.split("_")

    assert prefix == "mdk"
    assert len(bytes.fromhex(secret)) * 8 >= 160
    [stored] = raw.api_keys.find()
    assert stored["_id"] == key_id
    assert secret not in str(stored)


async def test_an_expired_key_or_a_key_of_a_disabled_or_deleted_user_does_not_count(
    directory: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    key = await directory.key("ann", expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert await _status(directory, key) == 200

    raw.api_keys.update_many({}, {"$set": {"expires_at": NOW - timedelta(seconds=1)}})
    assert await _status(directory, key) == 401

    raw.api_keys.update_many({}, {"$set": {"expires_at": None}})
    raw.users.update_one({"_id": "ann"}, {"$set": {"is_active": False}})
    assert await _status(directory, key) == 401

    raw.users.delete_one({"_id": "ann"})
    assert await _status(directory, key) == 401


async def test_a_key_made_elsewhere_keeps_working_and_is_stored_hashed(
    directory: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    ann = await find_user(directory.database, "ann")
    for foreign in ("sk-" + "0123456789abcdef" * 2, "a.b.c" * 8, "mdk_" + "z" * 30):
        await adopt_api_key(directory.database, ann.id, foreign, name="old")
        assert await _status(directory, foreign) == 200
        assert foreign not in str(list(raw.api_keys.find()))
    with pytest.raises(InvalidInputError):
        await adopt_api_key(directory.database, ann.id, "too-short", name="old")


async def test_the_last_use_is_stored_at_most_once_a_minute(
    directory: Directory, raw: SyncDatabase[dict[str, Any]], commands: Commands
) -> None:
    await directory.user("ann")
    key = await directory.key("ann")
    identity = Authenticator(directory.database)

    async def use() -> int:
        commands.clear()
        caller = await identity.resolve(f"Bearer {key}")
        if identity.last_use_is_old(caller):
            await identity.record_use(caller)
        return sum(name == "update" for name, _ in commands.on("api_keys"))

    assert [await use(), await use()] == [1, 0]
    [stored] = raw.api_keys.find()
    assert abs(stored["last_used_at"] - datetime.now(UTC)) < timedelta(seconds=10)
    raw.api_keys.update_many({}, {"$set": {"last_used_at": NOW - timedelta(minutes=2)}})
    assert [await use(), await use()] == [1, 0]


async def test_one_round_trip_finds_the_user_and_every_ancestor_group(directory: Directory, commands: Commands) -> None:
    for group, parent in (("top", None), ("middle", "top"), ("low", "middle"), ("other", None)):
        await directory.group(group, parent)
    await directory.user("ann", groups=["low"])
    authorization = f"Bearer {await directory.key('ann')}"
    commands.clear()

    caller = await Authenticator(directory.database).resolve(authorization)

    assert len(commands.started_events) == 1
    assert caller.principals == {"user:*", "user:ann", "group:low", "group:middle", "group:top"}


async def _with(mongod: Database, settings: Settings, **changes: Any) -> Any:
    return Directory.on(mongod, settings.model_copy(update=changes))


async def test_hs256_tokens(mongod: Database, settings: Settings) -> None:
    async with await _with(mongod, settings, jwt_secret=SecretStr(SECRET)) as directory:
        await directory.user("ann")

        def signed(claims: dict[str, Any], key: Any = SECRET, **options: Any) -> str:
            return jwt.encode(claims, key, algorithm=options.pop("algorithm", "HS256"), **options)

        assert await _status(directory, signed(claims())) == 200
        assert await _status(directory, await directory.key("ann")) == 200
        refused = {
            "expired": signed(claims(exp=NOW - timedelta(hours=1))),
            "no expiry": signed(claims(exp=None)),
            "no user": signed(claims(sub=None)),
            "unknown user": signed(claims(sub="eve")),
            "odd user": signed(claims(sub="a\0b")),
            "surrogate": signed(claims(sub="\ud800")),
            "wrong key": signed(claims(), "x" * 32),
            "unsigned": jwt.encode(claims(), "", algorithm="none"),
            "other algorithm": signed(claims(), algorithm="HS512", key=SECRET * 2),
            "asymmetric": signed(claims(), rsa_key(), algorithm="RS256"),
        }
        for reason, token in refused.items():
            assert await _status(directory, token) == 401, reason


async def test_rs256_tokens_by_a_jwks_file(mongod: Database, settings: Settings, tmp_path: Path) -> None:
    first, second, stranger = rsa_key(), rsa_key(), rsa_key()
    file = jwks_file(tmp_path / "jwks.json", one=first, two=second)
    changes = {"jwt_jwks_file": file, "jwt_issuer": "https://login.example", "jwt_audience": "modeldeck"}
    async with await _with(mongod, settings, **changes) as directory:
        await directory.user("ann")
        good = claims(iss="https://login.example", aud="modeldeck")
        unsigned = {**good, "exp": int(good["exp"].timestamp())}

        def signed(claims: dict[str, Any], key: rsa.RSAPrivateKey, kid: str | None) -> str:
            return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid} if kid else {})

        assert await _status(directory, signed(good, first, "one")) == 200
        assert await _status(directory, signed(good, second, "two")) == 200
        public = json.dumps(public_jwk(first)).encode()
        refused = {
            "swapped key": signed(good, second, "one"),
            "unknown key": signed(good, stranger, "three"),
            "no key id": signed(good, first, None),
            "issuer": signed({**good, "iss": "https://evil.example"}, first, "one"),
            "no issuer": signed(claims(aud="modeldeck"), first, "one"),
            "audience": signed({**good, "aud": "other"}, first, "one"),
            "no audience": signed(claims(iss="https://login.example"), first, "one"),
            "public key as secret": forge({"alg": "HS256", "kid": "one"}, unsigned, public),
        }
        for reason, token in refused.items():
            assert await _status(directory, token) == 401, reason
