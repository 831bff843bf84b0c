"""Who may do what: every route, for every kind of caller, on one model and related records.

A case names its route without the prefix of the API; a route without a case fails test_permission_matrix.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.directory import grant
from tests.support.routes import Route

# Callers who may do nothing, then the others, of whom two use a read-only API key.
NOBODY = ("anonymous", "forged", "expired", "idle")
READ_ONLY = ("owner-reads", "admin-reads")
CALLERS = ("owner", "writer", "reader", "member", "stranger", "admin", *READ_ONLY)
ROLES = (*NOBODY, *CALLERS)

EVERYONE = frozenset(CALLERS)
ACTING = EVERYONE - set(READ_ONLY)
SEEING = EVERYONE - {"stranger"}
CHANGING = frozenset({"owner", "writer", "admin"})
MANAGING = frozenset({"owner", "admin"})
ADMINS = frozenset({"admin"})

MODEL = "team/m:1"
IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
Ids = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """The request to one route, and the allowed callers; `changes` are those whose request changes a record.

    `hides` means that the route answers 404 to callers who may not see the model; `refusal` is another answer than 403
    and 404 for those who are not allowed.
    """

    allowed: frozenset[str]
    query: str = ""
    body: Callable[[Ids], Any] | None = None
    changes: frozenset[str] | None = None
    hides: bool = True
    refusal: int | None = None

    @property
    def changing(self) -> frozenset[str]:
        """The callers whose request changes what is stored."""
        if self.body is None:
            return frozenset()
        return self.allowed if self.changes is None else self.changes

    def status(self, role: str) -> int:
        """Return the expected status for a caller."""
        if role in NOBODY:
            return 401
        if role in self.allowed:
            return 200
        if self.refusal is not None:
            return self.refusal
        hidden = self.hides and role == "stranger"
        return 404 if hidden else 403


def _body(**values: Any) -> Callable[[Ids], Any]:
    return lambda _: values


def _body_for_model(**values: Any) -> Callable[[Ids], Any]:
    return lambda _: {"id": MODEL, **values}


_WITH_READ_KEYS = CHANGING | set(READ_ONLY)
_ADMIN_READS = ADMINS | {"admin-reads"}
_THIS = f"?id={MODEL}"
_NEW = {"id": "new", "name": "New"}


def _admin(**values: Any) -> Case:
    return Case(ADMINS, body=_body(**values), hides=False)


CASES: dict[str, Case] = {
    "GET /me": Case(EVERYONE),
    "GET /keys": Case(EVERYONE),
    "POST /keys/create": Case(ACTING, body=_body(name="k"), hides=False),
    "POST /keys/revoke": Case(ACTING, body=lambda ids: {"id": ids["spare key"]}, hides=False),
    "GET /models/list": Case(EVERYONE),
    "GET /models/changes": Case(EVERYONE, "?follow=false"),
    "GET /models/base": Case(EVERYONE),
    "GET /models/tags": Case(EVERYONE),
    "GET /models/export": Case(SEEING, _THIS),
    "GET /models/model": Case(SEEING, _THIS),
    "GET /models/model/profile/image": Case(SEEING, _THIS),
    "GET /models/model/access": Case(MANAGING | set(READ_ONLY), _THIS),
    "GET /models/model/history": Case(_WITH_READ_KEYS, _THIS),
    "GET /models/model/history/diff": Case(_WITH_READ_KEYS, f"{_THIS}&earlier=1&later=2"),
    "GET /models/model/history/{revision}": Case(_WITH_READ_KEYS),
    "POST /models/create": Case(ACTING, body=_body(**_NEW), hides=False),
    "POST /models/model/update": Case(CHANGING, body=_body_for_model(name="Other")),
    "PATCH /models/model": Case(CHANGING, _THIS, body=_body(meta={"description": "Other"})),
    "POST /models/model/toggle": Case(CHANGING, _THIS, body=_body()),
    "POST /models/model/access/update": Case(MANAGING, body=_body_for_model(access_grants=[])),
    "POST /models/model/delete": Case(CHANGING, body=_body_for_model()),
    "POST /models/model/history/restore": Case(CHANGING, body=lambda ids: {"id": MODEL, "revision": ids["revision"]}),
    "POST /models/bulk/state": Case(ACTING, body=_body(ids=[MODEL], is_active=False), changes=CHANGING, hides=False),
    "POST /models/bulk/access": Case(
        ACTING, body=_body(ids=[MODEL], add=[grant("user:*")]), changes=MANAGING, hides=False
    ),
    "POST /models/import": Case(ACTING, body=_body(models=[_NEW]), hides=False),
    "POST /models/sync": _admin(models=[{"id": MODEL, "name": "Other"}], max_deletions=0),
    "GET /v1/models": Case(EVERYONE),
    "GET /v1/models/{id}": Case(SEEING),
    "GET /users": Case(_ADMIN_READS, hides=False),
    "GET /users/user": Case(_ADMIN_READS, "?id=reader", hides=False),
    "GET /users/history": Case(_ADMIN_READS, "?id=reader", hides=False),
    "POST /users/create": _admin(email="new@example.com", name="New"),
    "POST /users/update": _admin(id="reader", role="admin"),
    "POST /users/delete": _admin(id="reader"),
    "POST /users/transfer": _admin(from_user_id="owner", to_user_id="reader"),
    "GET /users/keys": Case(_ADMIN_READS, "?user_id=reader", hides=False),
    "POST /users/keys/create": _admin(user_id="admin", name="k"),
    "POST /users/keys/revoke": Case(ADMINS, body=lambda ids: {"user_id": "owner", "id": ids["owner key"]}, hides=False),
    "GET /groups": Case(_ADMIN_READS, hides=False),
    "GET /groups/group": Case(_ADMIN_READS, "?id=team", hides=False),
    "GET /groups/history": Case(_ADMIN_READS, "?id=team", hides=False),
    "GET /groups/members": Case(_ADMIN_READS, "?id=team", hides=False),
    "POST /groups/create": _admin(name="New"),
    "POST /groups/update": _admin(id="team", parent_id=None),
    "POST /groups/delete": _admin(id="team"),
    "POST /groups/members/add": _admin(id="team", user_ids=["stranger"]),
    "POST /groups/members/remove": _admin(id="team", user_ids=["member"]),
}

# The routes that only the compatibility API has, or that answer in another way there.
COMPATIBLE_CASES: dict[str, Case] = {
    "GET /models/all": Case(_ADMIN_READS, hides=False),
    "GET /models/base/tags": Case(_ADMIN_READS, hides=False),
    "GET /models/model/profile/image": Case(SEEING, _THIS, refusal=307),
    "POST /models/model/update/version": Case(CHANGING, _THIS, body=lambda ids: {"version_id": ids["revision"]}),
    "DELETE /models/model/history/{revision}": Case(frozenset(), _THIS),
    "DELETE /models/delete/all": Case(frozenset(), hides=False),
}


def case_of(route: Route) -> Case:
    """Return the case of a route."""
    name = f"{route.method} {route.inner}"
    return COMPATIBLE_CASES[name] if route.is_compatible and name in COMPATIBLE_CASES else CASES[name]
