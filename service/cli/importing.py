"""`modeldeck import`: a source, the engine, a progress bar and a report."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from service.cli.command_line import EXIT_PROBLEMS
from service.cli.keeping_in_step import conflict_policy, prune_options, source_name
from service.cli.open_database import with_database
from service.cli.progress import progress
from service.database.client import Database
from service.errors import InvalidInputError
from service.importing.first_load import first_load
from service.importing.formats import SourceFormat, UnrecognisedError
from service.importing.open_source import OpenedSource, import_opened, open_fetched_source, open_named_source
from service.importing.plan import ImportOptions, OnConflict, UnknownOwner
from service.importing.report import ImportOutcome, Report, require_writable
from service.importing.user_map import read_user_map
from service.people.users import find_user

AUTO = "auto"
FORMATS = (AUTO, *SourceFormat)
Opening = Callable[[], AbstractContextManager[OpenedSource]]


def import_(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A file, plain or gzip, - for standard input, a folder of Modelfiles, or the URL of a database."
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option("--format", help=f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}."),
    ] = AUTO,
    owner: Annotated[str | None, typer.Option(help="Id or email of the owner of models that name none.")] = None,
    unknown_owner: Annotated[
        UnknownOwner, typer.Option(help="What to do with a model whose owner is not here: owner gives it to --owner.")
    ] = UnknownOwner.KEEP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(
            help="What to do with a record that exists and differs. merge, the default with --source, keeps what was "
            "changed here; update, the default without, sets it back.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write a report as JSON.")] = None,
    map_users: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Who is who: ids there, and ids or emails here.")
    ] = None,
    atomic: Annotated[bool, typer.Option("--atomic", help="Write all of it or nothing.")] = False,
    create_groups: Annotated[
        bool, typer.Option("--create-groups", help="Make the groups that are only named.")
    ] = False,
    only_people: Annotated[
        bool, typer.Option("--only-people", help="Import users, groups and API keys, and no models.")
    ] = False,
    follow_includes: Annotated[
        bool, typer.Option("--follow-includes", help="Read included files too, from the same folder only.")
    ] = False,
    named: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="Keep the models in step with this source of them."),
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Take over models that are here and did not come from the source: they get its content, and grants "
            "that were given here go.",
        ),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="With --source: make models inactive that have gone from it.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="With --prune: delete them instead.")] = False,
    max_deletions: Annotated[
        str | None,
        typer.Option(
            help="With --delete: if more would be deleted, none is. A number, or a share of the models of the source: "
            "by the default, a source of fewer than 10 deletes none.",
            show_default="10%",
        ),
    ] = None,
    from_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Fetch the file from https://, or from http:// on this machine."),
    ] = None,
    url_header_env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Environment variable with a header for it: Authorization: Bearer …"),
    ] = None,
) -> None:
    """Import users, groups and models; run again, it changes nothing."""
    if unknown_owner is UnknownOwner.OWNER and owner is None:
        raise InvalidInputError([{"loc": ["--unknown-owner"], "msg": "owner needs --owner, who gets the models"}])
    if only_people and named is not None:
        raise InvalidInputError([{"loc": ["--only-people"], "msg": "does not count together with --source"}])
    options = ImportOptions(
        on_conflict=conflict_policy(on_conflict, named),
        dry_run=dry_run,
        whole_report=report is not None,
        atomic=atomic,
        create_groups=create_groups,
        only_people=only_people,
        unknown_owner=unknown_owner,
        source=source_name(named),
        adopt=adopt,
        prune=prune_options(named, prune=prune, delete=delete, max_deletions=max_deletions),
    )
    if format_ not in FORMATS:
        raise InvalidInputError([{"loc": ["--format"], "msg": f"must be one of {', '.join(FORMATS)}"}])
    wanted = None if format_ == AUTO else SourceFormat(format_)
    opened = _opening(source, wanted, from_url, url_header_env, follow_includes=follow_includes)
    try:
        clean = with_database(lambda database: _import(database, opened, options, owner, report, map_users))
    except UnrecognisedError as error:
        print(f"modeldeck: {source or 'the file that was fetched'}: {error.detail}", file=sys.stderr)
        clean = False
    if not clean:
        sys.exit(EXIT_PROBLEMS)


def _opening(
    source: str | None,
    wanted: SourceFormat | None,
    url: str | None,
    header_variables: list[str] | None,
    *,
    follow_includes: bool,
) -> Opening:
    """Return what opens the source, which is named or has a web address; raise InvalidInputError unless it is one."""
    if header_variables and url is None:
        raise InvalidInputError([{"loc": ["--url-header-env"], "msg": "counts only together with --from-url"}])
    if source is not None and url is None:
        return partial(open_named_source, source, wanted, follow_includes=follow_includes)
    if url is not None and source is None:
        return partial(open_fetched_source, url, tuple(header_variables or ()), wanted)
    raise InvalidInputError([{"loc": ["SOURCE"], "msg": "name a source, or else its address with --from-url"}])


async def _import(
    database: Database,
    opened: Opening,
    options: ImportOptions,
    owner: str | None,
    report_file: Path | None,
    map_users: Path | None,
) -> bool:
    """Import, print the report, and return whether everything was imported."""
    if report_file is not None:
        require_writable(report_file)
    if owner is not None:
        options = replace(options, owner_id=(await find_user(database, owner)).id)
    user_map = await read_user_map(database, map_users) if map_users is not None else None
    async with first_load(database, options, _notice) as options_for_load:
        with opened() as source:
            with progress("imported", source.share) as advance:
                report = await import_opened(database, source, options_for_load, user_map, advance)
            try:
                _print(report, source, dry_run=options.dry_run)
                if report_file is not None:
                    report.write(report_file, source.format, source.reason)
                return report.clean
            finally:
                report.close()


def _notice(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(report: Report, source: OpenedSource, *, dry_run: bool) -> None:
    if dry_run or source.format is not SourceFormat.MODELDECK:
        print(f"read as {source.format}, since {source.reason}")
    for step in report.results() if dry_run else report.reported():
        print(step)
    for kind, counts in report.summary().items():
        print(f"{kind}s: {', '.join(f'{count:,} {outcome}' for outcome, count in counts.items())}")
    if kept_out := report.total[ImportOutcome.KEPT_OUT]:
        print(f"{kept_out:,} parts kept out of imported records")
    if report.unknown_owners:
        print(f"models of owners who are not here (see --map-users): {_owners(report)}")
    undone = ", had this not been a dry run" if dry_run else ", had this not failed" if report.undone else ""
    # Scripts look for this line, so it reads the same for every number.
    print(f"{report.changes:,} changes{undone}")
    if report.undone:
        print(f"modeldeck: {report.undone}", file=sys.stderr)
    if report.fatal is not None:
        print(f"modeldeck: the source can't be read to its end: {report.fatal}", file=sys.stderr)
    if report.not_pruned is not None:
        print(f"modeldeck: {report.not_pruned}", file=sys.stderr)


def _owners(report: Report) -> str:
    return ", ".join(
        f"{count:,} of {'others' if owner is None else repr(owner)}"
        for owner, count in report.unknown_owners.most_common()
    )
