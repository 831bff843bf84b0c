"""What the API takes and answers with: generated from its OpenAPI document by `make docs`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict


class Fault(TypedDict):
    """One invalid part of a request."""

    loc: list[str | int]
    msg: str
    allowed: NotRequired[list[str]]


Role = Literal["user", "admin"]

Scope = Literal["read", "write"]


class Me(TypedDict):
    """The caller."""

    id: str
    name: str
    email: str
    username: str | None
    role: Role
    scope: Scope
    group_ids: list[str]


PrincipalType = Literal["user", "group"]

Permission = Literal["read", "write"]


class Grant(TypedDict):
    """One access grant."""

    id: str
    principal_type: PrincipalType
    principal_id: str
    permission: Permission


class Owner(TypedDict):
    """The owner of a model, as it is now."""

    id: str
    name: str
    email: str


class ListedModel(TypedDict):
    """One model of a page: with the parameter `fields`, only those and `id`; without it, all that a model has."""

    id: str
    user_id: NotRequired[str]
    base_model_id: NotRequired[str | None]
    name: NotRequired[str]
    params: NotRequired[dict[str, Any]]
    meta: NotRequired[dict[str, Any]]
    access_grants: NotRequired[list[Grant]]
    is_active: NotRequired[bool]
    write_access: NotRequired[bool]
    user: NotRequired[Owner | None]
    version: NotRequired[int]
    created_at: NotRequired[int]
    updated_at: NotRequired[int]


class FacetValue(TypedDict):
    """A value that some of the models have."""

    value: str | bool
    label: NotRequired[str | None]
    count: int


class ModelPage(TypedDict):
    """A page of models."""

    items: list[ListedModel]
    total: int | None
    next_cursor: str | None
    facets: NotRequired[dict[str, list[FacetValue]] | None]


class Model(TypedDict):
    """One model."""

    id: str
    user_id: str
    base_model_id: str | None
    name: str
    params: dict[str, Any]
    meta: dict[str, Any]
    access_grants: list[Grant]
    is_active: bool
    write_access: bool
    user: Owner | None
    version: int
    created_at: int
    updated_at: int


class GrantInput(TypedDict):
    """A grant to be made."""

    principal_type: PrincipalType
    principal_id: str
    permission: Permission


class CreateModel(TypedDict):
    """A new model."""

    id: str
    base_model_id: NotRequired[str | None]
    name: str
    params: NotRequired[dict[str, Any]]
    meta: NotRequired[dict[str, Any]]
    access_grants: NotRequired[list[GrantInput] | None]
    is_active: NotRequired[bool]


class PatchModel(TypedDict):
    """A merge patch (RFC 7396) of a model: what is not named stays, also within `params` and `meta`."""

    base_model_id: NotRequired[str | None]
    name: NotRequired[str]
    params: NotRequired[dict[str, Any]]
    meta: NotRequired[dict[str, Any]]
    is_active: NotRequired[bool]


class Person(TypedDict):
    """A user."""

    id: str
    name: str
    email: str | None


PathKind = Literal["owner", "admin", "user", "group", "ancestor_group", "public"]


class AccessPath(TypedDict):
    """One way in which a user gets access to a model."""

    kind: PathKind
    permission: Permission
    grant_id: str | None
    group_id: str | None
    via: list[str]


class FormerAccess(TypedDict):
    """Until when a user could read a model that they can't read now."""

    until: int
    paths: list[AccessPath]


class AccessExplanation(TypedDict):
    """What one user may do, and why."""

    user: Person
    can_read: bool
    can_write: bool
    paths: list[AccessPath]
    former: FormerAccess | None
    reason: str


class Reader(TypedDict):
    """One user who may read the model."""

    user: Person
    permission: Permission
    paths: list[AccessPath]


class ReaderPage(TypedDict):
    """A page of the users who may read the model, in order of id; without inactive users, who may not."""

    items: list[Reader]
    total: int


ChangeKind = Literal["create", "update", "toggle", "access", "restore", "transfer", "import", "sync", "delete"]


class RevisionSummary(TypedDict):
    """One revision in a page of history."""

    id: str
    model_id: str
    version: int
    at: int
    by: str | None
    change: ChangeKind
    fields: list[str]


class RevisionPage(TypedDict):
    """A page of history."""

    items: list[RevisionSummary]
    total: int


ModelFilter = TypedDict(
    "ModelFilter",
    {
        "query": NotRequired[str | None],
        "in": NotRequired[Literal["description"] | None],
        "view_option": NotRequired[Literal["created", "shared"] | None],
        "id": NotRequired[list[str]],
        "tag": NotRequired[list[str]],
        "base_model_id": NotRequired[list[str]],
        "owner": NotRequired[list[str]],
        "group": NotRequired[list[str]],
        "capability": NotRequired[list[str]],
        "kind": NotRequired[Literal["custom", "base"] | None],
        "is_active": NotRequired[bool | None],
        "created_since": NotRequired[str | None],
        "updated_since": NotRequired[str | None],
    },
)


class BulkStateChange(TypedDict):
    """The new state of models."""

    ids: NotRequired[list[str] | None]
    filter: NotRequired[ModelFilter | None]
    dry_run: NotRequired[bool]
    is_active: bool


class GrantRemoval(TypedDict):
    """The grants to remove from a principal, who need not exist any more; without `permission`, all of them."""

    principal_type: PrincipalType
    principal_id: str
    permission: NotRequired[Permission | None]


class BulkAccessChange(TypedDict):
    """The change of the grants of models: all are replaced, or some are removed and then some are added."""

    ids: NotRequired[list[str] | None]
    filter: NotRequired[ModelFilter | None]
    dry_run: NotRequired[bool]
    add: NotRequired[list[GrantInput] | None]
    remove: NotRequired[list[GrantRemoval] | None]
    replace: NotRequired[list[GrantInput] | None]


RecordStatus = Literal["changed", "unchanged", "not_found", "failed"]


class BulkChangeResult(TypedDict):
    """The result for one model."""

    id: str
    status: RecordStatus
    version: int | None
    detail: str | None


class BulkChangeResults(TypedDict):
    """The result for every model."""

    results: list[BulkChangeResult]
    counts: dict[RecordStatus, int]
    complete: bool
    reason: str | None


class Filters(TypedDict, total=False):
    """Which models, in which order: docs/listing.md."""

    query: str | None
    in_: Literal["description"] | None
    view_option: Literal["created", "shared"] | None
    id: str | Sequence[str] | None
    tag: str | Sequence[str] | None
    base_model_id: str | Sequence[str] | None
    owner: str | Sequence[str] | None
    group: str | Sequence[str] | None
    capability: str | Sequence[str] | None
    kind: Literal["custom", "base"] | None
    is_active: bool | None
    created_since: datetime | float | str | None
    updated_since: datetime | float | str | None
    order_by: Literal["name", "created_at", "updated_at", "relevance"] | None
    direction: Literal["asc", "desc"] | None


class FieldFilters(Filters):
    """Which models, and which of their fields."""

    fields: str | Sequence[str]


class PageFilters(Filters, total=False):
    """Which page, what is shown, what is counted."""

    page: int | None
    page_size: int | None
    cursor: str | None
    fields: str | Sequence[str] | None
    facets: str | Sequence[str] | None
    total: Literal["exact", "none"] | None
