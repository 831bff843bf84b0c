"""From settings to an open database, for every command; the embedded MongoDB is started when none is named."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

from pydantic import SecretStr

from indexes.drift import Drift
from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.errors import ConfigurationError
from service.settings import Settings, load_settings

T = TypeVar("T")

# Making the indexes of an empty database takes less.
SLOW_SECONDS = 3.0
BUILDING = "indexes are missing and are being built, which can take minutes"

log = logging.getLogger("modeldeck")

# The transaction of a command that was killed keeps its records locked until the server aborts it: after 60 seconds
# (transactionLifetimeLimitSeconds) and up to half a minute more.
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
    assert settings.mongodb_uri is not None  # noqa: S101  # see `located_mongo`
    return settings.mongodb_uri.get_secret_value()


def _require_guards(drifts: Sequence[Drift]) -> None:
    for drift in drifts:
        if drift.keeps_unique:
            raise ConfigurationError(f"An index that keeps values unique is not as declared: {drift}. Drop it first.")
        log.warning("%s; see: modeldeck indexes check", drift)


async def ensure_indexes(database: Database) -> list[Drift]:
    """Do what `ensure` does, and say so if the building of indexes takes long."""
    loop = asyncio.get_running_loop()
    with ExitStack() as waiting:
        return await ensure(
            database, lambda: waiting.callback(loop.call_later(SLOW_SECONDS, log.warning, BUILDING).cancel)
        )


@asynccontextmanager
async def open_database(settings: Settings, *, with_indexes: bool = True) -> AsyncIterator[Database]:
    """Yield the open database of located settings.

    With indexes, the missing ones are made first: without them, emails would not be unique.
    """
    database = Database.connect(
        mongodb_uri(settings), settings.database, settings.request_timeout, conflict_retry_seconds=ORPHANED_SECONDS
    )
    try:
        await database.open()
        if with_indexes:
            _require_guards(await ensure_indexes(database))
        yield database
    finally:
        # An interrupted command leaves nothing running on the server, and no thread that waits for it.
        await database.calls.end_abandoned()
        database.close()


def with_database(work: Callable[[Database], Awaitable[T]], *, with_indexes: bool = True) -> T:
    """Run `work` on the database that the settings name, and return its result."""

    async def run() -> T:
        async with open_database(settings, with_indexes=with_indexes) as database:
            return await work(database)

    with located_mongo(load_settings()) as settings:
        return asyncio.run(run())
