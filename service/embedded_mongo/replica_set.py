"""Administers the embedded MongoDB, a replica set of one member, without Motor."""

from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

Record = dict[str, Any]

_ALREADY_INITIALIZED = 23
# A poll is repeated soon. A server that has answered before is only busy when it does not answer.
_POLL_SECONDS, _BUSY_SECONDS = 1, 15


class ReplicaSetMember:
    """The server of an embedded MongoDB; each method opens a connection of its own."""

    _APP = "modeldeck-embedded"

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def _connected(self, seconds: int = _BUSY_SECONDS) -> MongoClient[Record]:
        # None may stay open when the mongod is stopped, or be shared across a fork.
        return MongoClient(self._uri, appname=self._APP, serverSelectionTimeoutMS=seconds * 1000, maxPoolSize=1)

    def _command(self, name: str, value: Any = 1, **options: Any) -> Record:
        with self._connected() as client:
            return dict(client.admin.command(name, value, **options))

    def answers(self) -> bool:
        """Return whether a server listens and answers at once."""
        try:
            with self._connected(_POLL_SECONDS) as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True

    def pid(self) -> int:
        """Return the process id of the server."""
        return int(self._command("serverStatus")["pid"])

    def is_primary(self) -> bool:
        """Return whether the member accepts writes."""
        return bool(self._command("hello").get("isWritablePrimary"))

    def configure(self, replica_set: str, host: str) -> None:
        """Make the server the only member of `replica_set`, under the name `host`; do nothing when it is."""
        member = {"_id": 0, "host": host}
        try:
            config = self._stored_config()
            if config is None:
                settings = {"electionTimeoutMillis": 500}
                wanted = {"_id": replica_set, "members": [member], "settings": settings}
                self._command("replSetInitiate", wanted)
            elif config["members"][0]["host"] != host:
                wanted = {**config, "members": [{**config["members"][0], "host": host}]}
                self._command("replSetReconfig", {**wanted, "version": config["version"] + 1}, force=True)
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise

    def _stored_config(self) -> Record | None:
        with self._connected() as client:
            return client.local["system.replset"].find_one()

    def has_other_clients(self) -> bool:
        """Return whether any client but this class is connected; True for a server that is too busy to answer."""
        stages: list[Mapping[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleConnections": True}},
            {"$match": {"clientMetadata": {"$exists": True}}},
        ]
        try:
            with self._connected() as client:
                connections = list(client.admin.aggregate(stages))
        except PyMongoError:
            return True
        return any(connection.get("appName") != self._APP for connection in connections)
