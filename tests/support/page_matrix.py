"""Who may do what on the page: every route that needs somebody who has signed in, for every kind of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.permission_matrix import ACTING, ADMINS, CHANGING, EVERYONE, MANAGING, MODEL, READ_ONLY, SEEING

_WITH_READ_KEYS = CHANGING | set(READ_ONLY)


@dataclass(frozen=True)
class PageCase:
    """The request to one route, and who may make it; a form if it has fields. `hides` as in the matrix of the API."""

    allowed: frozenset[str]
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    success: int = 200
    hides: bool = True

    def status(self, role: str) -> int:
        """Return the expected status for somebody who has signed in."""
        if role in self.allowed:
            return self.success
        return 404 if self.hides and role == "stranger" else 403


_THIS = {"id": MODEL}
_CHANGE = {"id": MODEL, "version": "2"}
_TEXT = {"name": "Other", "description": "", "tags": "", "base_model_id": "", "system": ""}
_GRANT = {"kind": "user", "principal_id": "stranger", "principal": "stranger", "permission": "read"}

CASES: dict[str, PageCase] = {
    "GET /": PageCase(EVERYONE),
    "GET /changes": PageCase(EVERYONE),
    "GET /me": PageCase(EVERYONE),
    "GET /suggestions": PageCase(EVERYONE),
    "GET /overview": PageCase(ADMINS | {"admin-reads"}, hides=False),
    "GET /overview/examined": PageCase(ADMINS | {"admin-reads"}, hides=False),
    "GET /model": PageCase(SEEING, _THIS),
    "GET /model/changes": PageCase(SEEING, {**_THIS, "version": "2", "follow": "no"}),
    "GET /model/image": PageCase(SEEING, _THIS),
    "GET /model/history": PageCase(_WITH_READ_KEYS, {**_THIS, "earlier": "1", "later": "2"}),
    "GET /model/edit": PageCase(_WITH_READ_KEYS, _THIS),
    "GET /model/sharing": PageCase(MANAGING | set(READ_ONLY), _THIS),
    "POST /model/edit/save": PageCase(CHANGING, form={**_CHANGE, **_TEXT}, success=303),
    "POST /model/state": PageCase(CHANGING, form={**_CHANGE, "active": "no"}, success=303),
    "POST /model/restore": PageCase(CHANGING, form={**_CHANGE, "revision": "first"}, success=303),
    "POST /model/sharing/add": PageCase(MANAGING, form={**_CHANGE, **_GRANT}, success=303),
    "POST /model/sharing/set": PageCase(MANAGING, form={**_CHANGE, **_GRANT}, success=303),
    "POST /me/keys/create": PageCase(ACTING, form={"name": "k", "scope": "read", "lifetime": "30"}, hides=False),
    "POST /me/keys/revoke": PageCase(ACTING, form={"id": "spare"}, success=303, hides=False),
}
