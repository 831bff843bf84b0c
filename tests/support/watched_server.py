"""Everything that a MongoDB stores, and the log of every command that it received."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

EVERY_COMMAND = -1


class Server:
    """A MongoDB whose log can contain every command, and everything that it stored or logged since this was created."""

    def __init__(self, client: MongoClient[Any], database: str) -> None:
        self._client = client
        self._database = database
        self._log = Path(client.admin.command("getCmdLineOpts")["parsed"]["systemLog"]["path"])
        self._log_before = self._log.stat().st_size
        self._usual = int(client.admin.command("profile", -1)["slowms"])
        self._began = client.admin.command("hello")["lastWrite"]["opTime"]["ts"]

    @contextmanager
    def every_command_logged(self) -> Iterator[None]:
        """Log every command for the duration of a block, not only those that count as slow."""
        self._client.admin.command("profile", 0, slowms=EVERY_COMMAND)
        try:
            yield
        finally:
            self._client.admin.command("profile", 0, slowms=self._usual)

    def log(self) -> bytes:
        """Return the log since this object was created."""
        with self._log.open("rb") as file:
            file.seek(self._log_before)
            return file.read()

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield every record of the database as bytes, and every write that was made to any."""
        raw = self._client[self._database].with_options(
            self._client.codec_options.with_options(document_class=RawBSONDocument)
        )
        for name in raw.list_collection_names():
            yield from ((name, record.raw) for record in raw[name].find())
        oplog = raw.client.local.get_collection("oplog.rs", raw.codec_options)
        yield from (("oplog", record.raw) for record in oplog.find({"ts": {"$gt": self._began}}))
