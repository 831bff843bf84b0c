"""Derived keys: the fields by which records and users are found, computed here and nowhere else."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from documents.folding import fold
from documents.grant import PUBLIC, Permission, user_principal

# Neither stored text nor a search term may contain NUL, so a match never spans two fields.
FIELD_SEPARATOR = "\0"
GRAM_LENGTH = 3
# A record with many readers and long tags would become several times as large.
MAX_ROW_BYTES = 64 * 1024
# A principal as the name of a field: the names of fields that queries reach hold no dot, no dollar sign and no NUL.
_AS_FIELD = str.maketrans({"%": "%25", ".": "%2E", "$": "%24", "\0": "%00"})


class GrantFields(Protocol):
    """The fields of a grant that derived keys depend on."""

    @property
    def principal(self) -> str:
        """The principal string of the grantee."""

    @property
    def permission(self) -> str:
        """The permission: `read` or `write`."""


class OwnerFields(NamedTuple):
    """The fields of an owner that the derived keys of their models contain."""

    name: str
    email: str
    username: str | None

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> "OwnerFields":
        """Return the fields of a stored user, which may be missing or of other types if written past the service."""
        name, email, username = (
            value if isinstance(value := user.get(field), str) else None for field in ("name", "email", "username")
        )
        return cls(name or "", email or "", username)


class RecordDerivedKeys(BaseModel):
    """Derived from a model record and its owner; every write path writes them."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The name as used for sorting: NFKC, then case folding.", examples=["sql tuning"])
    text: str = Field(
        description="What a search matches: name, base model, and the owner's name, email and username, folded and "
        "joined by NUL.",
        examples=["sql tuning\0openai/gpt-4o\0anna kowalska"],
    )
    tags: list[str] = Field(description="The tags, folded.", examples=[["engineering", "sql"]])
    # This and what is described are absent in records of earlier versions, until the doctor repairs them.
    capabilities: list[str] = Field(
        default_factory=list, description="The names in `meta.capabilities` whose value is true.", examples=[["vision"]]
    )
    described: str | None = Field(
        default=None,
        description="What a search with `in=description` matches: `keys.text`, NUL, and `meta.description`, folded. "
        "Null where that would be too large.",
        examples=["sql tuning\0openai/gpt-4o\0anna kowalska\0reads query plans and proposes indexes."],
    )
    description: str | None = Field(
        default=None,
        description="`meta.description`, folded, where `keys.described` is null.",
        examples=["reads query plans and proposes indexes."],
    )
    readers: list[str] = Field(
        description="The principals who may read it: the owner and all grantees, as `user:…`, `group:…` or `user:*`.",
        examples=[["group:g-platform", "user:u-anna"]],
    )
    writers: list[str] = Field(
        description="The principals who may write it: the owner and the grantees with write permission.",
        examples=[["group:g-platform", "user:u-anna"]],
    )
    grams: list[str] = Field(description="All trigrams of `keys.text`.", examples=[[" tu", "ing", "l t"]])
    # What follows is absent in records of earlier versions, until the doctor repairs them. Such records are read where
    # others are counted on index keys.
    rows: bool = Field(
        default=False,
        description="Whether `keys.readable` holds rows. They are left out where they would be too large.",
        examples=[True],
    )
    readable: dict[str, str] = Field(
        default_factory=dict,
        description="For each of `keys.readers` the same row: `keys.text`, two NULs, and each of `keys.tags` followed "
        "by NUL. By it an index counts what a caller may read and a search finds. In the names, `%`, `.` and `$` are "
        "`%25`, `%2E` and `%24`.",
        examples=[{"user:u-anna": "sql tuning\0openai/gpt-4o\0anna kowalska\0\0engineering\0sql\0"}],
    )
    tag_line: str | None = Field(
        default=None,
        description="Each tag as `t` and the tag as it is written, and each folded tag as `f` and the tag; joined by "
        "NUL. The facet of tags is counted by it.",
        examples=["fengineering\0fsql\0tEngineering\0tSQL"],
    )
    capability_line: str | None = Field(
        default=None,
        description="Each of `keys.capabilities` as `c` and the name, joined by NUL. Their facet is counted by it.",
        examples=["cvision"],
    )


def reader_field(principal: str) -> str:
    """Return the path of the field that holds a record's row for a reader; it differs for different principals."""
    return f"keys.readable.{_field_name(principal)}"


def _field_name(principal: str) -> str:
    return principal.translate(_AS_FIELD)


def _described(fields: Sequence[str], description: str) -> str | None:
    described = FIELD_SEPARATOR.join((*fields, description))
    return described if len(described.encode(errors="surrogatepass")) <= MAX_ROW_BYTES else None


def _row(fields: Sequence[str], tags: Sequence[str], copies: int) -> str | None:
    # Written past the service, a text can hold the separator.
    if any(FIELD_SEPARATOR in part for part in (*fields, *tags)) or "" in tags:
        return None
    row = FIELD_SEPARATOR.join(fields) + 2 * FIELD_SEPARATOR + "".join(tag + FIELD_SEPARATOR for tag in tags)
    return row if len(row.encode(errors="surrogatepass")) * copies <= MAX_ROW_BYTES else None


def _line(entries: set[str]) -> str | None:
    # Written past the service, a name can hold the separator.
    return None if any(FIELD_SEPARATOR in entry for entry in entries) else FIELD_SEPARATOR.join(sorted(entries))


def grams(folded: str) -> set[str]:
    """Return the distinct trigrams of a folded text; none when it has fewer than three characters."""
    return {folded[at : at + GRAM_LENGTH] for at in range(len(folded) - GRAM_LENGTH + 1)}


# Cached because the same base models and owners occur in many records.
@lru_cache(maxsize=8192)
def _searchable(field: str) -> tuple[str, frozenset[str]]:
    folded = fold(field)
    return folded, frozenset(grams(folded))


def tag_names(meta: Mapping[str, Any]) -> list[str]:
    """Return the names in `meta.tags`, without elements that are not `{name: text}`."""
    tags = meta.get("tags")
    if not isinstance(tags, list):
        return []
    return [tag["name"] for tag in tags if isinstance(tag, Mapping) and isinstance(tag.get("name"), str)]


def capability_names(meta: Mapping[str, Any]) -> list[str]:
    """Return the names in `meta.capabilities` whose value is true, and not something else that counts as true."""
    capabilities = meta.get("capabilities")
    return [name for name, value in capabilities.items() if value is True] if isinstance(capabilities, Mapping) else []


def readers_and_writers(user_id: str, grants: Sequence[GrantFields]) -> tuple[set[str], set[str]]:
    """Return the principals who may read, and those who may write, a record with this owner and these grants."""
    # A record written past the service may have `*` as its owner; that must not make it public.
    own = {user_principal(user_id)} - {PUBLIC}
    writers = own | {grant.principal for grant in grants if grant.permission == Permission.WRITE}
    return own | {grant.principal for grant in grants}, writers


def record_derived_keys(
    *,
    user_id: str,
    name: str,
    base_model_id: str | None,
    meta: Mapping[str, Any],
    grants: Sequence[GrantFields],
    owner: OwnerFields | None,
) -> RecordDerivedKeys:
    """Return the derived keys of one record.

    `owner` is None when the owner does not exist; their name is then not searchable. Lists are sorted and without
    repetitions, so that equal inputs give equal derived keys.
    """
    searched: Iterable[str | None] = (name, base_model_id, *(owner or ()))
    fields = [_searchable(field) for field in searched if field]
    readers, writers = map(sorted, readers_and_writers(user_id, grants))
    written = tag_names(meta)
    tags = sorted({fold(tag) for tag in written})
    capabilities = sorted(capability_names(meta))
    texts = [folded for folded, _ in fields]
    text = FIELD_SEPARATOR.join(texts)
    row = _row(texts, tags, len(readers))
    description = fold(found) if isinstance(found := meta.get("description"), str) else ""
    described = _described(texts, description)
    return RecordDerivedKeys(
        name=fold(name),
        text=text,
        tags=tags,
        capabilities=capabilities,
        described=described,
        description=description if described is None else None,
        readers=readers,
        writers=writers,
        grams=sorted(frozenset().union(*(found for _, found in fields))),
        rows=row is not None,
        readable={} if row is None else {_field_name(reader): row for reader in readers},
        tag_line=_line({f"t{tag}" for tag in written} | {f"f{tag}" for tag in tags}),
        capability_line=_line({f"c{name}" for name in capabilities}),
    )


class UserDerivedKeys(BaseModel):
    """Derived from a user: the folded email, which is unique, and the text that a search matches."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(description="The email as used for comparison: folded.", examples=["anna.kowalska@example.com"])
    # Absent in users that were stored before users could be searched, until the doctor repairs them.
    text: str = Field(
        default="",
        description="What a search for users matches: name, email and username; folded, joined by NUL.",
        examples=["anna kowalska\0anna.kowalska@example.com"],
    )


def user_derived_keys(*, email: str, name: str, username: str | None) -> UserDerivedKeys:
    """Return the derived keys of one user."""
    searched = (name, email, username)
    return UserDerivedKeys(email=fold(email), text=FIELD_SEPARATOR.join(fold(field) for field in searched if field))
