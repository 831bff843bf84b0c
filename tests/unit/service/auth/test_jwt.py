"""JWKS files: an invalid one is refused at start-up, not at the first request with a JWT."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.auth.jwt import Claims, JwtVerifier
from service.errors import ConfigurationError, UnauthorizedError
from service.settings import Settings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC: dict[str, Any] = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


def _verifier(path: Path, content: str) -> JwtVerifier:
    path.write_text(content)
    return JwtVerifier(Settings(_env_file=None, jwt_jwks_file=path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"keys": null}',
        '{"keys": [1]}',
        '{"keys": []}',
        json.dumps({"keys": [ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)]}),
        json.dumps({"keys": [RSAAlgorithm.to_jwk(KEY, as_dict=True)]}),
        json.dumps({"keys": [PUBLIC, PUBLIC]}),
        json.dumps({"keys": [{**PUBLIC, "kid": "a"}, {**PUBLIC, "kid": "a"}]}),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigurationError, match="MODELDECK_JWT_JWKS_FILE"):
        _verifier(tmp_path / "jwks.json", content)


def test_a_single_key_needs_no_name(tmp_path: Path) -> None:
    verifier = _verifier(tmp_path / "jwks.json", json.dumps({"keys": [PUBLIC]}))
    token = jwt.encode({"sub": "ann", "exp": 2**33}, KEY, algorithm="RS256")
    assert verifier.claims(token) == Claims("ann")
    with pytest.raises(UnauthorizedError):
        verifier.claims(token[:-8] + "AAAAAAAA")
    assert verifier.claims("mdk_0123_4567") is None
