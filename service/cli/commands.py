"""The command line: `modeldeck --help`."""

import asyncio
import io
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from documents.api_key import Scope
from documents.user import Role
from indexes.drift import Drift
from indexes.ensure import check, ensure
from service.cli.open_database import located_mongo, mongodb_uri, open_database
from service.database.client import Database
from service.database.errors import explain_failure
from service.errors import ConfigurationError
from service.exporting.formats import ExportFormat
from service.importing.plan import OnConflict
from service.people.api_keys import adopt_key, create_key, expiry
from service.people.groups import add_group, join_group
from service.people.users import add_user, find_user
from service.settings import Settings, load_settings

T = TypeVar("T")

EXIT_PROBLEMS, EXIT_FAILED, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="modeldeck",
    help="An access-controlled directory of LLM model configurations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
users = typer.Typer(help="The people of the directory.", no_args_is_help=True)
groups = typer.Typer(help="Groups of people.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
indexes = typer.Typer(help="The indexes, validators and views of the database.", no_args_is_help=True)
analysts = typer.Typer(help="Database users who may read the views, and nothing else.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(groups, name="group")
app.add_typer(keys, name="key")
app.add_typer(indexes, name="indexes")
app.add_typer(analysts, name="analyst")


def main() -> None:
    """Run the command line; every failure that we can explain becomes one line and exit status 2."""
    # A terminated command leaves the embedded MongoDB as an interrupted one does: released, and stopped by the last.
    # So does one whose terminal is closed, unless it was told (nohup) not to mind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    # A terminal or a pipe that can't show every character is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        explanation = explain_failure(error)
        if explanation is None:
            raise
        print(f"modeldeck: {explanation}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def with_database(work: Callable[[Database], Awaitable[T]], *, with_indexes: bool = True) -> T:
    """Run `work` on the database that the settings name."""

    async def run() -> T:
        async with open_database(settings, with_indexes=with_indexes) as database:
            return await work(database)

    with located_mongo(load_settings()) as settings:
        return asyncio.run(run())


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Load a demo catalogue and print a key for it.")] = False,
) -> None:
    """Serve the HTTP API until Ctrl-C."""
    # Only this command needs the web server; the others start faster without.
    from service.cli.serve import ServeOptions  # noqa: PLC0415
    from service.cli.serve import serve as run_server  # noqa: PLC0415

    run_server(load_settings(), ServeOptions(host, port, workers, demo))


@users.command("add")
def user_add(
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    username: Annotated[str | None, typer.Option()] = None,
    role: Annotated[Role, typer.Option()] = Role.USER,
    user_id: Annotated[str | None, typer.Option("--id", help="Random when not given.")] = None,
) -> None:
    """Add a user and print their id."""
    user = with_database(
        lambda database: add_user(database, email=email, name=name, username=username, role=role, user_id=user_id)
    )
    print(user.id)


@groups.command("add")
def group_add(
    name: Annotated[str, typer.Option()],
    group_id: Annotated[str | None, typer.Option("--id", help="Random when not given.")] = None,
    parent: Annotated[str | None, typer.Option(help="The group that this one belongs to.")] = None,
) -> None:
    """Add a group and print its id."""
    group = with_database(lambda database: add_group(database, name=name, group_id=group_id, parent_id=parent))
    print(group.id)


@groups.command("join")
def group_join(
    group: Annotated[str, typer.Argument(help="The group's id.")],
    members: Annotated[list[str], typer.Argument(metavar="USER...", help="Ids or emails.")],
) -> None:
    """Make users members of a group; print how many were not yet."""

    async def work(database: Database) -> int:
        found = [await find_user(database, member) for member in members]
        return await join_group(database, group, [user.id for user in found])

    print(with_database(work))


@keys.command("create")
def key_create(
    user: Annotated[str, typer.Option(help="Id or email of the owner.")],
    name: Annotated[str, typer.Option()] = "command line",
    scope: Annotated[Scope, typer.Option()] = Scope.WRITE,
    expires: Annotated[str | None, typer.Option(help="Such as 90d, 12h or 4w; never when not given.")] = None,
    from_stdin: Annotated[
        bool, typer.Option("--from-stdin", help="Take over a key made elsewhere, read from standard input.")
    ] = False,
) -> None:
    """Make an API key and print it, this once."""

    async def work(database: Database) -> str | None:
        owner = await find_user(database, user)
        expires_at = expiry(expires)
        if not from_stdin:
            return await create_key(database, owner.id, name=name, scope=scope, expires_at=expires_at)
        await adopt_key(database, owner.id, sys.stdin.readline().strip(), name=name, scope=scope, expires_at=expires_at)
        return None

    if key := with_database(work):
        print(key)


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(help="A file, plain or gzip, - for standard input, or the URL of a database.")
    ],
    format_: Annotated[
        str,
        typer.Option("--format", help="auto, modeldeck, openwebui, openwebui-db, litellm or litellm-prices."),
    ] = "auto",
    owner: Annotated[str | None, typer.Option(help="Id or email of the owner of models that name none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    on_conflict: Annotated[
        OnConflict, typer.Option(help="What to do with a record that exists and differs.")
    ] = OnConflict.UPDATE,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write a report as JSON.")] = None,
    map_users: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Who is who: ids there, and ids or emails here.")
    ] = None,
    atomic: Annotated[bool, typer.Option("--atomic", help="Write all of it or nothing.")] = False,
    create_groups: Annotated[
        bool, typer.Option("--create-groups", help="Make the groups that are only named.")
    ] = False,
) -> None:
    """Import users, groups and models; run again, it changes nothing."""
    from service.cli.importing import ImportRequest, run_command  # noqa: PLC0415

    request = ImportRequest(
        source, format_, owner, dry_run, on_conflict, report, map_users, atomic=atomic, create_groups=create_groups
    )
    if not with_database(lambda database: run_command(database, request)):
        sys.exit(EXIT_PROBLEMS)


@app.command()
def export(
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="As the name of the file says, or modeldeck, when not given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Standard output when not given; FILE.gz is packed.")
    ] = None,
) -> None:
    """Export all users, groups and models, as they are at one moment; an import reads them back."""
    from service.cli.exporting import run_command  # noqa: PLC0415
    from service.cli.progress import progress  # noqa: PLC0415

    with progress("exported") as report:
        whole = with_database(lambda database: run_command(database, format_, out, report), with_indexes=False)
    if not whole:
        sys.exit(EXIT_PROBLEMS)


@app.command()
def watch(
    after: Annotated[str | None, typer.Option(metavar="TOKEN", help="Begin after the change of this token.")] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin where this file says, and keep it up to date.")
    ] = None,
) -> None:
    """Print each change of a model as a line of JSON, with a token to begin again from, until Ctrl-C."""
    from service.cli.watch import watch as run_watch  # noqa: PLC0415

    if after is not None and state is not None:
        raise typer.BadParameter("--after and --state exclude each other")
    with_database(lambda database: run_watch(database, after, state), with_indexes=False)


@indexes.command("ensure")
def indexes_ensure() -> None:
    """Make the indexes, validators and views that are missing or outdated; print what still differs."""
    _tell_drifts(with_database(ensure, with_indexes=False))


@indexes.command("check")
def indexes_check() -> None:
    """Compare indexes, validators and views with the declared ones; exit 1 when they differ."""
    _tell_drifts(with_database(check, with_indexes=False))


def _tell_drifts(drifts: list[Drift]) -> None:
    print("\n".join(map(str, drifts)) or "indexes are as declared")
    if drifts:
        sys.exit(EXIT_PROBLEMS)


@analysts.command("grant")
def analyst_grant(
    name: Annotated[str, typer.Argument(help="The new database user.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take the password from standard input.")
    ] = False,
) -> None:
    """Make a database user who may read the views; print their password, this once."""
    from service.people.analysts import grant  # noqa: PLC0415

    settings = _with_logins()
    chosen = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = with_database(lambda database: grant(database, mongodb_uri(settings), name, chosen), with_indexes=False)
    if not password_stdin:
        print(password)


@analysts.command("revoke")
def analyst_revoke(name: Annotated[str, typer.Argument(help="The database user.")]) -> None:
    """Delete an analyst; what they have open ends too."""
    from service.people.analysts import revoke  # noqa: PLC0415

    _with_logins()
    with_database(lambda database: revoke(database, name), with_indexes=False)


def _with_logins() -> Settings:
    from service.people.analysts import OPEN_TO_ALL  # noqa: PLC0415

    settings = load_settings()
    if settings.mongodb_uri is None:
        # The embedded MongoDB asks nobody who they are; it need not be started to say so.
        raise ConfigurationError(OPEN_TO_ALL)
    return settings


@app.command("database-uri")
def database_uri() -> None:
    """Print the MongoDB URI in use, for mongosh and scripts.

    An embedded MongoDB that is started for this stops when nobody has been connected for ten minutes.
    """
    from service.embedded_mongo.server import EmbeddedMongo  # noqa: PLC0415

    settings = load_settings()
    with located_mongo(settings) as whole:
        if settings.mongodb_uri is None:
            EmbeddedMongo(settings.data_dir).start_keeper()
        print(mongodb_uri(whole))


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what was found.")] = False,
) -> None:
    """Look for what was written past the service, cut off or lost; exit 1 while problems remain.

    Warnings do not count: models whose owner is gone, and records near the size limit.
    """
    from service.cli.progress import progress  # noqa: PLC0415
    from service.doctor import examine  # noqa: PLC0415

    with progress("examined") as report:
        # An index that can't be made is one of the things to look into.
        diagnosis = with_database(
            lambda database: examine(database, repair=repair, progress=report), with_indexes=False
        )
    print("\n".join(diagnosis.lines()))
    if diagnosis.problems > diagnosis.mended:
        sys.exit(EXIT_PROBLEMS)
