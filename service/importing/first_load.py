"""Loading an empty directory: what no import looks up is indexed once, when all records are stored."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from documents import ModelRecord
from indexes.ensure import drop_until_loaded, ensure
from service.database.client import Database
from service.database.errors import DatabaseError
from service.importing.plan import ImportOptions

# With fewer models, the indexes cost too little for searches to do without them.
MIN_MODELS = 20_000

BEGUN = "there are no models yet, so most indexes are built after all are stored; until then, searches are slow"
BUILDING = "building indexes, which can take minutes; if this is interrupted, the next command does it"
NOT_BUILT = "the indexes are not built; the next command that opens the database builds them: modeldeck indexes ensure"

Notice = Callable[[str], None]


class _FirstLoad:
    """Drops the indexes that can wait before the models of a large first load, and builds them after it."""

    def __init__(self, database: Database, notice: Notice) -> None:
        self._database = database
        self._notice = notice
        self._begun = False

    async def begin(self, models: int) -> None:
        """Drop the indexes if so many models are to come and none is here."""
        if models < MIN_MODELS or await self._database.find(ModelRecord, {}, fields=["_id"], limit=1):
            return
        # Set before they are dropped: the answer to that can be lost, and so can a load at the same time.
        self._begun = True
        if await drop_until_loaded(self._database):
            self._notice(BEGUN)

    async def end(self) -> None:
        """Build the indexes that are missing after a load that began."""
        if not self._begun:
            return
        try:
            await ensure(self._database, lambda: self._notice(BUILDING))
        except BaseException:
            self._notice(NOT_BUILT)
            raise


@asynccontextmanager
async def first_load(database: Database, options: ImportOptions, notice: Notice) -> AsyncIterator[ImportOptions]:
    """Yield the options with which to import so that indexes are built after the models of a large first load.

    That is at the end of the block, also when the import failed or was interrupted; another interruption leaves it to
    the next command. A dry run changes no indexes, nor does an atomic import, whose transaction would have to wait for
    that. `notice` is called with what the user should know.
    """
    if options.dry_run or options.atomic:
        yield options
        return
    load = _FirstLoad(database, notice)
    try:
        yield replace(options, before_models=load.begin)
    except BaseException:
        # What the import failed of is what the user must know.
        with suppress(DatabaseError):
            await load.end()
        raise
    await load.end()
