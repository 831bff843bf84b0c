"""The parameters of a list request."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from documents.model import MAX_TAG_LENGTH
from documents.text import STORABLE
from service.http.pagination import PageParams
from service.http.strict_model import QueryModel

MAX_QUERY_LENGTH = 128

_BOOLEANS = {"true": True, "false": False}

SortField = Literal["name", "created_at", "updated_at"]


def blank_is_absent(value: Any) -> Any:
    """Return None for blank text, and anything else as it is."""
    return None if isinstance(value, str) and not value.strip() else value


def _trimmed(value: Any) -> Any:
    return blank_is_absent(value.strip() if isinstance(value, str) else value)


_Query = Annotated[Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STORABLE] | None, BeforeValidator(_trimmed)]
Tag = Annotated[Annotated[str, Field(max_length=MAX_TAG_LENGTH), STORABLE] | None, BeforeValidator(_trimmed)]


def _true_or_false(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise PydanticCustomError("boolean", "must be true or false", {"expected": "true, false"})


class ListFilter(QueryModel):
    """The filters that select models, in the list and in bulk changes."""

    query: _Query = Field(
        None,
        description="Part of the name, the base model's id, or the owner's name, email or username; any case, "
        "taken literally. White space around it is ignored, and blank counts as absent.",
        examples=["sql"],
    )
    view_option: Literal["created", "shared"] | None = Field(
        None, description="`created`: the caller's own; `shared`: others' that the caller can read. Absent: both."
    )
    tag: Tag = Field(None, description="The whole name of a tag, in any case.", examples=["engineering"])
    kind: Literal["custom", "base"] | None = Field(
        None, description="`custom`: has a base model; `base`: has none. Absent: both."
    )
    is_active: Annotated[bool | None, BeforeValidator(_true_or_false)] = Field(
        None, description="`true` or `false`. Absent: both.", examples=[True]
    )


class ListParams(PageParams, ListFilter):
    """The parameters of `GET /api/models/list`, checked."""

    order_by: SortField = Field("created_at", description="Ties are ordered by id, in the same direction.")
    direction: Literal["asc", "desc"] = Field("desc", description="`asc` or `desc`.")
