"""A temporary PostgreSQL server, if PostgreSQL is installed: on the loopback address, filled from SQLite."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.commands import free_port, until

TYPES = {"JSON": "json", "BOOLEAN": "boolean", "BIGINT": "bigint"}
SECONDS = 60


def program_folder() -> Path | None:
    """Return the folder of PostgreSQL's server programs; None if they are not installed."""
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = [Path(on_path)] if on_path else packaged
    return found[-1].parent if found else None


def user_options() -> dict[str, Any]:
    """Return the options of `subprocess` that run PostgreSQL as another user if this one is root, which it refuses."""
    if os.getuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = next(name for name in ("postgres", "nobody") if name in names)
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


@contextmanager
def running(programs: Path) -> Iterator[str]:
    """Run a server for the duration of a block; yield its URL up to the name of a database."""
    folder, port, identity = Path(tempfile.mkdtemp(prefix="modeldeck-pg-")), free_port(), user_options()
    try:
        if identity:
            shutil.chown(folder, identity["user"], identity["group"])
        data = str(folder / "data")
        initdb = [str(programs / "initdb"), "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=SECONDS, cwd=folder, **identity)
        server = [str(programs / "postgres"), "-D", data, "-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-F"]
        process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **identity)
        try:
            address = f"postgresql://owner:planted-password@127.0.0.1:{port}/"
            until(lambda: _answers(address), "PostgreSQL answers", SECONDS)
            yield address
        finally:
            process.terminate()
            process.wait(SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(address: str) -> bool:
    try:
        psycopg.connect(f"{address}postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def copy_database(path: Path, address: str, name: str) -> str:
    """Copy a SQLite database into a new PostgreSQL database; return its URL."""
    with psycopg.connect(f"{address}postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    with closing(sqlite3.connect(path)) as source, psycopg.connect(f"{address}{name}") as target:
        for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [(row[1], TYPES.get(row[2], "text")) for row in source.execute(f'PRAGMA table_info("{table}")')]
            declared = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            target.execute(f'CREATE TABLE "{table}" ({declared})')
            places = ", ".join(["%s"] * len(columns))
            for row in source.execute(f'SELECT * FROM "{table}"'):
                fit = [
                    bool(value) if kind == "boolean" and value is not None else value
                    for value, (_, kind) in zip(row, columns, strict=True)
                ]
                target.execute(f'INSERT INTO "{table}" VALUES ({places})', fit)
    return f"{address}{name}"
