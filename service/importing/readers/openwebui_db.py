"""Reader of the database of an Open WebUI instance: users, groups, models, API keys and history."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import blake2b
from itertools import groupby
from typing import Any

from pydantic import SecretStr

from documents.user import Role
from service.errors import ConfigurationError
from service.importing.json_scanner import DECODER
from service.importing.readers.openwebui_content import with_default_image, without_exposed_secrets
from service.importing.readers.openwebui_models import RESOURCE, SHARED, Notes, excerpt, left_out, model_item
from service.importing.readers.postgres_tables import PostgresTables
from service.importing.readers.sqlite_tables import SqliteTables
from service.importing.readers.tables import Row, Table, Tables, batches, look_up, read
from service.importing.source import MAX_VALUE_CHARACTERS, Item, SourceError

PENDING = "pending"
API_KEY_NAME = "Open WebUI"
REVISION_ID_BYTES = 16
REVISED = ("name", "base_model_id", "params", "meta", "is_active")

USERS = Table("user", ("id", "name", "email", "role"), ("username", "api_key"))
# Of passwords nothing is read.
STAMPS = Table("auth", ("id",), ("session_stamp",), looked_up_by="id")
GROUPS = Table("group", ("id", "name"), ("parent_group_id", "user_ids"))
MEMBERS = Table("group_member", ("group_id", "user_id"), looked_up_by="group_id")
MODELS = Table("model", tuple(name for name in SHARED if name != "is_active"), ("is_active", "access_control"))
_GRANT = ("id", "resource_type", "resource_id", "principal_type", "principal_id", "permission")
GRANTS = Table("access_grant", _GRANT, looked_up_by="resource_id")
API_KEYS = Table("api_key", ("id", "user_id", "key"), ("expires_at", "created_at"))
HISTORY = Table(
    "model_history", ("id", "model_id", "snapshot", "created_at"), ("parent_id", "user_id", "commit_message")
)
ALL = (USERS, STAMPS, GROUPS, MEMBERS, MODELS, GRANTS, API_KEYS, HISTORY)


@contextmanager
def read_openwebui_db(where: str) -> Iterator[Callable[[], Iterator[Item]]]:
    """Open a database as it is at one moment: the path of a SQLite file, or a URL of SQLite or PostgreSQL.

    Each call of the function that it yields reads all of it, users and groups first. The database may be in use;
    nothing is written to it or next to it. Raises SourceError when it is no such database or can't be read, and
    ConfigurationError without the extra that PostgreSQL needs.

    Besides users, groups and models there are the following items, with times as in a bundle:

    - `api_key`: `user_id`, `key` (the secret, as a SecretStr), `name`, `expires_at`, `created_at`.
    - `revision`: `id` (32 hexadecimal digits, derived from the id there), `model_id`, `at`, `by`, `message`, and
      `content`: the `name`, `base_model_id`, `params`, `meta` and `is_active` after that change, as far as they were
      kept, or None. The revisions of a model follow each other, the oldest first; the model need not exist any more.
      Nothing in them has been checked, not even images.

    An instance that is older than a kind has none of it. A user may have a `session_stamp`. Passwords and everything
    else are not read.
    """
    with closing(_open(where)) as tables:
        if not tables.present(MODELS):
            raise SourceError(f"{tables.name}: has no table {MODELS.name}, so it is not the database of Open WebUI")
        yield lambda: _items(tables)


def _open(where: str) -> Tables:
    scheme, separator, rest = where.partition("://")
    dialect = scheme.partition("+")[0] if separator else "sqlite"
    if dialect == "sqlite":
        return SqliteTables(rest.removeprefix("/") if separator else where, ALL)
    if dialect in ("postgres", "postgresql"):
        return PostgresTables(f"{dialect}://{rest}")
    raise ConfigurationError("A database is the path of a SQLite file, or a URL that begins with postgresql://")


def _items(tables: Tables) -> Iterator[Item]:
    readers = {USERS: _users, GROUPS: _groups, MODELS: _models, API_KEYS: _api_keys, HISTORY: _revisions}
    for table, read_table in readers.items():
        yield from _noting_columns(tables, table, read_table(tables))


class _MalformedError(Exception):
    """A row has a value that can't be read; the message names the column."""


def _noting_columns(tables: Tables, table: Table, items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items of a table, the first with a note on the columns that are left out."""
    unread = sorted(tables.present(table) - {*table.required, *table.optional})
    for number, item in enumerate(items):
        if number == 0 and unread:
            note = f"the table {table.name}: columns left out: {', '.join(name[:100] for name in unread)}"
            yield replace(item, notes=(note, *item.notes))
        else:
            yield item


def _users(tables: Tables) -> Iterator[Item]:
    for batch in batches(read(tables, USERS, "id")):
        stamps = {row["id"]: row.get("session_stamp") for row in look_up(tables, STAMPS, _ids(batch))}
        for row in batch:
            yield _user(row, stamps.get(row["id"]))


def _user(row: Row, stamp: Any) -> Item:
    # Always given: a user who waited for approval at an earlier import may have been approved since.
    value = {**{name: row[name] for name in USERS.required}, "is_active": True}
    if row.get("username"):
        value["username"] = row["username"]
    if stamp:
        value["session_stamp"] = stamp
    notes: tuple[str, ...] = ()
    if row["role"] == PENDING:
        value |= {"role": Role.USER.value, "is_active": False}
        notes = ("was waiting for approval; imported as a user who is not active",)
    return Item("user", _position(USERS, row), value, notes=notes)


def _groups(tables: Tables) -> Iterator[Item]:
    for batch in batches(read(tables, GROUPS, "id")):
        members = _grouped(look_up(tables, MEMBERS, _ids(batch)), "group_id")
        for row in batch:
            value = {"id": row["id"], "name": row["name"], "parent_id": row.get("parent_group_id") or None}
            try:
                if tables.present(MEMBERS):
                    value["member_ids"] = [member["user_id"] for member in members.get(row["id"], [])]
                elif "user_ids" in row:
                    value["member_ids"] = _decoded(row, "user_ids") or []
            except _MalformedError as error:
                yield _malformed("group", GROUPS, row, error)
            else:
                yield Item("group", _position(GROUPS, row), value)


def _models(tables: Tables) -> Iterator[Item]:
    notes = Notes()
    for batch in batches(read(tables, MODELS, "id")):
        grants = _grouped(look_up(tables, GRANTS, _ids(batch)), "resource_id")
        for row in batch:
            record = {name: row[name] for name in SHARED if name in row}
            try:
                record |= {name: _decoded(row, name) for name in ("params", "meta")}
                if tables.present(GRANTS):
                    given = grants.get(row["id"], [])
                    record["access_grants"] = [grant for grant in given if grant["resource_type"] == RESOURCE]
                elif "access_control" in row:
                    record["access_control"] = _decoded(row, "access_control")
            except _MalformedError as error:
                yield _malformed("model", MODELS, row, error)
                continue
            if record.get("is_active") in (0, 1):
                record["is_active"] = bool(record["is_active"])
            yield model_item(record, _position(MODELS, row), notes)


def _api_keys(tables: Tables) -> Iterator[Item]:
    # An API key that is still in the old column may have been revoked since the new table exists.
    if tables.present(API_KEYS):
        rows, where = read(tables, API_KEYS, "id"), API_KEYS.name
    elif "api_key" in tables.present(USERS):
        users = read(tables, USERS, "id")
        rows, where = ({"user_id": row["id"], "key": row["api_key"]} for row in users if row["api_key"]), "user.api_key"
    else:
        return
    for number, row in enumerate(rows):
        # Numbered, since an id might contain the API key.
        position = f"{where}[{number}]"
        if isinstance(row["key"], str):
            times = {name: row.get(name) for name in API_KEYS.optional}
            value = {"user_id": row["user_id"], "key": SecretStr(row["key"]), "name": API_KEY_NAME, **times}
            yield Item("api_key", position, value)
        else:
            yield Item("api_key", position, {"user_id": row["user_id"]}, "column key: must be text")


def _revisions(tables: Tables) -> Iterator[Item]:
    notes = Notes()
    rows = read(tables, HISTORY, "model_id", "created_at", "id")
    for _, made_at_once in groupby(rows, key=lambda row: (row["model_id"], row["created_at"])):
        for row in _parents_first(list(made_at_once)):
            try:
                yield _revision(row, notes)
            except _MalformedError as error:
                yield _malformed("revision", HISTORY, row, error)


def _revision(row: Row, notes: Notes) -> Item:
    if not isinstance(row["id"], str):
        raise _MalformedError("column id: must be text")
    snapshot = _decoded(row, "snapshot")
    content = None
    left: Iterable[str] = ()
    secrets: tuple[str, ...] = ()
    if isinstance(snapshot, dict):
        content = {name: snapshot[name] for name in REVISED if name in snapshot}
        content |= {name: {} for name in ("params", "meta") if name in content and content[name] is None}
        # Restoring the revision would make it the content of the model.
        content, secrets = without_exposed_secrets(content)
        if "meta" in content:
            content["meta"] = with_default_image(content["meta"])
        left = notes.new(left_out(name) for name in snapshot if name not in REVISED)
    elif snapshot is not None:
        raise _MalformedError("column snapshot: must be a JSON object")
    value = {
        "id": blake2b(row["id"].encode("utf-8", "backslashreplace"), digest_size=REVISION_ID_BYTES).hexdigest(),
        "model_id": row["model_id"],
        "at": row["created_at"],
        "by": row.get("user_id"),
        "content": content,
        "message": row.get("commit_message"),
    }
    return Item("revision", _position(HISTORY, row), value, notes=(*left, *secrets))


def _parents_first(rows: list[Row]) -> Iterator[Row]:
    """Yield changes that were made within one second, each after its parent."""
    ids = {row["id"] for row in rows}
    waiting: dict[Any, list[Row]] = {}
    for row in rows:
        parent = row.get("parent_id")
        waiting.setdefault(parent if parent in ids else None, []).append(row)
    ready = waiting.pop(None, [])[::-1]
    while ready:
        row = ready.pop()
        yield row
        ready.extend(reversed(waiting.pop(row["id"], [])))
    # Changes that are each other's parents have no first one.
    for rest in waiting.values():
        yield from rest


def _decoded(row: Row, column: str) -> Any:
    """Return the decoded JSON of a column, or None when it is null."""
    text = row[column]
    if text is None:
        return None
    if not isinstance(text, str):
        raise _MalformedError(f"column {column}: must be JSON as text")
    if len(text) > MAX_VALUE_CHARACTERS:
        raise _MalformedError(f"column {column}: has more than {MAX_VALUE_CHARACTERS:,} characters")
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise _MalformedError(f"column {column}: nested too deeply") from None
    except ValueError as error:
        raise _MalformedError(f"column {column}: not valid JSON: {error}") from None


def _malformed(kind: str, table: Table, row: Row, error: _MalformedError) -> Item:
    return Item(kind, _position(table, row), {"id": row["id"]}, str(error))


def _position(table: Table, row: Row) -> str:
    return f"row {excerpt(row['id'])} of {table.name}"


def _ids(rows: list[Row]) -> list[Any]:
    return [row["id"] for row in rows]


def _grouped(rows: Iterator[Row], column: str) -> dict[Any, list[Row]]:
    grouped: dict[Any, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append(row)
    return grouped
