"""Runs `modeldeck import` and `key create` as subprocesses, and measures their time and memory."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

MODELDECK = str(Path(sys.executable).parent / "modeldeck")
RESOURCE_USAGE = str(Path(__file__).with_name("resource_usage.py"))
COMMAND_SECONDS = 60
# An import takes longer for each model, the larger the directory is.
IMPORT_SECONDS, IMPORT_SECONDS_A_MODEL = 1800, 0.015
_CHANGES = re.compile(r"^([\d,]+) changes$", re.MULTILINE)


class BenchmarkError(Exception):
    """A command or request that is measured failed."""


@dataclass(frozen=True, slots=True)
class ImportFigures:
    """One run of `modeldeck import`; `peak_mb` and `cpu_seconds` are those of the command, without mongod."""

    changes: int
    seconds: float
    cpu_seconds: float
    mongod_cpu_seconds: float
    peak_mb: float

    @property
    def cpu_ms_a_change(self) -> float:
        """The processor time of the command and mongod for each change, in ms."""
        return (self.cpu_seconds + self.mongod_cpu_seconds) * 1000 / self.changes


@dataclass(frozen=True, slots=True)
class BenchmarkDatabase:
    """One database of the MongoDB under test, and a directory for files."""

    uri: str
    database: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: that of this process, with the settings of this database and no others."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
        return {**inherited, "MODELDECK_MONGODB_URI": self.uri, "MODELDECK_DATABASE": self.database}

    def run(self, *command: str, seconds: int = COMMAND_SECONDS) -> str:
        """Run a command and return its standard output; raise BenchmarkError if it fails."""
        # In its own directory, so that no `.env` file is read either.
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{' '.join(command)}: took more than {seconds} s") from None
        if done.returncode != 0:
            raise BenchmarkError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def create_key(self, user_id: str) -> str:
        """Create an API key for a user and return it."""
        return self.run(MODELDECK, "key", "create", "--user", user_id).strip()

    def import_bundle(self, bundle: Path, models: int) -> ImportFigures:
        """Run `modeldeck import` on a bundle with so many models, and return its time and memory."""
        limit = int(max(IMPORT_SECONDS, IMPORT_SECONDS_A_MODEL * models))
        result = self.directory / "import.json"
        before = mongod_cpu_seconds(self.uri)
        command = (sys.executable, "-I", "-S", RESOURCE_USAGE, str(result), str(limit))
        output = self.run(*command, MODELDECK, "import", str(bundle), seconds=limit + COMMAND_SECONDS)
        mongod = mongod_cpu_seconds(self.uri) - before
        changes = _CHANGES.search(output)
        if changes is None:
            raise BenchmarkError(f"the import did not print how many changes it made:\n{output}")
        figures: dict[str, float] = json.loads(result.read_text())
        return ImportFigures(int(changes[1].replace(",", "")), mongod_cpu_seconds=mongod, **figures)


def mongod_cpu_seconds(uri: str) -> float:
    """Return the processor time that the mongod has used so far."""
    with MongoClient[dict[str, Any]](uri) as client:
        used = client.admin.command("serverStatus")["extra_info"]
    return float(used["user_time_us"] + used["system_time_us"]) / 1e6
