"""Analysts: database users who may read the views, and nothing else."""

import re
import secrets
from typing import Any

from documents import ModelRecord
from indexes.views import VIEW_NAMES
from service.database.client import Database
from service.database.errors import DatabaseError, lacks_privilege
from service.database.exact_bson import Record
from service.errors import ConfigurationError, ConflictError, InvalidInputError, NotFoundError

ROLE = "modeldeck_analyst"
PASSWORD_BYTES = 24
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 512
OPEN_TO_ALL = (
    "This MongoDB has no authorization: everyone who can connect can read everything, so an analyst can't be limited "
    "to the views. Set MODELDECK_MONGODB_URI to a MongoDB with authorization enabled."
)
NO_RIGHT = (
    "The database user in MODELDECK_MONGODB_URI may not manage users: it needs the role userAdmin on this database."
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_USER_EXISTS, _ROLE_EXISTS = 51003, 51002


async def grant(database: Database, uri: str, name: str, password: str | None = None) -> str:
    """Create a database user who may read only the views, and return their password, by default a random one.

    `uri` is that of the database; the new user's rights are tested there. Raises InvalidInputError for an invalid name
    or password, ConflictError for a taken name, and ConfigurationError when the database has no authorization.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            [{"loc": ["name"], "msg": "must be 1 to 64 letters, digits or ._@-, beginning with a letter or digit"}]
        )
    password = secrets.token_urlsafe(PASSWORD_BYTES) if password is None else _checked(password)
    await _require_login(database)
    if (existing := await _user(database, name)) is not None:
        raise ConflictError(_taken(name, existing))
    await _declare_role(database)
    await _command(
        database,
        {"createUser": name, "pwd": password, "roles": [ROLE], "mechanisms": ["SCRAM-SHA-256"]},
        {_USER_EXISTS: f"The database user {name!r} already exists."},
    )
    if await _reads_everything(database, uri, name, password):
        await _command(database, {"dropUser": name})
        raise ConfigurationError(OPEN_TO_ALL)
    return password


async def revoke(database: Database, name: str) -> None:
    """Delete an analyst; their open connections lose their rights too.

    Raises NotFoundError, and ConflictError for a database user who is not an analyst.
    """
    await _require_login(database)
    existing = await _user(database, name)
    if existing is None:
        raise NotFoundError(f"There is no analyst {name!r}.")
    if not _is_analyst(existing):
        raise ConflictError(_taken(name, existing))
    await _command(database, {"dropUser": name})


def _checked(password: str) -> str:
    length_ok = MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH
    if not (length_ok and password.isascii() and password.isprintable()):
        msg = f"must be {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} printable ASCII characters"
        raise InvalidInputError([{"loc": ["password"], "msg": msg}])
    return password


async def _require_login(database: Database) -> None:
    status = await _command(database, {"connectionStatus": 1})
    if not status["authInfo"]["authenticatedUsers"]:
        raise ConfigurationError(OPEN_TO_ALL)


async def _user(database: Database, name: str) -> Record | None:
    users: list[Record] = (await _command(database, {"usersInfo": name}))["users"]
    return users[0] if users else None


def _is_analyst(user: Record) -> bool:
    return [(role["role"], role["db"]) for role in user["roles"]] == [(ROLE, user["db"])]


def _taken(name: str, user: Record) -> str:
    if _is_analyst(user):
        return f"{name!r} is already an analyst; for a new password, run modeldeck analyst revoke, then grant again."
    return f"The database user {name!r} already exists, and is not an analyst."


async def _declare_role(database: Database) -> None:
    privileges = [{"resource": {"db": database.name, "collection": view}, "actions": ["find"]} for view in VIEW_NAMES]
    # Without it, mongosh, drivers and tools for reports can't find the views by themselves.
    privileges.append({"resource": {"db": database.name, "collection": ""}, "actions": ["listCollections"]})
    found = (await _command(database, {"rolesInfo": ROLE, "showPrivileges": True}))["roles"]
    role: dict[str, Any] = {"privileges": privileges, "roles": []}
    if not found:
        try:
            await _command(database, {"createRole": ROLE, **role}, {_ROLE_EXISTS: ""})
        except ConflictError:
            # Another command created the role at this moment.
            found = [{}]
    if found and any(found[0].get(part) != role[part] for part in role):
        await _command(database, {"updateRole": ROLE, **role})


async def _reads_everything(database: Database, uri: str, name: str, password: str) -> bool:
    login: dict[str, Any] = {
        "username": name,
        "password": password,
        "authSource": database.name,
        "authMechanism": "SCRAM-SHA-256",
    }
    trial = Database.connect(uri, database.name, database.timeout, **login)
    try:
        await trial.find(ModelRecord, {}, limit=1)
    except DatabaseError as error:
        if lacks_privilege(error):
            return False
        raise
    finally:
        trial.close()
    return True


async def _command(database: Database, command: Record, conflicts: dict[int, str] | None = None) -> Record:
    try:
        return await database.command(command)
    except DatabaseError as error:
        # The driver's message may quote the command, which contains the password.
        if lacks_privilege(error):
            raise ConfigurationError(NO_RIGHT) from None
        conflict = (conflicts or {}).get(getattr(error, "code", 0))
        if conflict is None:
            raise
        raise ConflictError(conflict) from None
