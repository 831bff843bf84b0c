"""Who asks: an admin, and the plain user who sees a typical share of the directory."""

from dataclasses import dataclass
from statistics import median
from typing import Any

from pymongo.database import Database

from benchmarks.load import BenchmarkError
from documents.grant import PUBLIC, group_principal, user_principal
from documents.user import Role
from service.auth.authentication import Caller, user_pipeline
from service.listing.params import ListParams
from service.listing.pipeline import list_match


@dataclass(frozen=True, slots=True)
class Asking:
    """A caller, what to call them in a table, and how many records they can read."""

    label: str
    caller: Caller
    visible: int


def _caller(database: Database[dict[str, Any]], user_id: str) -> Caller:
    found = next(database.users.aggregate(user_pipeline(user_id)))
    groups = {group_principal(group["_id"]) for group in found["groups"]}
    principals = frozenset({PUBLIC, user_principal(user_id), *groups})
    return Caller(user_id, is_admin=found["user"]["role"] == Role.ADMIN, principals=principals)


def _asking(database: Database[dict[str, Any]], label: str, user_id: str) -> Asking:
    caller = _caller(database, user_id)
    return Asking(label, caller, database.models.count_documents(list_match(ListParams(), caller)))


def plain_user(database: Database[dict[str, Any]]) -> Asking:
    """Return the user whose readable share is closest to the median of those who joined several groups."""
    several = database.users.find({"role": Role.USER, "group_ids.1": {"$exists": True}}, ["_id"]).sort("_id", 1)
    candidates = [_asking(database, "user", user["_id"]) for user in several]
    if not candidates:
        raise BenchmarkError("nobody is in several groups")
    middle = median(candidate.visible for candidate in candidates)
    return min(candidates, key=lambda candidate: abs(candidate.visible - middle))


def admin(database: Database[dict[str, Any]]) -> Asking:
    """Return the first admin."""
    found = database.users.find_one({"role": Role.ADMIN}, sort=[("_id", 1)])
    if found is None:
        raise BenchmarkError("there is no admin")
    return _asking(database, "admin", found["_id"])
