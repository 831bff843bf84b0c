"""The lookup keys derived from a record: pure functions, the only place that knows how."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from documents.folding import fold
from documents.grant import PUBLIC, Permission, user_principal

# No stored text may hold NUL and no search term may either, so a match never crosses two fields.
FIELD_SEPARATOR = "\0"
GRAM_LENGTH = 3


class GrantFields(Protocol):
    """What the keys need to know of a grant."""

    @property
    def principal(self) -> str:
        """To whom it is given."""

    @property
    def permission(self) -> str:
        """What it allows."""


class OwnerFields(NamedTuple):
    """What the keys of a record hold of its owner."""

    name: str
    email: str
    username: str | None

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> "OwnerFields":
        """Take them from a user as stored, who can lack a field or hold anything in it if others wrote it."""
        name, email, username = (
            value if isinstance(value := user.get(field), str) else None for field in ("name", "email", "username")
        )
        return cls(name or "", email or "", username)


class RecordDerivedKeys(BaseModel):
    """Derived from a model record and its owner; written on every write path, never by hand."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The name as names are ordered: NFKC, then case folding.", examples=["sql tuning"])
    text: str = Field(
        description="What a search looks through, folded, joined by NUL: name, base, and the owner's names and email.",
        examples=["sql tuning\0openai/gpt-4o\0anna kowalska"],
    )
    tags: list[str] = Field(description="The tags, folded.", examples=[["engineering", "sql"]])
    readers: list[str] = Field(
        description="All who may read it: the owner and whom it is shared with, as `user:…`, `group:…` or `user:*`.",
        examples=[["group:g-platform", "user:u-anna"]],
    )
    writers: list[str] = Field(
        description="Those of them who may write it.", examples=[["group:g-platform", "user:u-anna"]]
    )
    grams: list[str] = Field(description="All trigrams of the text.", examples=[[" tu", "ing", "l t"]])


def grams(folded: str) -> set[str]:
    """Return the distinct trigrams of an already folded text; empty when it is shorter than three."""
    return {folded[at : at + GRAM_LENGTH] for at in range(len(folded) - GRAM_LENGTH + 1)}


# Base models and owners recur from record to record.
@lru_cache(maxsize=8192)
def _searchable(field: str) -> tuple[str, frozenset[str]]:
    folded = fold(field)
    return folded, frozenset(grams(folded))


def tag_names(meta: Mapping[str, Any]) -> list[str]:
    """Return the names in `meta.tags`, passing over whatever is not `{name: text}`."""
    tags = meta.get("tags")
    if not isinstance(tags, list):
        return []
    return [tag["name"] for tag in tags if isinstance(tag, Mapping) and isinstance(tag.get("name"), str)]


def record_derived_keys(
    *,
    user_id: str,
    name: str,
    base_model_id: str | None,
    meta: Mapping[str, Any],
    grants: Sequence[GrantFields],
    owner: OwnerFields | None,
) -> RecordDerivedKeys:
    """Derive the keys of one record.

    `owner` is None when the owner does not exist (any more); their name is then not searchable.
    Lists come sorted and without repetition, so that equal inputs give equal keys.
    """
    searched: Iterable[str | None] = (name, base_model_id, *(owner or ()))
    fields = [_searchable(field) for field in searched if field]
    # A record written past the service could name everyone as its owner, who would be no owner at all.
    own = {user_principal(user_id)} - {PUBLIC}
    writers = own | {grant.principal for grant in grants if grant.permission == Permission.WRITE}
    readers = own | {grant.principal for grant in grants}
    return RecordDerivedKeys(
        name=fold(name),
        text=FIELD_SEPARATOR.join(folded for folded, _ in fields),
        tags=sorted({fold(tag) for tag in tag_names(meta)}),
        readers=sorted(readers),
        writers=sorted(writers),
        grams=sorted(frozenset().union(*(found for _, found in fields))),
    )


class UserDerivedKeys(BaseModel):
    """Derived from a user: the form in which an email is unique, and the text that a search looks through."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(description="The email as emails are compared: folded.", examples=["anna.kowalska@example.com"])
    # Users stored before people could be searched have none, until the doctor mends them.
    text: str = Field(
        default="",
        description="What a search for people looks through, folded, joined by NUL: name, email, username.",
        examples=["anna kowalska\0anna.kowalska@example.com"],
    )


def user_derived_keys(*, email: str, name: str, username: str | None) -> UserDerivedKeys:
    """Derive the keys of one user."""
    searched = (name, email, username)
    return UserDerivedKeys(email=fold(email), text=FIELD_SEPARATOR.join(fold(field) for field in searched if field))
