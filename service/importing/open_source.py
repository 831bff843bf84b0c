"""The way in for commands and scripts: a source of any format, opened and imported."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from service.database.client import Database
from service.errors import ConfigurationError
from service.importing.engine import Items, Progress, run_import
from service.importing.formats import Format, Recognised, reader_of, recognise
from service.importing.plan import ImportOptions
from service.importing.readers.openwebui_db import read_openwebui_db
from service.importing.report import Report
from service.importing.source import Source, open_source
from service.importing.user_map import with_users_mapped

STANDARD_INPUT = "-"
_NAMED = "the format was named"
_UNKNOWN = "it looks like none of the other formats"


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source that is ready to be read: its format, how that is known, and the share of it that has been read."""

    items: Items
    format: Format
    reason: str
    share: Callable[[], float]


@contextmanager
def open_named_source(where: str, wanted: Format | None) -> Iterator[OpenedSource]:
    """Open a file, `-` for standard input, or the URL of a database; without a wanted format, its content tells.

    Raises SourceError for what can't be opened, and ConfigurationError for a database that is no file.
    """
    if "://" in where:
        with read_openwebui_db(where) as instance:
            yield OpenedSource(instance, Format.OPENWEBUI_DB, "it is the URL of a database", lambda: 0.0)
        return
    with open_source(where) as source:
        seen = _seen(source, wanted)
        if seen.format is not Format.OPENWEBUI_DB:
            yield _read_as(source, seen)
            return
    if where == STANDARD_INPUT:
        raise ConfigurationError("A database can't be read from standard input; name its file.")
    with read_openwebui_db(where) as instance:
        yield OpenedSource(instance, seen.format, seen.reason, lambda: 0.0)


def open_sent_source(source: Source, wanted: Format | None) -> OpenedSource:
    """Return a source that was sent, ready to be read; without a wanted format, its content tells.

    Raises ConfigurationError for a database, which can't be sent.
    """
    seen = _seen(source, wanted)
    if seen.format is Format.OPENWEBUI_DB:
        raise ConfigurationError(f"{seen.reason}; a database can't be sent, only imported by command: modeldeck import")
    return _read_as(source, seen)


def _seen(source: Source, wanted: Format | None) -> Recognised:
    guess = recognise(source) if wanted is None else Recognised(wanted, _NAMED)
    # What nobody knows is read as a bundle, the strictest of all, which says what is wrong with it.
    return guess or Recognised(Format.MODELDECK, _UNKNOWN)


def _read_as(source: Source, seen: Recognised) -> OpenedSource:
    reader, size = reader_of(seen.format), max(source.size, 1)
    return OpenedSource(lambda: reader(source), seen.format, seen.reason, lambda: min(source.tell() / size, 1.0))


async def import_opened(
    database: Database,
    source: OpenedSource,
    options: ImportOptions,
    user_map: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Import an opened source; `user_map` says which users of the source are which users here."""
    items = source.items
    if user_map:
        return await run_import(database, lambda: with_users_mapped(items(), user_map), options, progress)
    return await run_import(database, items, options, progress)


async def import_source(
    database: Database,
    where: str,
    options: ImportOptions = ImportOptions(),  # noqa: B008  # frozen
    *,
    wanted: Format | None = None,
    user_map: Mapping[str, str] | None = None,
) -> Report:
    """Import a file, `-` or the URL of a database, and return what became of everything; close the report after use.

    Raises SourceError and ConfigurationError as `opened_source` does. What can't be taken over is no error:
    `report.clean` tells whether there is any, `report.faults()` yields it.
    """
    with open_named_source(where, wanted) as source:
        return await import_opened(database, source, options, user_map)
