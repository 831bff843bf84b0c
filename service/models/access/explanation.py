"""Why a user may read or write a model: the paths from the user to the model by its owner, its grants and groups.

`service.auth.access_rule` decides by the derived keys of a record. This module reaches the same result from the fields
that they are derived from.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from documents import ModelRecord, User
from documents.grant import Permission
from service.auth import access_rule
from service.auth.authentication import Caller
from service.clock import epoch_seconds
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ForbiddenError, NotFoundError
from service.http.pagination import PageParams
from service.models.access.former import FormerAccess, former_access
from service.models.access.sharing import Path, PathKind, Sharing
from service.models.operations import HIDDEN, NOT_MANAGED
from service.models.principals import EXISTING

NO_USER = "There is no user with this id."
_USER_FIELDS = ("name", "email", "role", "is_active", "group_ids")


_REASONS = {
    PathKind.OWNER: "they own it",
    PathKind.ADMIN: "they are an admin",
    PathKind.USER: "it is shared with them",
    PathKind.GROUP: "it is shared with their group {group}",
    PathKind.ANCESTOR_GROUP: "it is shared with the group {group}, an ancestor of their group {own}",
    PathKind.PUBLIC: "it is shared with everyone",
}
_FORMER_REASONS = {
    PathKind.OWNER: "they owned it",
    PathKind.ADMIN: "they were an admin",
    PathKind.USER: "it was shared with them",
    PathKind.GROUP: "it was shared with their group {group}",
    PathKind.ANCESTOR_GROUP: "it was shared with the group {group}, an ancestor of their group {own}",
    PathKind.PUBLIC: "it was shared with everyone",
}


async def explain_all(
    database: Database, caller: Caller, model_id: str, page: PageParams, *, named: str | None = None
) -> dict[str, Any]:
    """Return a page of the users who may read a model for the API, in order of id.

    With `named`, only those in whose name this text occurs, in any case.
    Raises NotFoundError when the model is absent or hidden from the caller, ForbiddenError when the caller may not
    manage its grants.
    """
    record = await _require_explainable(database, caller, model_id, of_others=True)
    sharing = await Sharing.of(database, record)
    query = sharing.readers()
    if named is not None:
        # The name alone: an owner may not learn the email addresses of others, not even by trying.
        query["name"] = {"$regex": re.escape(named), "$options": "i"}
    order = [("_id", 1)]
    found = await database.find(User, query, fields=_USER_FIELDS, sort=order, skip=page.skip, limit=page.page_size)
    items = [_item(user, sharing.paths(user), caller) for user in found]
    return {"items": items, "total": await database.count(User, query)}


async def explain_one(database: Database, caller: Caller, model_id: str, user_id: str) -> dict[str, Any]:
    """Return whether one user may read and write a model, and why; raises as `explain_all` does.

    Callers may ask about themselves even if they may not manage the grants of the model.
    """
    record = await _require_explainable(database, caller, model_id, of_others=user_id != caller.user_id)
    found = await database.find(User, {"_id": user_id, **EXISTING}, fields=_USER_FIELDS)
    if not found:
        raise NotFoundError(NO_USER)
    user = found[0]
    is_active = user.get("is_active") is True
    paths = (await Sharing.of(database, record)).paths(user) if is_active else []
    best = _best(paths)
    former = await former_access(database, model_id, user_id) if best is None else None
    return {
        "user": _shown(user, caller),
        "can_read": best is not None,
        "can_write": best is not None and best.permission is Permission.WRITE,
        "paths": paths,
        "former": None if former is None else {"until": epoch_seconds(former.until), "paths": former.paths},
        "reason": (_reason(best) if is_active else "This user is inactive and may do nothing.") + _until(former),
    }


async def _require_explainable(database: Database, caller: Caller, model_id: str, *, of_others: bool) -> Record:
    match = {"_id": model_id, **access_rule.readable(caller)}
    found = await database.find(ModelRecord, match, fields=["user_id", "access_grants"])
    if not found:
        raise NotFoundError(HIDDEN)
    if of_others and not access_rule.can_manage(caller, found[0]):
        raise ForbiddenError(NOT_MANAGED)
    return found[0]


def _best(paths: Sequence[Path]) -> Path | None:
    writing = (path for path in paths if path.permission is Permission.WRITE)
    return next(writing, next(iter(paths), None))


def _reason(best: Path | None) -> str:
    if best is None:
        return "This user may not read the model: it is neither theirs nor shared with them, their groups or everyone."
    return f"This user may {best.permission} the model, since {_named(_REASONS, best)}."


def _until(former: FormerAccess | None) -> str:
    best = None if former is None else _best(former.paths)
    if former is None or best is None:
        return ""
    moment = f"{former.until:%Y-%m-%dT%H:%M:%SZ}"
    return f" Until {moment} they could {best.permission} it, since {_named(_FORMER_REASONS, best)}."


def _named(reasons: Mapping[PathKind, str], path: Path) -> str:
    return reasons[path.kind].format(group=path.group_id, own=next(iter(path.via), None))


def _shown(user: Record, caller: Caller) -> dict[str, Any]:
    # Sharing with a group or with everyone reveals who the readers are, but not their email addresses.
    email = user.get("email") if caller.is_admin or user["_id"] == caller.user_id else None
    return {"id": user["_id"], "name": user.get("name"), "email": email}


def _item(user: Record, paths: Sequence[Path], caller: Caller) -> dict[str, Any]:
    best = _best(paths)
    return {"user": _shown(user, caller), "permission": best.permission if best else None, "paths": paths}
