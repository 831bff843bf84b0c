"""JWTs of every kind: valid ones, and forged ones that a JWT library would refuse to make."""

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

MINUTES = timedelta(minutes=5)


def claims(**changes: Any) -> dict[str, Any]:
    """Return valid claims for ann, with changes; None omits a claim."""
    all_claims = {"sub": "ann", "exp": datetime.now(UTC) + MINUTES, **changes}
    return {name: value for name, value in all_claims.items() if value is not None}


def seconds_from_now(seconds: float) -> int:
    """Return a time in the future in the format of claims."""
    return int(datetime.now(UTC).timestamp() + seconds)


def rsa_key() -> rsa.RSAPrivateKey:
    """Return a new key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Return the public part of a key, as an issuer publishes it."""
    jwk: dict[str, Any] = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk


def jwks_file(path: Path, **keys: rsa.RSAPrivateKey) -> Path:
    """Write the public parts of some keys; return the path."""
    written = [{**public_jwk(key), "kid": kid, "alg": "RS256"} for kid, key in keys.items()]
    path.write_text(json.dumps({"keys": written}))
    return path


def encoded(part: bytes) -> str:
    """Return a part of a token in base64url."""
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def forge(header: Any, payload: Any, secret: bytes | None = None) -> str:
    """Return a token of any header and payload, even of bytes not in JSON; signed with HMAC if there is a secret."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = ".".join(map(encoded, parts))
    signature = hmac.digest(secret, signed.encode(), "sha256") if secret is not None else b""
    return f"{signed}.{encoded(signature)}"
