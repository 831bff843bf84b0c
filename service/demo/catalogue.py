"""Loading the demo catalogue, and the API key of its admin."""

from collections.abc import Iterator
from pathlib import Path

from documents import ApiKey, Revision, User
from service.auth.authentication import Authenticator
from service.database.client import Database
from service.demo.changes import make_changes
from service.errors import ConfigurationError, UnauthorizedError
from service.importing.engine import run_import
from service.importing.plan import ImportOptions, OnConflict
from service.importing.readers.bundle import read_bundle
from service.importing.source import Item, open_source
from service.people.api_keys import create_api_key

CATALOGUE = Path(__file__).with_name("catalogue.json")
ADMIN_ID = "u-admin"
API_KEY_NAME = "demo"


async def load_demo(database: Database) -> int:
    """Add the records of the demo catalogue that are missing, and return how many were added.

    Existing records are not changed, and models that were deleted are not added again. The first time, some of the
    added models are changed by their people, see `make_changes`.
    """
    first = not await database.count(User, {"_id": ADMIN_ID})
    deletions = await database.find(Revision, {"after": None}, fields=["model_id"])
    deleted = {deletion["model_id"] for deletion in deletions}

    with open_source(str(CATALOGUE)) as source:

        def items() -> Iterator[Item]:
            for item in read_bundle(source):
                if item.kind != "model" or item.value["id"] not in deleted:
                    yield item

        report = await run_import(database, items, ImportOptions(on_conflict=OnConflict.SKIP))
    try:
        if not report.clean:
            raise ConfigurationError(f"The demo can't be loaded: {next(report.faults(), report.fatal)}")
        if first:
            await make_changes(database)
        return report.changes
    finally:
        report.close()


async def require_room(database: Database) -> None:
    """Raise ConfigurationError when the database has users but not the demo's admin.

    The demo adds an admin whose API key is printed and stored in a file, which a directory in use must not get.
    """
    if await database.count(User, {}) and not await database.count(User, {"_id": ADMIN_ID}):
        raise ConfigurationError("This database is in use; --demo is for an empty one.")


async def demo_key(database: Database, key_file: Path) -> str:
    """Return an API key of the demo's admin: the one in `key_file` if it is valid, else a new one, written there.

    The database has only its hash, so that an API key that is to be printed again must be stored in a file.
    """
    key = _read_key(key_file)
    try:
        caller = await Authenticator(database).resolve(f"Bearer {key}")
    except UnauthorizedError:
        caller = None
    if caller is None or caller.user_id != ADMIN_ID:
        key = await _new_demo_key(database)
        _write_key(key_file, key)
    return key


async def _new_demo_key(database: Database) -> str:
    admin = await database.get(User, {"_id": ADMIN_ID, "is_active": True})
    if admin is None:
        raise ConfigurationError("The demo's admin is not active, so there is no API key of the demo.")
    await database.delete_many(ApiKey, {"user_id": ADMIN_ID, "name": API_KEY_NAME})
    return await create_api_key(database, admin.id, name=API_KEY_NAME)


def _read_key(key_file: Path) -> str:
    try:
        return key_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _write_key(key_file: Path, key: str) -> None:
    try:
        key_file.parent.mkdir(parents=True, exist_ok=True)
        key_file.unlink(missing_ok=True)
        key_file.touch(mode=0o600)
        key_file.write_text(key + "\n")
    except OSError as error:
        raise ConfigurationError(f"The demo's API key can't be written to a file: {error}") from None
