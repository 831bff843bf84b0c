"""JWTs: one pinned algorithm, expiry required by default, issuer and audience checked when set (RFC 8725)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from documents.text import MAX_ID_LENGTH, text_problem
from service.errors import ConfigurationError, UnauthorizedError
from service.settings import Settings

# The claim by which Open WebUI ends all earlier sessions of a user.
STAMP = "session_stamp"
NOT_CLAIMED = object()


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: who its user is, and the stamp of their sessions, of any type, or NOT_CLAIMED."""

    user_id: str
    session_stamp: Any = NOT_CLAIMED

    def fits(self, stamp: Any) -> bool:
        """Return whether sessions with the stored stamp are those of this token; a user need not have a stamp."""
        return stamp is None or self.session_stamp is NOT_CLAIMED or self.session_stamp == stamp


class JwtVerifier:
    """Checks the signature and claims of a token. It does not check whether the user exists."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._claim = settings.jwt_user_claim
        self._required = [self._claim] if settings.jwt_without_expiry else ["exp", self._claim]
        self._keys: dict[str | None, Any]
        if settings.jwt_secret is not None:
            self._algorithm = "HS256"
            self._keys = {None: settings.jwt_secret.get_secret_value()}
        elif settings.jwt_jwks_file is not None:
            self._algorithm = "RS256"
            self._keys = _read_jwks(settings.jwt_jwks_file)
        else:
            raise ConfigurationError("No JWT key is configured.")

    def claims(self, token: str) -> Claims | None:
        """Return what a valid token claims, or None when `token` is no JWT.

        Raises UnauthorizedError for an invalid JWT: wrong algorithm, signature, expiry, issuer or audience, or no
        usable user claim.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        try:
            claims = jwt.decode(
                token,
                self._key(header.get("kid")),
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": self._required, "verify_aud": self._audience is not None},
            )
        except jwt.PyJWTError:
            raise UnauthorizedError from None
        user_id = claims[self._claim]
        if not isinstance(user_id, str) or not 0 < len(user_id) <= MAX_ID_LENGTH or text_problem(user_id):
            raise UnauthorizedError
        return Claims(user_id, claims.get(STAMP, NOT_CLAIMED))

    def _key(self, kid: Any) -> Any:
        if len(self._keys) == 1 and (kid is None or None in self._keys):
            return next(iter(self._keys.values()))
        if not isinstance(kid, str) or kid not in self._keys:
            raise UnauthorizedError
        return self._keys[kid]


def _read_jwks(path: Path) -> dict[str | None, Any]:
    try:
        usable = [key for key in jwt.PyJWKSet.from_dict(json.loads(path.read_text())).keys if key.key_type == "RSA"]
    except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigurationError(f"MODELDECK_JWT_JWKS_FILE {path}: is not a JWKS file ({error})") from None
    identifiers = [key.key_id for key in usable]
    if not usable:
        raise ConfigurationError(f"MODELDECK_JWT_JWKS_FILE {path}: contains no RSA key")
    if any(isinstance(key.key, RSAPrivateKey) for key in usable):
        raise ConfigurationError(
            f"MODELDECK_JWT_JWKS_FILE {path}: contains a private key, which only the issuer should have"
        )
    if len(usable) > 1 and (None in identifiers or len(set(identifiers)) < len(identifiers)):
        raise ConfigurationError(f"MODELDECK_JWT_JWKS_FILE {path}: with several keys, each needs its own `kid`")
    return {key.key_id: key.key for key in usable}
