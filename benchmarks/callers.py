"""The two users who send the list requests: an admin and a typical user."""

from dataclasses import dataclass
from statistics import median
from typing import Any

from pymongo.database import Database

from benchmarks.commands import BenchmarkError
from documents.grant import PUBLIC, group_principal, user_principal
from documents.user import Role
from service.auth.authentication import Caller, user_pipeline
from service.listing.params import ListParams
from service.listing.pipeline import Resolved, list_match


@dataclass(frozen=True, slots=True)
class BenchmarkUser:
    """A user who sends the requests: the label in the table, and how many models they can read."""

    label: str
    caller: Caller
    visible: int


def admin(database: Database[dict[str, Any]]) -> BenchmarkUser:
    """Return the first admin."""
    found = database.users.find_one({"role": Role.ADMIN}, sort=[("_id", 1)])
    if found is None:
        raise BenchmarkError("there is no admin")
    return _benchmark_user(database, "admin", found["_id"])


# Users whose models are counted to find the typical one; counting for all would take minutes in a large directory.
MAX_CANDIDATES = 100


def typical_user(database: Database[dict[str, Any]]) -> BenchmarkUser:
    """Return the user in several groups whose number of readable models is closest to the median of such users."""
    in_several = database.users.find({"role": Role.USER, "group_ids.1": {"$exists": True}}, ["_id"]).sort("_id", 1)
    candidates = [_benchmark_user(database, "user", user["_id"]) for user in in_several.limit(MAX_CANDIDATES)]
    if not candidates:
        raise BenchmarkError("no user is in several groups")
    middle = median(candidate.visible for candidate in candidates)
    return min(candidates, key=lambda candidate: abs(candidate.visible - middle))


def _benchmark_user(database: Database[dict[str, Any]], label: str, user_id: str) -> BenchmarkUser:
    caller = _caller(database, user_id)
    return BenchmarkUser(label, caller, database.models.count_documents(list_match(ListParams(), caller, Resolved())))


def _caller(database: Database[dict[str, Any]], user_id: str) -> Caller:
    found = next(database.users.aggregate(user_pipeline(user_id)))
    groups = {group_principal(group["_id"]) for group in found["groups"]}
    principals = frozenset({PUBLIC, user_principal(user_id), *groups})
    return Caller(user_id, is_admin=found["user"]["role"] == Role.ADMIN, principals=principals)
