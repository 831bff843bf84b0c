"""The settings, read once from MODELDECK_* variables and `.env`."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import ConfigurationError

PREFIX = "MODELDECK_"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
MIN_SECRET_BYTES = 32
# As browsers write it: in lower case, and without the port that is the default of the scheme.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?", re.ASCII)
_DEFAULT_PORT = re.compile(r"http:.*:80|https:.*:443")
_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)+", re.ASCII)
# Kubernetes sets these in every container when there is a service named modeldeck.
_OF_KUBERNETES = re.compile(rf"^{PREFIX}(SERVICE_HOST|SERVICE_PORT.*|PORT(_.*)?)$")


class Settings(BaseSettings):
    """Every setting with its meaning and default; a test compares `docs/settings.md` with this class."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    mongodb_uri: SecretStr | None = Field(
        None, description="MongoDB to use: a replica set or sharded cluster. Without it, the embedded one."
    )
    database: str = Field("modeldeck", description="Name of the database.", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    data_dir: Path = Field(Path(".modeldeck"), description="Where the embedded MongoDB keeps its files.")
    readers_see_params: bool = Field(
        False, description="Show `params`, which hold system prompts, to callers who may read but not write."
    )
    image_redirects: bool = Field(
        False, description="Redirect to images that are `https://` addresses; otherwise these get 404."
    )
    request_timeout: float = Field(
        10.0,
        gt=0,
        le=300,
        description="Seconds within which a request is answered; six times as many if it concerns many records.",
    )
    export_timeout: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds within which an answer that is sent in parts, such as an export, has to be taken as a "
        "whole; each part has to be taken within the time of a request.",
    )
    list_timeout: float = Field(5.0, gt=0, le=300, description="The same for a list.")
    max_in_flight: int = Field(
        64,
        ge=1,
        le=1000,
        description="Requests that one process answers at a time; further ones get 503 at once. With one credential, "
        "at most seven in eight of them. At most one in eight of them may be exports, as many changes of many models, "
        "and as many changes of users and groups; one user has at most half of these.",
    )
    max_followers: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Callers who may follow changes in one process at a time, apart from the requests that it "
        "answers; further ones get 503. One user has at most an eighth of these places.",
    )
    drain_seconds: float = Field(
        2.0,
        ge=0,
        le=20,
        description="Seconds from SIGTERM until the service stops listening; meanwhile it reports that it is not "
        "ready.",
    )
    auth_failures_per_minute: int = Field(
        60,
        ge=1,
        le=100_000,
        description="Wrong API keys and tokens that one process allows from one address in a minute; further ones get "
        "429.",
    )
    root_path: str | None = Field(
        None,
        description="The path, such as `/modeldeck`, below which a proxy shows the service and which it strips. Links "
        "begin with it.",
    )
    cors_origins: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None,
        description="Comma-separated origins, such as `https://app.example.com`, of the web pages whose scripts may "
        "call the API.",
    )
    writes_per_hour: int | None = Field(
        None,
        ge=1,
        description="Changes that one process allows one user in an hour: requests that change something, and each "
        "model that a bulk change or an import changes; further ones get 429. By default any number.",
    )
    history_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days for which changes are kept; of each model, user and group, the newest older one is kept too, "
        "but nothing of a user or group that was deleted before. By default for ever.",
    )
    log_format: Literal["json", "text"] | None = Field(
        None, description="`json` or `text`. By default `text` on a terminal, else `json`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What to log: `debug` (probes too), `info` (each request), `warning` or `error`."
    )
    metrics_token: SecretStr | None = Field(
        None, min_length=16, description="The bearer token that `/metrics` requires. By default none is required."
    )
    tracing: bool = Field(False, description="Send traces to an OpenTelemetry collector; needs the extra `tracing`.")
    docs: bool | None = Field(
        None,
        description="Serve `/docs`, `/redoc` and `/openapi.json`. By default only with the embedded MongoDB.",
    )
    compatibility_reset: bool = Field(
        False, description="Let an admin delete all models at once with `DELETE /api/v1/models/delete/all`."
    )
    page: bool = Field(True, description="Serve the page, for people with a browser, at `/`.")
    jwt_secret: SecretStr | None = Field(None, description="Accept HS256 tokens signed with this (32 bytes or more).")
    jwt_jwks_file: Path | None = Field(None, description="Accept RS256 tokens signed with a key of this JWKS file.")
    jwt_issuer: str | None = Field(None, description="Required `iss` of a token.")
    jwt_audience: str | None = Field(None, description="Required `aud` of a token.")
    jwt_user_claim: str = Field("sub", min_length=1, description="The claim that holds the user's id.")

    jwt_without_expiry: bool = Field(False, description="Accept tokens without `exp`, which are valid for ever.")
    url: str = Field("http://127.0.0.1:8000", description="The service that `modeldeck mcp` reads from.")
    key: SecretStr | None = Field(None, description="The API key that `modeldeck mcp` reads with.")

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
        return secret

    @field_validator("root_path")
    @classmethod
    def _a_path(cls, path: str | None) -> str | None:
        if path is not None and not _ROOT_PATH.fullmatch(path):
            raise ValueError("must begin with / and not end with it, such as /modeldeck; letters, digits and ._~-")
        return path

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, origins: Any) -> Any:
        listed = [origin.strip() for origin in origins.split(",")] if isinstance(origins, str) else origins
        for origin in listed or ():
            if origin == "*":
                # Pages anywhere could read what needs no key, such as /metrics, from inside a private network.
                raise ValueError("must list origins one by one; * is not possible")
            if not _ORIGIN.fullmatch(origin) or _DEFAULT_PORT.fullmatch(origin):
                shown = "scheme://host or scheme://host:port, in lower case and without the default port"
                raise ValueError(f"{origin!r} is not an origin as browsers send it: {shown}")
        return listed

    @model_validator(mode="after")
    def _one_algorithm(self) -> Self:
        if self.jwt_secret is not None and self.jwt_jwks_file is not None:
            raise ValueError("MODELDECK_JWT_SECRET and MODELDECK_JWT_JWKS_FILE exclude each other")
        return self


def _checked_variables() -> dict[str, str]:
    variables = {**dotenv_values(Settings.model_config["env_file"]), **os.environ}  # type: ignore[arg-type]
    ours = {name.upper(): value for name, value in variables.items() if name.upper().startswith(PREFIX)}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {SECRETS_DIR}
    unknown = [name for name in ours.keys() - known if not _OF_KUBERNETES.match(name)]
    if unknown:
        raise ConfigurationError(f"There is no setting {', '.join(sorted(unknown))}; see docs/settings.md.")
    return {name: value for name, value in ours.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigurationError that names each bad variable.

    A variable may also be given as a file: with `MODELDECK_SECRETS_DIR=/run/secrets`, the file
    `/run/secrets/modeldeck_mongodb_uri` holds MODELDECK_MONGODB_URI.
    """
    secrets_dir = _checked_variables().get(SECRETS_DIR)
    if secrets_dir and not Path(secrets_dir).is_dir():
        raise ConfigurationError(f"{SECRETS_DIR}: {secrets_dir} is not a directory")
    try:
        return Settings(_secrets_dir=secrets_dir, **overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg'].removeprefix('Value error, ')}"
            if problem["loc"]
            else problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(problems) from None
