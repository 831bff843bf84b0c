"""`modeldeck`: the table of its commands, and how each of them starts and fails."""

import gc
import io
import signal
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

EXIT_PROBLEMS, EXIT_FAILED, EXIT_INTERRUPTED = 1, 2, 130

# Name, where it is and its help. That is all that `modeldeck --help` needs: what a command imports takes half a second
# or more, so it is imported when the command is run.
COMMANDS = (
    ("serve", "service.cli.serve:serve", "Serve the HTTP API until Ctrl-C."),
    ("import", "service.cli.importing:import_", "Import users, groups and models; run again, it changes nothing."),
    (
        "export",
        "service.cli.exporting:export",
        "Export all users, groups and models, as they are at one moment; an import reads them back.",
    ),
    (
        "watch",
        "service.cli.watch:watch",
        "Print each change of a model as a line of JSON, with a token to begin again from, until Ctrl-C.",
    ),
    (
        "mcp",
        "service.cli.mcp:mcp",
        "Let assistants read the directory by the Model Context Protocol, on standard input and output or by HTTP.",
    ),
    ("database-uri", "service.cli.database:database_uri", "Print the MongoDB URI in use, for mongosh and scripts."),
    (
        "doctor",
        "service.cli.database:doctor",
        "Look for what was written past the service, cut off or lost; exit 1 while problems remain.",
    ),
    ("user", "service.cli.people:users", "The people of the directory."),
    ("group", "service.cli.people:groups", "Groups of people."),
    ("key", "service.cli.people:api_keys", "API keys."),
    ("indexes", "service.cli.database:indexes", "The indexes, validators and views of the database."),
    ("history", "service.cli.database:histories", "What is recorded of changes of models and people."),
    ("analyst", "service.cli.database:analysts", "Database users who may read the views, and nothing else."),
)


class LazyCommand(TyperCommand):
    """A command, or a group of commands, whose module is imported when it is run."""

    def __init__(self, name: str, where: str, help_: str) -> None:
        """Stand for the function (a command) or the Typer (a group) at `where`, written `module:name`."""
        super().__init__(name, help=help_)
        self._where = where

    def load(self) -> Any:
        """Import the module and return the command that this one stands for."""
        found = _imported(self._where)
        around = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=self.name)
        else:
            around.command(self.name)(found)
        [command] = typer.main.get_group(around).commands.values()
        return command

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the context of the command that this one stands for; it is the one that then runs."""
        return self.load().make_context(*arguments, **options)


def _imported(where: str) -> Any:
    module, _, name = where.partition(":")
    collecting = gc.isenabled()
    # Hardly anything that an import creates is garbage; looking for it takes a quarter of the time.
    gc.disable()
    try:
        return getattr(import_module(module), name)
    finally:
        if collecting:
            gc.enable()


modeldeck = TyperGroup(
    name="modeldeck",
    help="An access-controlled directory of LLM model configurations.",
    commands={name: LazyCommand(name, where, help_) for name, where, help_ in COMMANDS},
    no_args_is_help=True,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line; a failure that can be explained becomes one line and exit status 2."""
    end_on_signals()
    # A terminal or a pipe that can't show every character is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        modeldeck()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        explanation = _imported("service.database.errors:explain_failure")(error)
        if explanation is None:
            raise
        print(f"modeldeck: {explanation}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def end_on_signals() -> None:
    """End a command that is terminated, or whose terminal is closed, as one that is interrupted.

    So it releases the embedded MongoDB, and stops it when no other command uses it. A SIGHUP that nohup ignores
    stays ignored.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
