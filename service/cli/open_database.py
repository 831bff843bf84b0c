"""From settings to an open database, for every command; the embedded MongoDB is started when none is named."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from pydantic import SecretStr

from indexes.drift import Drift
from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.errors import ConfigurationError
from service.settings import Settings

log = logging.getLogger("modeldeck")

# What a command that was killed was writing stays locked until the server gives its transaction up: after 60 seconds
# and up to half a minute more (transactionLifetimeLimitSeconds).
ORPHANED_SECONDS = 120.0


@contextmanager
def located_mongo(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a MongoDB URI in them; without one, the embedded MongoDB runs while the block does."""
    if settings.mongodb_uri is not None:
        yield settings
        return
    embedded = EmbeddedMongo(settings.data_dir)
    with embedded.lease():
        yield settings.model_copy(update={"mongodb_uri": SecretStr(embedded.uri(settings.database))})


def mongodb_uri(settings: Settings) -> str:
    """Return the URI of located settings."""
    assert settings.mongodb_uri is not None  # noqa: S101  # see `located`
    return settings.mongodb_uri.get_secret_value()


def _require_guards(drifts: Sequence[Drift]) -> None:
    for drift in drifts:
        if drift.guards:
            raise ConfigurationError(f"An index that keeps values unique is not as declared: {drift}. Drop it first.")
        log.warning("%s; see: modeldeck indexes check", drift)


@asynccontextmanager
async def open_database(settings: Settings, *, with_indexes: bool = True) -> AsyncIterator[Database]:
    """Yield the open database of located settings, its missing indexes made first: emails are unique by one."""
    database = Database.connect(
        mongodb_uri(settings), settings.database, settings.request_timeout, conflict_retry_seconds=ORPHANED_SECONDS
    )
    try:
        await database.open()
        if with_indexes:
            _require_guards(await ensure(database))
        yield database
    finally:
        database.close()
