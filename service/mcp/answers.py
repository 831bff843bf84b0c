"""What the tools answer with: the fields that matter, of bounded size."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from modeldeck_client import types as api
from service.mcp.shortening import MAX_NAME, Cut, Shortened, shortened_text

# The fields of a model in a list, by their names in the API.
LISTED_FIELDS = (
    "name,user,base_model_id,is_active,write_access,version,created_at,updated_at,meta.description,meta.tags"
)
MAX_DESCRIPTION, MAX_TAGS, MAX_TAG = 300, 20, 60
# Of paths to one model, and of groups that one of them leads through.
MAX_PATHS = 20
MAX_GROUPS = 100

_Time = Field(description="UTC, as in RFC 3339.", examples=["2026-05-15T11:39:00Z"])


class Person(BaseModel):
    """A user of the directory."""

    id: str
    name: str

    @classmethod
    def of(cls, user: api.Owner | api.Person) -> "Person":
        """Return a user of the API."""
        return cls(id=user["id"], name=shortened_text(user["name"], MAX_NAME))


class Me(BaseModel):
    """The user of the key."""

    id: str
    name: str
    email: str
    role: Literal["admin", "user"] = Field(description="An admin may read every model.")
    group_ids: list[str] = Field(description="Their groups and all ancestors of those.")
    groups: int = Field(description="How many groups these are, where not all are listed.")

    @classmethod
    def of(cls, me: api.Me) -> "Me":
        """Return the caller of the API."""
        group_ids = me["group_ids"]
        return cls(
            id=me["id"],
            name=shortened_text(me["name"], MAX_NAME),
            email=me["email"],
            role=me["role"],
            group_ids=group_ids[:MAX_GROUPS],
            groups=len(group_ids),
        )


class ListedModel(BaseModel):
    """A model in a list."""

    id: str
    name: str
    base_model_id: str | None
    description: str | None = Field(description="Its beginning, where it is long.")
    tags: list[str]
    owner: Person | None = Field(description="Null when the owner is gone.")
    is_active: bool
    write_access: bool = Field(description="Whether the user of the key may change it; these tools can't.")
    version: int
    created_at: str = _Time
    updated_at: str = _Time

    @classmethod
    def of(cls, item: api.ListedModel) -> "ListedModel":
        """Return an item of the API's list."""
        meta, owner = item.get("meta") or {}, item.get("user")
        tags = [shortened_text(str(tag["name"]), MAX_TAG) for tag in meta.get("tags") or [] if "name" in tag]
        description = meta.get("description")
        return cls(
            id=item["id"],
            name=shortened_text(item["name"], MAX_NAME),
            base_model_id=item["base_model_id"],
            description=None if description is None else shortened_text(str(description), MAX_DESCRIPTION),
            tags=tags[:MAX_TAGS],
            owner=None if owner is None else Person(id=owner["id"], name=shortened_text(owner["name"], MAX_NAME)),
            is_active=item["is_active"],
            write_access=item["write_access"],
            version=item["version"],
            created_at=moment(item["created_at"]),
            updated_at=moment(item["updated_at"]),
        )


class ModelPage(BaseModel):
    """A page of models."""

    models: list[ListedModel]
    total: int | None = Field(description="How many models there are on all pages.")
    next_cursor: str | None = Field(description="The `cursor` for the next page; null at the end.")

    @classmethod
    def of(cls, page: api.ModelPage) -> "ModelPage":
        """Return a page of the API's list."""
        models = [ListedModel.of(item) for item in page["items"]]
        return cls(models=models, total=page["total"], next_cursor=page["next_cursor"])


class Model(BaseModel):
    """One model with everything that the user of the key may see."""

    model: dict[str, Any] = Field(
        description="As in the API; `params`, which hold system prompts, are empty for who may not change it. Times "
        "are seconds since 1970."
    )
    cut: list[Cut] = Field(description="What is too long to be here as a whole; `read_value` reads it.")

    @classmethod
    def of(cls, model: api.Model) -> "Model":
        """Return a model of the API."""
        shown, cut = {}, []
        # Each field has room of its own, so that none takes it from another.
        for name, value in model.items():
            shortened = Shortened()
            shown[name] = shortened.value(value, f"/{name}")
            cut += shortened.cut
        return cls(model=shown, cut=cut)


class AccessPath(BaseModel):
    """One way in which a user gets access to a model."""

    kind: str = Field(description="owner, admin, user, group, ancestor_group or public.")
    permission: Literal["read", "write"]
    group_id: str | None = Field(description="The group that the model is shared with.")
    via: list[str] = Field(description="From a group of the user up to that group.")

    @classmethod
    def several(cls, paths: list[api.AccessPath]) -> "list[AccessPath]":
        """Return paths of the API, the first of them."""
        return [
            cls(
                kind=path["kind"],
                permission=path["permission"],
                group_id=path["group_id"],
                via=path["via"][:MAX_PATHS],
            )
            for path in paths[:MAX_PATHS]
        ]


class Reader(BaseModel):
    """A user who may read the model."""

    user: Person
    permission: Literal["read", "write"]
    paths: list[AccessPath]


class Explanation(BaseModel):
    """What one user may do, and why."""

    user: Person
    can_read: bool
    can_write: bool
    reason: str
    paths: list[AccessPath]


class Access(BaseModel):
    """Who may read and write a model, or what one user may do with it."""

    explanation: Explanation | None = Field(description="With `user_id`: about that user.")
    readers: list[Reader] | None = Field(description="Without `user_id`: a page of all who may read it.")
    total: int | None = Field(description="How many may read it.")

    @classmethod
    def of(cls, answer: api.AccessExplanation) -> "Access":
        """Return an explanation of the API."""
        explanation = Explanation(
            user=Person.of(answer["user"]),
            can_read=answer["can_read"],
            can_write=answer["can_write"],
            reason=answer["reason"],
            paths=AccessPath.several(answer["paths"]),
        )
        return cls(explanation=explanation, readers=None, total=None)

    @classmethod
    def of_all(cls, page: api.ReaderPage) -> "Access":
        """Return a page of readers of the API."""
        readers = [
            Reader(
                user=Person.of(reader["user"]),
                permission=reader["permission"],
                paths=AccessPath.several(reader["paths"]),
            )
            for reader in page["items"]
        ]
        return cls(explanation=None, readers=readers, total=page["total"])


class Change(BaseModel):
    """One change of a model."""

    version: int = Field(description="The version after the change.")
    at: str = _Time
    by: str | None = Field(description="The id of the user who made it; null for the command line.")
    change: str = Field(description="Such as create, update, access, import, delete.")
    fields: list[str] = Field(description="The fields that differ.")


class History(BaseModel):
    """A page of changes, newest first."""

    changes: list[Change]
    total: int = Field(description="How many changes there are on all pages.")

    @classmethod
    def of(cls, page: api.RevisionPage) -> "History":
        """Return a page of the API's history."""
        changes = [
            Change(
                version=item["version"],
                at=moment(item["at"]),
                by=item["by"],
                change=item["change"],
                fields=item["fields"],
            )
            for item in page["items"]
        ]
        return cls(changes=changes, total=page["total"])


def moment(seconds: int) -> str:
    """Return a time of the API as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
