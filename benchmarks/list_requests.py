"""The list requests that are measured, and the two users who send them: an admin and a typical user."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlencode

from pymongo.database import Database

from benchmarks import vocabulary
from benchmarks.commands import BenchmarkError
from documents.grant import PUBLIC, group_principal, user_principal
from documents.user import Role
from service.auth.authentication import Caller, user_pipeline
from service.listing.params import ListParams
from service.listing.pipeline import Resolved, list_match

FIRST_PAGE, ABSENT, RARE = "first page", "absent word", "rare word"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list request: its name in the table and its query parameters."""

    name: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def params(self) -> ListParams:
        """The parameters as the service reads them."""
        return ListParams.model_validate(self.values)

    @property
    def path(self) -> str:
        """The path and query string of the request."""
        return f"/api/models/list?{urlencode(self.values)}"

    @property
    def without_search(self) -> bool:
        """Whether it has neither a search nor a tag, so that only the records of the page need to be read."""
        return not self.values.keys() & {"query", "tag"}


LIST_REQUESTS = (
    ListRequest(FIRST_PAGE),
    ListRequest("page 10", {"page": "10"}),
    ListRequest("name order", {"order_by": "name", "direction": "asc"}),
    ListRequest("view created", {"view_option": "created"}),
    ListRequest("view shared", {"view_option": "shared"}),
    ListRequest("kind=base", {"kind": "base"}),
    ListRequest("is_active=false", {"is_active": "false"}),
    ListRequest("tag", {"tag": vocabulary.TAG}),
    ListRequest(ABSENT, {"query": vocabulary.ABSENT}),
    ListRequest("absent phrase", {"query": vocabulary.ABSENT_PHRASE}),
    ListRequest(RARE, {"query": vocabulary.RARE[0]}),
    ListRequest("common word", {"query": vocabulary.COMMON}),
    ListRequest("two letters", {"query": vocabulary.TWO_LETTERS}),
    ListRequest("surname", {"query": vocabulary.SURNAME}),
    ListRequest("email domain", {"query": vocabulary.EVERYWHERE}),
)


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


def typical_user(database: Database[dict[str, Any]]) -> BenchmarkUser:
    """Return the user in several groups whose number of readable models is closest to the median of such users."""
    in_several = database.users.find({"role": Role.USER, "group_ids.1": {"$exists": True}}, ["_id"]).sort("_id", 1)
    candidates = [_benchmark_user(database, "user", user["_id"]) for user in in_several]
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
