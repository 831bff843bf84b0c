"""Reading a PostgreSQL database in one read-only transaction; needs the extra `postgres`."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from service.errors import ConfigurationError
from service.importing.readers.tables import Row, Table, quoted
from service.importing.source import SourceError

MISSING = "Reading PostgreSQL needs the extra postgres: pip install 'modeldeck[postgres]'"
ROWS_AT_ONCE = 500

_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"


class PostgresTables:
    """A database as it was at the first query; its users need not wait."""

    def __init__(self, url: str) -> None:
        try:
            # Imported here since only the extra installs it.
            self._driver: Any = import_module("psycopg")
            json: Any = import_module("psycopg.types.json")
        except ImportError:
            raise ConfigurationError(MISSING) from None
        self.name, self._secrets = _without_password(url)
        self._present: dict[str, frozenset[str]] = {}
        self._queries = 0
        try:
            self._connection: Any = self._driver.connect(url, client_encoding="utf8")
            self._connection.isolation_level = self._driver.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            # Between two reads the import writes, for any length of time.
            self._connection.execute("SET idle_in_transaction_session_timeout = 0")
        except self._driver.Error as error:
            raise self._unreadable(error) from None
        # All JSON of a source is decoded by one decoder, which has limits.
        json.set_json_loads(_undecoded, self._connection)

    def present(self, table: Table) -> frozenset[str]:
        """Return the names of all columns of a table in the current schema."""
        if table.name not in self._present:
            try:
                found = self._connection.execute(_COLUMNS, (quoted(table.name),)).fetchall()
            except self._driver.Error as error:
                raise self._unreadable(error) from None
            self._present[table.name] = frozenset(name for (name,) in found)
        return self._present[table.name]

    def rows(self, query: str, names: Sequence[str], parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query, fetched some at a time."""
        self._queries += 1
        try:
            with self._connection.cursor(name=f"modeldeck_{self._queries}") as cursor:
                cursor.itersize = ROWS_AT_ONCE
                cursor.execute(query.replace("?", "%s"), parameters)
                for row in cursor:
                    yield dict(zip(names, row, strict=True))
        except (self._driver.Error, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _unreadable(self, error: Exception) -> SourceError:
        message = " ".join(str(error).split())
        for secret in self._secrets:
            message = message.replace(secret, "…")
        return SourceError(f"{self.name}: can't be read: {message}")


def _undecoded(value: str | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _without_password(url: str) -> tuple[str, list[str]]:
    """Return a URL without its password, and all spellings of the password, which no message may contain."""
    try:
        parts = urlsplit(url)
        written = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        raise ConfigurationError("The URL of the database is malformed.") from None
    secrets = {secret for password in written for secret in (password, unquote(password)) if secret}
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", sorted(secrets, key=len, reverse=True)
