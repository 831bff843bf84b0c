"""What a list request may ask for."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from documents.model import MAX_TAG_LENGTH
from documents.text import STORABLE

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 30
MAX_QUERY_LENGTH = 128

_BOOLEANS = {"true": True, "false": False}

SortField = Literal["name", "created_at", "updated_at"]


_Query = Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STORABLE]
_Tag = Annotated[str, Field(max_length=MAX_TAG_LENGTH), STORABLE]


def _blank_is_absent(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def whole_number(value: Any) -> Any:
    """Let pass what is written in ASCII digits; Pydantic alone takes `1.0`, `1_0` and full-width digits too."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("must be a whole number written in digits")
    return value


def _true_or_false(value: Any) -> Any:
    if isinstance(value, str) and value not in _BOOLEANS:
        raise PydanticCustomError("boolean", "must be true or false", {"expected": "true, false"})
    return _BOOLEANS.get(value, value)


class ListParams(BaseModel):
    """The parameters of `GET /api/models/list`, checked."""

    model_config = ConfigDict(frozen=True)

    query: Annotated[_Query | None, BeforeValidator(_blank_is_absent)] = Field(
        None,
        description="Part of the name, the base model's id, or the owner's name, email or username; any case, "
        "taken literally. Blank counts as absent.",
    )
    view_option: Literal["created", "shared"] | None = Field(
        None, description="`created`: the caller's own; `shared`: others' that the caller can read. Absent: both."
    )
    tag: Annotated[_Tag | None, BeforeValidator(_blank_is_absent)] = Field(
        None, description="The whole name of a tag, in any case."
    )
    order_by: SortField = Field("created_at", description="Ties are ordered by id, in the same direction.")
    direction: Literal["asc", "desc"] = Field("desc", description="`asc` or `desc`.")
    page: Annotated[int, Field(ge=1), BeforeValidator(whole_number)] = Field(
        1, description="1 and up; past the end there are no items, and the true total."
    )
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE), BeforeValidator(whole_number)] = Field(
        DEFAULT_PAGE_SIZE, description="Items a page."
    )
    kind: Literal["custom", "base"] | None = Field(
        None, description="`custom`: has a base model; `base`: has none. Absent: both."
    )
    is_active: Annotated[bool | None, BeforeValidator(_true_or_false)] = Field(
        None, description="`true` or `false`. Absent: both."
    )
