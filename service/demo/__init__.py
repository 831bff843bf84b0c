"""A catalogue of real models, made-up people and their grants, for a first look."""

from pathlib import Path

from documents import ApiKey, User
from documents.user import Role
from service.database import Database
from service.errors import ConfigurationError, UnauthorizedError
from service.identity import Identity
from service.migration.apply import run_import
from service.migration.bundle import read_bundle
from service.migration.options import ImportOptions, OnConflict
from service.migration.source import open_source
from service.people.keys import create_key

CATALOGUE = Path(__file__).with_name("catalogue.json")
KEY_NAME = "demo"


async def load_demo(database: Database) -> int:
    """Load what is missing of the demo catalogue, leave the rest as it is; return how many records were added."""
    with open_source(str(CATALOGUE)) as source:
        report = await run_import(database, source, read_bundle, ImportOptions(on_conflict=OnConflict.SKIP))
    try:
        if not report.clean:
            raise ConfigurationError(f"The demo catalogue is faulty: {next(report.rejections(), report.fatal)}")
        return report.changes
    finally:
        report.close()


async def demo_key(database: Database, key_file: Path) -> str:
    """Return an admin's key for the demo: the one in `key_file` while it works, else a new one, put there.

    The database holds only its hash, so a key must be kept somewhere to be printed again.
    """
    key = _kept(key_file)
    try:
        await Identity(database).resolve(f"Bearer {key}")
    except UnauthorizedError:
        key = await _new_demo_key(database)
        _keep(key_file, key)
    return key


async def _new_demo_key(database: Database) -> str:
    admin = await database.get(User, {"role": Role.ADMIN, "is_active": True})
    if admin is None:
        raise ConfigurationError("There is no active admin to make a demo key for.")
    await database.delete_many(ApiKey, {"user_id": admin.id, "name": KEY_NAME})
    return await create_key(database, admin, name=KEY_NAME)


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
