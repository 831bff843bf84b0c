"""Users whose ids differ between a source and the directory: a CSV file maps the ids."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from documents.grant import PrincipalType
from service.database.client import Database
from service.errors import ConfigurationError, InvalidInputError, NotFoundError
from service.importing.source import Item
from service.people.users import find_user

HEADER = ["from", "to"]
# For each line, the database is asked for a user.
MAX_LINES = 100_000


async def read_user_map(database: Database, path: Path) -> dict[str, str]:
    """Return the id of a user here for each id in a source, from a file with an id there and an id or email here.

    Raises InvalidInputError, which names each line that is wrong or has no user here.
    """
    mapped: dict[str, str] = {}
    errors = []
    # All lines first, so that a file with too many is refused before anybody is looked up.
    for number, row in list(_rows(path)):
        if len(row) != len(HEADER) or not all(row):
            errors.append(_error(number, "must have two columns: an id in the source, and an id or email here"))
        elif row[0] in mapped:
            errors.append(_error(number, f"{row[0]!r} is in an earlier line too"))
        else:
            try:
                mapped[row[0]] = (await find_user(database, row[1])).id
            except NotFoundError as error:
                errors.append(_error(number, error.detail))
    if errors:
        raise InvalidInputError(errors)
    return mapped


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if number > MAX_LINES:
                    raise InvalidInputError([_error(number, f"a map may have at most {MAX_LINES:,} lines")])
                cells = [cell.strip() for cell in row]
                if cells and not (number == 1 and [cell.lower() for cell in cells] == HEADER):
                    yield number, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: can't be read: {error}") from None


def _error(number: int, msg: str) -> dict[str, Any]:
    return {"loc": [f"line {number}"], "msg": msg}


def with_users_mapped(items: Iterator[Item], mapped: Mapping[str, str]) -> Iterator[Item]:
    """Yield the items with the ids of users replaced, without the users who are mapped, since they exist already."""
    # One of the items has the notes on the whole source, and it can be such a user.
    notes: tuple[str, ...] = ()
    for item in items:
        if item.kind == "user" and isinstance(item.value, dict) and item.value.get("id") in mapped:
            notes += item.notes
            continue
        value = _replaced(item.kind, item.value, mapped) if isinstance(item.value, dict) else item.value
        there = _users_there(item.value, value) if item.kind == "model" else ()
        yield replace(item, value=value, notes=(*notes, *item.notes), users_there=there)
        notes = ()


def _replaced(kind: str, value: Mapping[str, Any], mapped: Mapping[str, str]) -> dict[str, Any]:
    def here(user_id: Any) -> Any:
        return mapped.get(user_id, user_id) if isinstance(user_id, str) else user_id

    replaced = dict(value)
    for field in ("user_id", "by"):
        if field in replaced:
            replaced[field] = here(replaced[field])
    if kind == "group" and isinstance(replaced.get("member_ids"), list):
        replaced["member_ids"] = [here(member) for member in replaced["member_ids"]]
    if kind == "model" and isinstance(replaced.get("access_grants"), list):
        replaced["access_grants"] = [_grant(grant, here) for grant in replaced["access_grants"]]
    return replaced


def _users_there(there: Any, here: Any) -> tuple[tuple[str, str], ...]:
    """Return the ids here and there of the users whom the grants of a model name."""
    grants = [value.get("access_grants") if isinstance(value, dict) else None for value in (here, there)]
    if not all(isinstance(listed, list) for listed in grants):
        return ()
    pairs = zip(*grants, strict=True)
    return tuple((one["principal_id"], other["principal_id"]) for one, other in pairs if one is not other)


def _grant(grant: Any, here: Any) -> Any:
    if not isinstance(grant, dict) or grant.get("principal_type") != PrincipalType.USER:
        return grant
    principal_id = here(grant.get("principal_id"))
    if principal_id == grant.get("principal_id"):
        return grant
    # The id of a grant is derived from its principal.
    return {**{name: part for name, part in grant.items() if name != "id"}, "principal_id": principal_id}
