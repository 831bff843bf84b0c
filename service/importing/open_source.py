"""Opening a source of any format and importing it, for the command line, the API and scripts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from service.database.client import Database
from service.errors import ConfigurationError
from service.importing.engine import Items, Progress, run_import
from service.importing.fetched_source import fetched_source
from service.importing.formats import FORMATS, Recognised, SourceFormat, reader_of, recognise
from service.importing.plan import ImportOptions
from service.importing.readers.litellm_db import TABLE as LITELLM_MODELS
from service.importing.readers.litellm_db import read_litellm_db
from service.importing.readers.modelfile_folder import read_modelfile_folder
from service.importing.readers.openwebui_db import MODELS as OPENWEBUI_MODELS
from service.importing.readers.openwebui_db import read_openwebui_db
from service.importing.readers.postgres_tables import PostgresTables
from service.importing.report import Report
from service.importing.source import Item, Source, SourceError, open_source
from service.importing.user_map import with_users_mapped

STANDARD_INPUT = "-"
POSTGRES = ("postgres", "postgresql")
_NAMED = "the format was named"
# Searching these for secrets takes longer than keeping their records, of which there are few in what may be sent.
_KEPT_WHEN_SENT = (
    *(SourceFormat.LITELLM_PRICES, SourceFormat.OPENAI_MODELS),
    *(SourceFormat.OLLAMA, SourceFormat.MODELS_DEV),
)


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source that is ready to be read: its format, the reason for it, and the share that has been read so far."""

    items: Items
    format: SourceFormat
    reason: str
    share: Callable[[], float]


@contextmanager
def open_named_source(
    where: str, wanted: SourceFormat | None, *, follow_includes: bool = False
) -> Iterator[OpenedSource]:
    """Open a file, `-` for standard input, a folder, or the URL of a database.

    Without `wanted`, the format is recognised. With `follow_includes`, the files of its folder that a file includes are
    read too. Raises SourceError when it can't be opened or recognised, and ConfigurationError for a database on
    standard input and for a folder of anything but Modelfiles.
    """
    if "://" in where:
        with _opened_database(where, wanted) as database:
            yield database
        return
    if where != STANDARD_INPUT and Path(where).is_dir():
        yield _opened_folder(Path(where), wanted)
        return
    with open_source(where, follow_includes=follow_includes) as source:
        found = _recognised(source, wanted)
        if found.format is SourceFormat.LITELLM_DB:
            raise ConfigurationError(f"{found.format} is a PostgreSQL database, which is opened by its URL")
        if found.format is not SourceFormat.OPENWEBUI_DB:
            # A file that is in memory as a whole is not parsed twice.
            yield _opened(source, found, once=FORMATS[found.format].whole)
            return
    if where == STANDARD_INPUT:
        raise ConfigurationError("A database can't be read from standard input; name its file.")
    with read_openwebui_db(where) as instance:
        yield OpenedSource(instance, found.format, found.reason, lambda: 0.0)


@contextmanager
def _opened_database(url: str, wanted: SourceFormat | None) -> Iterator[OpenedSource]:
    if url.startswith(("http://", "https://")):
        raise ConfigurationError("A web address is read with --from-url.")
    found = wanted or database_format(url)
    if found not in (SourceFormat.OPENWEBUI_DB, SourceFormat.LITELLM_DB):
        raise ConfigurationError(f"A URL is that of a database, which can't be read as {found}.")
    read = read_litellm_db if found is SourceFormat.LITELLM_DB else read_openwebui_db
    with read(url) as items:
        yield OpenedSource(items, found, "it is the URL of a database" if wanted is None else _NAMED, lambda: 0.0)


def database_format(url: str) -> SourceFormat:
    """Return the system to which a database belongs, by its tables.

    Raises SourceError when it can't be read, and ConfigurationError when it has the tables of two systems.
    """
    if url.partition("://")[0].partition("+")[0] not in POSTGRES:
        return SourceFormat.OPENWEBUI_DB
    with closing(PostgresTables(url)) as tables:
        of_openwebui, of_litellm = (bool(tables.present(table)) for table in (OPENWEBUI_MODELS, LITELLM_MODELS))
        if of_openwebui and of_litellm:
            formats = f"--format {SourceFormat.OPENWEBUI_DB} or {SourceFormat.LITELLM_DB}"
            raise ConfigurationError(f"{tables.name}: has tables of Open WebUI and of LiteLLM; name one with {formats}")
        if not of_openwebui and not of_litellm:
            names = f"{OPENWEBUI_MODELS.name} (Open WebUI) nor {LITELLM_MODELS.name} (LiteLLM)"
            raise SourceError(f"{tables.name}: has neither a table {names}")
    return SourceFormat.LITELLM_DB if of_litellm else SourceFormat.OPENWEBUI_DB


def _opened_folder(folder: Path, wanted: SourceFormat | None) -> OpenedSource:
    if wanted not in (None, SourceFormat.MODELFILE):
        raise ConfigurationError(f"{folder}: is a folder, which can only be read as {SourceFormat.MODELFILE}")

    @cache
    def kept_items() -> list[Item]:
        return list(read_modelfile_folder(folder))

    reason = "it is a folder, in which Modelfiles are looked for"
    return OpenedSource(lambda: iter(kept_items()), SourceFormat.MODELFILE, reason, lambda: 0.0)


@contextmanager
def open_fetched_source(
    url: str, header_variables: Sequence[str], wanted: SourceFormat | None
) -> Iterator[OpenedSource]:
    """Fetch a file from a URL and open it, as `fetched_source` does; without `wanted`, the format is recognised.

    Raises SourceError when it can't be fetched or read, and ConfigurationError for what is refused and for a database.
    """
    with fetched_source(url, header_variables) as source:
        found = _recognised(source, wanted)
        if FORMATS[found.format].read is None:
            raise ConfigurationError("A database can't be read from a web address; name its file or its own URL.")
        yield _opened(source, found, once=FORMATS[found.format].whole)


def open_sent_source(source: Source, wanted: SourceFormat | None) -> OpenedSource:
    """Return a source that was sent over HTTP, ready to be read; without `wanted`, the format is recognised.

    Raises ConfigurationError for a database, and UnrecognisedError.
    """
    found = _recognised(source, wanted)
    if FORMATS[found.format].read is None:
        raise ConfigurationError(
            f"{found.reason}; a database can't be sent, only imported by the command modeldeck import"
        )
    return _opened(source, found, once=FORMATS[found.format].whole or found.format in _KEPT_WHEN_SENT)


def _recognised(source: Source, wanted: SourceFormat | None) -> Recognised:
    if wanted is not None:
        return Recognised(wanted, _NAMED)
    return recognise(source)


def _opened(source: Source, found: Recognised, *, once: bool) -> OpenedSource:
    """Return a source that is read again for each pass, or only `once`: then its records are kept in memory."""
    reader, size = reader_of(found.format), max(source.size, 1)

    def items() -> Iterator[Item]:
        return reader(source)

    @cache
    def kept_items() -> list[Item]:
        return list(reader(source))

    share = partial(_share, source, size)
    return OpenedSource((lambda: iter(kept_items())) if once else items, found.format, found.reason, share)


def _share(source: Source, size: int) -> float:
    return min(source.tell() / size, 1.0)


async def import_opened(
    database: Database,
    source: OpenedSource,
    options: ImportOptions,
    user_map: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Import an opened source; `user_map` has the id of a user here for ids of users in the source."""
    items = source.items
    options = replace(options, format_name=str(source.format))
    if user_map:
        return await run_import(database, lambda: with_users_mapped(items(), user_map), options, progress)
    return await run_import(database, items, options, progress)


async def import_source(
    database: Database,
    where: str,
    options: ImportOptions = ImportOptions(),  # noqa: B008  # frozen
    *,
    wanted: SourceFormat | None = None,
    user_map: Mapping[str, str] | None = None,
) -> Report:
    """Import a file, `-` or the URL of a database, and return the report, to be closed after use.

    Raises SourceError and ConfigurationError as `open_named_source` does. A record that can't be imported raises
    nothing: `report.clean` says whether there is one, and `report.faults()` yields them.
    """
    with open_named_source(where, wanted) as source:
        return await import_opened(database, source, options, user_map)
