"""MODELDECK_* variables and `.env`, read once into a frozen Settings."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ConfigurationError

PREFIX = "MODELDECK_"
MIN_SECRET_BYTES = 32


class Settings(BaseSettings):
    """Every setting, its meaning and its default; `docs/settings.md` is tested against this class."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    mongodb_uri: SecretStr | None = Field(
        None, description="MongoDB to use: a replica set or sharded cluster. Without it, the embedded one."
    )
    database: str = Field("modeldeck", description="Name of the database.", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    data_dir: Path = Field(Path(".modeldeck"), description="Where the embedded MongoDB keeps its files.")
    readers_see_params: bool = Field(
        False, description="Show `params`, which hold system prompts, to callers who may read but not write."
    )
    request_timeout: float = Field(10.0, gt=0, le=300, description="Seconds until a database call is given up.")
    list_timeout: float = Field(5.0, gt=0, le=300, description="The same for a list request.")
    jwt_secret: SecretStr | None = Field(None, description="Accept HS256 tokens signed with this (32 bytes or more).")
    jwt_jwks_file: Path | None = Field(None, description="Accept RS256 tokens signed by a key of this JWKS file.")
    jwt_issuer: str | None = Field(None, description="Required `iss` of a token.")
    jwt_audience: str | None = Field(None, description="Required `aud` of a token.")
    jwt_user_claim: str = Field("sub", min_length=1, description="The claim that holds the user's id.")

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
        return secret

    @model_validator(mode="after")
    def _one_algorithm(self) -> Self:
        if self.jwt_secret is not None and self.jwt_jwks_file is not None:
            raise ValueError("MODELDECK_JWT_SECRET and MODELDECK_JWT_JWKS_FILE exclude each other")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigurationError that names each bad variable.

    A variable may also be given as a file: with `MODELDECK_SECRETS_DIR=/run/secrets`, the file
    `/run/secrets/modeldeck_mongodb_uri` holds MODELDECK_MONGODB_URI.
    """
    secrets_dir = os.environ.get(f"{PREFIX}SECRETS_DIR")
    try:
        return Settings(_secrets_dir=secrets_dir, **overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            if problem["loc"]
            else problem["msg"]
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(problems) from None
