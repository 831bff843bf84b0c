"""`modeldeck indexes`, `analyst`, `history`, `database-uri`, `doctor`: what an operator does to the database itself."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from indexes.drift import Drift
from indexes.ensure import check
from service.cli.command_line import EXIT_PROBLEMS
from service.cli.open_database import ensure_indexes, located_mongo, mongodb_uri, with_database
from service.cli.progress import progress
from service.clock import now
from service.database.client import Database
from service.doctor import examine
from service.embedded_mongo.server import EmbeddedMongo
from service.errors import ConfigurationError
from service.models.history.retention import PEOPLE_CHANGES, REVISIONS, count_removable, remove_old
from service.people.analysts import OPEN_TO_ALL, grant, revoke
from service.settings import Settings, load_settings

indexes = typer.Typer(help="The indexes, validators and views of the database.", no_args_is_help=True)
histories = typer.Typer(help="What is recorded of changes of models and people.", no_args_is_help=True)
analysts = typer.Typer(help="Database users who may read the views, and nothing else.", no_args_is_help=True)


@indexes.command("ensure")
def indexes_ensure() -> None:
    """Make the indexes, validators and views that are missing or outdated; print what still differs."""
    _print_drifts(with_database(ensure_indexes, with_indexes=False))


@indexes.command("check")
def indexes_check() -> None:
    """Compare indexes, validators and views with the declared ones; exit 1 when they differ."""
    _print_drifts(with_database(check, with_indexes=False))


def _print_drifts(drifts: list[Drift]) -> None:
    print("\n".join(map(str, drifts)) or "indexes are as declared")
    if drifts:
        sys.exit(EXIT_PROBLEMS)


@histories.command("prune")
def history_prune(
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Keep the changes of so many days.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would be removed.")] = False,
) -> None:
    """Remove old changes, and print how many; of each model, user and group, the newest older one is kept too.

    Users and groups that were deleted before that are forgotten.
    """
    before = now() - timedelta(days=days)
    act = count_removable if dry_run else remove_old

    async def work(database: Database) -> tuple[int, int]:
        return await act(database, before, of=REVISIONS), await act(database, before, of=PEOPLE_CHANGES)

    revisions, of_people = with_database(work)
    print(f"{revisions} revisions and {of_people} changes of people {'would be' if dry_run else 'were'} removed")


@analysts.command("grant")
def analyst_grant(
    name: Annotated[str, typer.Argument(help="The new database user.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take the password from standard input.")
    ] = False,
) -> None:
    """Make a database user who may read the views; print their password, this once."""
    settings = _settings_with_logins()
    chosen = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = with_database(lambda database: grant(database, mongodb_uri(settings), name, chosen), with_indexes=False)
    if not password_stdin:
        print(password)


@analysts.command("revoke")
def analyst_revoke(name: Annotated[str, typer.Argument(help="The database user.")]) -> None:
    """Delete an analyst; what they have open ends too."""
    _settings_with_logins()
    with_database(lambda database: revoke(database, name), with_indexes=False)


def _settings_with_logins() -> Settings:
    settings = load_settings()
    if settings.mongodb_uri is None:
        # The embedded MongoDB has no logins; it need not be started to find that out.
        raise ConfigurationError(OPEN_TO_ALL)
    return settings


def database_uri() -> None:
    """Print the MongoDB URI in use, for mongosh and scripts.

    An embedded MongoDB that is started for this stops when nobody has been connected for ten minutes.
    """
    settings = load_settings()
    with located_mongo(settings) as located_settings:
        if settings.mongodb_uri is None:
            EmbeddedMongo(settings.data_dir).start_keep_alive()
        print(mongodb_uri(located_settings))


def doctor(repair: Annotated[bool, typer.Option("--repair", help="Mend what was found.")] = False) -> None:
    """Look for what was written past the service, cut off or lost; exit 1 while problems remain.

    Warnings do not count: models whose owner is gone, and records near the size limit.
    """
    with progress("examined") as report:
        # Without indexes: one that can't be made is one of the problems to look for.
        diagnosis = with_database(
            lambda database: examine(database, repair=repair, progress=report), with_indexes=False
        )
    print("\n".join(diagnosis.lines()))
    if diagnosis.problems > diagnosis.repaired:
        sys.exit(EXIT_PROBLEMS)
