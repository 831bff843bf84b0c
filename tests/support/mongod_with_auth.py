"""A mongod with authorization enabled, on the loopback address, stopped at the end of a block."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from service.embedded_mongo.mongod import find_mongod
from tests.support.commands import end, free_port, until

ALREADY_INITIALIZED = 23
ADMIN, PASSWORD = "root", "pw-of-root"
Client = MongoClient[dict[str, Any]]


@contextmanager
def mongod_with_auth(folder: Path) -> Iterator[str]:
    """Run a single-member replica set with authorization, and without JavaScript, as docs/operations.md recommends.

    Yields the URI of its administrator, without a database.
    """
    mongod = find_mongod(folder / "lib")
    keyfile, data, port = folder / "keyfile", folder / "db", free_port()
    data.mkdir()
    keyfile.write_text(secrets.token_hex(32))
    keyfile.chmod(0o600)
    command = [mongod.path, "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--replSet", "with_auth"]
    command += [
        "--noscripting",
        "--keyFile",
        keyfile,
        "--wiredTigerCacheSizeGB",
        "0.25",
        "--logpath",
        folder / "mongod.log",
    ]
    command += ["--unixSocketPrefix", folder, "--setParameter", "diagnosticDataCollectionEnabled=false"]
    process: subprocess.Popen[Any] = subprocess.Popen(
        [str(part) for part in command], env=mongod.environment, stdout=subprocess.DEVNULL
    )
    try:
        _begin(port, process)
        yield f"mongodb://{ADMIN}:{PASSWORD}@127.0.0.1:{port}/?authSource=admin&directConnection=true"
    finally:
        end(process)


def _begin(port: int, process: subprocess.Popen[Any]) -> None:
    with Client("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500) as client:

        def initiated() -> bool:
            assert process.poll() is None, "mongod did not start"
            members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
            try:
                client.admin.command("replSetInitiate", {"_id": "with_auth", "members": members})
            except OperationFailure as error:
                if error.code != ALREADY_INITIALIZED:
                    raise
            except PyMongoError:
                return False
            return True

        def is_primary() -> bool:
            try:
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False

        until(initiated, "mongod takes commands")
        until(is_primary, "there is a primary")
        client.admin.command("createUser", ADMIN, pwd=PASSWORD, roles=["root"])
