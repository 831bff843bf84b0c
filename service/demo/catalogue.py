"""A catalogue of real models, made-up people and their grants, for a first look."""

from collections.abc import Iterator
from pathlib import Path

from documents import ApiKey, Revision, User
from service.auth.authentication import Authenticator
from service.database.client import Database
from service.errors import ConfigurationError, UnauthorizedError
from service.importing.engine import run_import
from service.importing.plan import ImportOptions, OnConflict
from service.importing.readers.bundle import read_bundle
from service.importing.source import Item, open_source
from service.people.api_keys import create_api_key

CATALOGUE = Path(__file__).with_name("catalogue.json")
ADMIN_ID = "u-admin"
KEY_NAME = "demo"


async def load_demo(database: Database) -> int:
    """Load what is missing of the demo catalogue; return how many records were added.

    What is there stays as it is, and a model that was deleted stays deleted.
    """
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
        return report.changes
    finally:
        report.close()


async def require_room(database: Database) -> None:
    """Raise ConfigurationError when a database holds people and none of them is the demo's admin.

    The demo brings an admin whose key is printed and kept: nothing for a directory that is in use.
    """
    if await database.count(User, {}) and not await database.count(User, {"_id": ADMIN_ID}):
        raise ConfigurationError("This database is in use; --demo is for an empty one.")


async def demo_key(database: Database, key_file: Path) -> str:
    """Return a key of the demo's admin: the one in `key_file` while it works, else a new one, put there.

    The database holds only its hash, so a key must be kept somewhere to be printed again.
    """
    key = _kept(key_file)
    try:
        caller = await Authenticator(database).resolve(f"Bearer {key}")
    except UnauthorizedError:
        caller = None
    if caller is None or caller.user_id != ADMIN_ID:
        key = await _new_demo_key(database)
        _keep(key_file, key)
    return key


async def _new_demo_key(database: Database) -> str:
    admin = await database.get(User, {"_id": ADMIN_ID, "is_active": True})
    if admin is None:
        raise ConfigurationError("The demo's admin is not active, so there is no demo key.")
    await database.delete_many(ApiKey, {"user_id": ADMIN_ID, "name": KEY_NAME})
    return await create_api_key(database, admin.id, name=KEY_NAME)


def _kept(key_file: Path) -> str:
    try:
        return key_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(key_file: Path, key: str) -> None:
    try:
        key_file.parent.mkdir(parents=True, exist_ok=True)
        key_file.unlink(missing_ok=True)
        key_file.touch(mode=0o600)
        key_file.write_text(key + "\n")
    except OSError as error:
        raise ConfigurationError(f"The demo key can't be kept: {error}") from None
