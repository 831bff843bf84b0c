"""`modeldeck user`, `group` and `key`: the first people of a directory, their groups and API keys."""

import sys
from typing import Annotated

import typer

from documents.api_key import Scope
from documents.user import Role
from service.cli.open_database import with_database
from service.database.client import Database
from service.people.api_keys import adopt_api_key, create_api_key, expiry
from service.people.groups import add_group, join_group
from service.people.users import add_user, find_user

users = typer.Typer(help="The people of the directory.", no_args_is_help=True)
groups = typer.Typer(help="Groups of people.", no_args_is_help=True)
api_keys = typer.Typer(help="API keys.", no_args_is_help=True)


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
        lambda database: add_user(
            database, email=email, name=name, username=username, role=role, user_id=user_id, by=None
        )
    )
    print(user.id)


@groups.command("add")
def group_add(
    name: Annotated[str, typer.Option()],
    group_id: Annotated[str | None, typer.Option("--id", help="Random when not given.")] = None,
    parent: Annotated[str | None, typer.Option(help="The group that this one belongs to.")] = None,
) -> None:
    """Add a group and print its id."""
    group = with_database(lambda database: add_group(database, name=name, group_id=group_id, parent_id=parent, by=None))
    print(group.id)


@groups.command("join")
def group_join(
    group: Annotated[str, typer.Argument(help="The group's id.")],
    members: Annotated[list[str], typer.Argument(metavar="USER...", help="Ids or emails.")],
) -> None:
    """Make users members of a group; print how many were not yet."""

    async def work(database: Database) -> int:
        found = [await find_user(database, member) for member in members]
        return await join_group(database, group, [user.id for user in found], by=None)

    print(with_database(work))


@api_keys.command("create")
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
            return await create_api_key(database, owner.id, name=name, scope=scope, expires_at=expires_at)
        await adopt_api_key(
            database, owner.id, sys.stdin.readline().strip(), name=name, scope=scope, expires_at=expires_at
        )
        return None

    if key := with_database(work):
        print(key)
