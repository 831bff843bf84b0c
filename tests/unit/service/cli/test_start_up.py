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
WEB = {"fastapi", "starlette", "uvicorn", "prometheus_client", "service.app"}
READERS = {"yaml", "sqlite3", "service.importing"}
DRIVER = {"beanie", "motor", "pymongo", "service.database"}
OTHERS = {"rich", "polars", "psycopg", "opentelemetry.sdk"}


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=False)
    assert "Usage: " in done.stdout + done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["absent"], []], ids=" ".join)
def test_help_and_mistakes_load_no_command(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert loaded.isdisjoint(WEB | READERS | DRIVER | OTHERS)
    assert "service.cli.people" not in loaded


@pytest.mark.parametrize(
    ("command", "needless"),
    [
        ("user add", WEB | READERS | OTHERS),
        ("indexes check", WEB | READERS | OTHERS),
        ("doctor", WEB | READERS | OTHERS),
        ("export", WEB | READERS | OTHERS),
        ("watch", WEB | READERS | OTHERS),
        ("import", WEB | OTHERS),
    ],
)
def test_a_command_loads_nothing_of_the_others(command: str, needless: set[str]) -> None:
    assert loaded_by(*command.split(), "--help") & needless == set()


@pytest.mark.parametrize(("name", "where", "help_"), COMMANDS)
def test_the_help_in_the_table_is_the_commands_own(name: str, where: str, help_: str) -> None:
    own = LazyCommand(name, where, help_).load()
    assert (own.name, own.help.partition("\n\n")[0].replace("\n", " ")) == (name, help_)
