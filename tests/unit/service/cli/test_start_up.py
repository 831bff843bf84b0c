"""A command imports only the modules that it needs. Checked by the loaded modules: times depend on the machine."""

import subprocess
import sys

import pytest

from service.cli.command_line import COMMANDS, LazyCommand

# Prints the loaded modules when a command has ended.
LOADED = """
import sys
from service.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
# Does so for several command lines, each in a child of one process that has loaded what all of them need.
EACH_LOADED = """
import os, sys
from service.cli import main
import service.database.client
for line in sys.argv[1:]:
    if os.fork() == 0:
        sys.argv[1:] = line.split()
        try:
            main()
        finally:
            print(*sys.modules, file=sys.stderr)
    os.wait()
"""
WEB = {"fastapi", "starlette", "uvicorn", "prometheus_client", "service.app"}
READERS = {"yaml", "sqlite3", "service.importing"}
DRIVER = {"beanie", "motor", "pymongo", "service.database"}
OTHERS = {"rich", "polars", "psycopg", "opentelemetry.sdk", "mcp", "modeldeck_client", "httpx"}


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=False)
    assert "Usage: " in done.stdout + done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["absent"], []], ids=" ".join)
def test_help_and_mistakes_load_no_command(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert loaded.isdisjoint(WEB | READERS | DRIVER | OTHERS)
    assert "service.cli.people" not in loaded


def test_a_command_loads_nothing_of_the_others() -> None:
    needless = {
        "user add": WEB | READERS | OTHERS,
        "indexes check": WEB | READERS | OTHERS,
        "doctor": WEB | READERS | OTHERS,
        "export": WEB | READERS | OTHERS,
        "watch": WEB | READERS | OTHERS,
        "import": WEB | OTHERS,
        "mcp": WEB | READERS | OTHERS,
    }
    lines = [f"{command} --help" for command in needless]
    done = subprocess.run([sys.executable, "-c", EACH_LOADED, *lines], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: ") == len(lines)
    loaded = dict(zip(needless, map(str.split, done.stderr.splitlines()), strict=True))
    assert {command: needless[command].intersection(loaded[command]) for command in needless} == {
        command: set() for command in needless
    }


@pytest.mark.parametrize(("name", "where", "help_"), COMMANDS)
def test_the_help_in_the_table_is_the_commands_own(name: str, where: str, help_: str) -> None:
    own = LazyCommand(name, where, help_).load()
    assert (own.name, own.help.partition("\n\n")[0].replace("\n", " ")) == (name, help_)
