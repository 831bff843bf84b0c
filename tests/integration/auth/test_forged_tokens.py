"""Forged and misissued JWTs are refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.database.client import Database
from service.settings import Settings
from tests.support.directory import LIST, Directory
from tests.support.tokens import claims, encoded, forge, jwks_file, public_jwk, rsa_key, seconds_from_now

SECRET = b"a secret of thirty-two bytes or more"
ISSUER, AUDIENCE = "https://login.example", "modeldeck"
KEY, STRANGER = rsa_key(), rsa_key()
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
JWK = json.dumps(public_jwk(KEY)).encode()


def good(**changes: Any) -> dict[str, Any]:
    plain = {"iss": ISSUER, "aud": AUDIENCE, "exp": seconds_from_now(300)}
    return claims(**{**plain, **changes})


def by_issuer(payload: dict[str, Any], **header: Any) -> str:
    return jwt.encode(payload, KEY, algorithm="RS256", headers={"kid": "one", **header})


def resigned(token: str, header: bytes) -> str:
    """Return a valid token with its header replaced."""
    return ".".join([encoded(header), *token.split(".")[1:]])


@asynccontextmanager
async def _trusting(mongod: Database, settings: Settings, **how: Any) -> AsyncIterator[Directory]:
    changes = {**how, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    async with Directory.on(mongod, settings.model_copy(update=changes)) as directory:
        await directory.user("ann")
        yield directory


def _published(folder: Path) -> dict[str, Any]:
    return {"jwt_jwks_file": jwks_file(folder / "jwks.json", one=KEY)}


_SHARED = {"jwt_secret": SecretStr(SECRET.decode())}


@pytest.fixture
async def by_rsa(mongod: Database, settings: Settings, tmp_path: Path) -> AsyncIterator[Directory]:
    """The service with the public key of an issuer."""
    async with _trusting(mongod, settings, **_published(tmp_path)) as directory:
        yield directory


@pytest.fixture
async def by_secret(mongod: Database, settings: Settings) -> AsyncIterator[Directory]:
    """The service with a secret that it shares with an issuer."""
    async with _trusting(mongod, settings, **_SHARED) as directory:
        yield directory


@pytest.fixture(params=["rsa", "secret"])
async def either(
    request: pytest.FixtureRequest, mongod: Database, settings: Settings, tmp_path: Path
) -> AsyncIterator[Directory]:
    """The service with the public key of an issuer in one run, and with a shared secret in the other."""
    how = _published(tmp_path) if request.param == "rsa" else _SHARED
    async with _trusting(mongod, settings, **how) as directory:
        yield directory


async def status(directory: Directory, *authorizations: str) -> int:
    """Return the status of a request with several headers of the same name."""
    answer = await directory.client.get(LIST, headers=[("Authorization", one) for one in authorizations])
    return answer.status_code


ALGORITHMS: list[Any] = ["none", "None", "NONE", "nOnE", "", None, 0, ["none"], {}]
HMAC = [{"alg": "HS256", "kid": kid} for kid in ("one", "", "../../dev/null", "/dev/null")]
POINTING = [
    {"alg": "RS256", "jwk": public_jwk(STRANGER)},
    {"alg": "RS256", "kid": "one", "jwk": public_jwk(STRANGER)},
    {"alg": "RS256", "jku": "https://evil.example/jwks.json", "kid": "stranger"},
    {"alg": "RS256", "x5u": "https://evil.example/cert.pem"},
    {"alg": "RS256", "x5c": ["AAAA"]},
]
KEY_IDS = ["two", "", "ONE", "one\0", "../one", "' or 1=1 --", "$ne", "o" * 100_000]
HEADERS = [
    *(b"[]", b'"RS256"', b"1", b"null", b"{}", b"\xff\xfe", b"{", b""),
    *(b'{"alg":"RS256","kid":1}', b'{"alg":"RS256","kid":null}', b'{"alg":"RS256","kid":["one"]}'),
    *(b'{"alg":["RS256"],"kid":"one"}', b'{"alg":"RS256","kid":{"$ne":1}}', b'{"alg":"RS256","b64":false}'),
    *(b'{"alg":"RS256","x":' + b"9" * 5000 + b"}", b"[" * 30_000, b'{"alg":"RS256","x":"\\ud800"}'),
]


async def test_a_token_counts_when_all_is_right(by_rsa: Directory) -> None:
    assert await status(by_rsa, f"Bearer {by_issuer(good())}") == 200


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
async def test_nobody_gets_in_without_a_signature(either: Directory, algorithm: Any) -> None:
    token = forge({"alg": algorithm}, good())
    for sent in (token, token.rstrip("."), f"{token}AAAA"):
        assert await status(either, f"Bearer {sent}") == 401


@pytest.mark.parametrize("header", HMAC, ids=str)
async def test_what_is_public_is_no_secret(by_rsa: Directory, header: Any) -> None:
    for known in (PEM, PEM.strip(), DER, JWK, b"", b"\n", b"one", b"null"):
        assert await status(by_rsa, f"Bearer {forge(header, good(), known)}") == 401


@pytest.mark.parametrize("header", POINTING, ids="-".join)
async def test_a_token_does_not_bring_its_own_key(by_rsa: Directory, header: dict[str, Any]) -> None:
    token = jwt.encode(good(), STRANGER, algorithm="RS256", headers=header)
    assert await status(by_rsa, f"Bearer {token}") == 401


@pytest.mark.parametrize("kid", KEY_IDS, ids=lambda kid: repr(kid[:20]))
async def test_a_key_that_is_not_known_is_not_replaced_by_another(by_rsa: Directory, kid: str) -> None:
    assert await status(by_rsa, f"Bearer {by_issuer(good(), kid=kid)}") == 401


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: repr(header[:40]))
async def test_an_invalid_token_header_is_refused(either: Directory, header: bytes) -> None:
    for token in (resigned(by_issuer(good()), header), forge(header, good(), b"x")):
        assert await status(either, f"Bearer {token}") == 401


@pytest.mark.parametrize("critical", [["x"], ["exp"], [], "x", [1], None], ids=repr)
async def test_what_a_token_calls_critical_and_is_not_understood_is_refused(by_rsa: Directory, critical: Any) -> None:
    assert await status(by_rsa, f"Bearer {by_issuer(good(), crit=critical, x=1)}") == 401


WRONG = {
    "expired": {"exp": seconds_from_now(-3600)},
    "no expiry": {"exp": None},
    "an expiry that never comes": {"exp": float("inf")},
    "an expiry that is text": {"exp": "tomorrow"},
    "not valid yet": {"nbf": seconds_from_now(86_400)},
    "made in the future": {"iat": seconds_from_now(86_400)},
    "another issuer": {"iss": "https://login.example.evil.example"},
    "an issuer with a slash": {"iss": f"{ISSUER}/"},
    "several issuers": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "an audience that is none": {"aud": {AUDIENCE: 1}},
    "nobody": {"sub": None},
    "a number": {"sub": 1},
    "an operator": {"sub": {"$ne": 1}},
    "everyone": {"sub": "*"},
    "a principal": {"sub": "user:ann"},
    "another case": {"sub": "ANN"},
    "an email": {"sub": "ann@example.com"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
async def test_claims_that_are_not_right_do_not_count_although_the_issuer_signed_them(
    by_secret: Directory, changes: dict[str, Any]
) -> None:
    def signed(payload: dict[str, Any]) -> str:
        return forge({"alg": "HS256", "typ": "JWT"}, payload, SECRET)

    assert await status(by_secret, f"Bearer {signed(good())}") == 200
    assert await status(by_secret, f"Bearer {signed(good(**changes))}") == 401


async def test_a_token_of_a_disabled_or_deleted_user_is_refused_at_once(
    by_rsa: Directory, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await by_rsa.user("root", role=Role.ADMIN)
    token = f"Bearer {by_issuer(good())}"
    assert await status(by_rsa, token) == 200
    assert (await by_rsa.post("/api/users/update", "root", {"id": "ann", "is_active": False})).status_code == 200
    assert await status(by_rsa, token) == 401
    assert (await by_rsa.post("/api/users/update", "root", {"id": "ann", "is_active": True})).status_code == 200
    assert await status(by_rsa, token) == 200
    raw.users.delete_one({"_id": "ann"})
    assert await status(by_rsa, token) == 401


async def test_a_token_gives_no_role(by_rsa: Directory) -> None:
    boasting = by_issuer(good(role="admin", admin=True, scope="write", groups=["admins"]))
    answer = await by_rsa.client.get("/api/users", headers={"Authorization": f"Bearer {boasting}"})
    assert answer.status_code == 403


async def test_one_header_holds_one_credential(by_rsa: Directory) -> None:
    right, key = by_issuer(good()), await by_rsa.key("ann")
    for both in (f"{right} {right}", f"{right},{right}", f"{right}, Bearer {right}", f"{key} {key}", f"{right} {key}"):
        assert await status(by_rsa, f"Bearer {both}") == 401, both
    for pair in ((right, right), (right, "x"), ("x", right), (key, right), (key, key)):
        assert await status(by_rsa, *(f"Bearer {one}" for one in pair)) == 401, pair
    for scheme in ("Basic", "Token", "Bearer:", "Bearer,", "JWT", ""):
        assert await status(by_rsa, f"{scheme} {right}") == 401, scheme
    answer = await by_rsa.client.get(LIST, headers={"X-API-Key": key, "Cookie": f"token={key}; Authorization={key}"})
    assert answer.status_code == 401
    answer = await by_rsa.client.get(f"{LIST}?access_token={right}&token={key}&api_key={key}")
    assert answer.status_code == 401
