"""The arguments of the tools: what an assistant may ask for, with bounds that are no wider than those of the API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.mcp.shortening import MAX_POINTER

MAX_PAGE_SIZE = 50
DEFAULT_PAGE_SIZE = 20
# As in the API, of which a filter can have more values.
MAX_VALUES = 20

Id = Annotated[str, Field(min_length=1, max_length=256)]
ModelId = Annotated[Id, Field(description="The model's id.", examples=["sql-tuning"])]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE, description="Items a page.")]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="1 and up.")]
Cursor = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=4_000,
        description="The `next_cursor` of the answer to a call with the same other arguments: go on after its last "
        "model.",
    ),
]
Moment = Annotated[str, Field(min_length=1, max_length=40, examples=["2026-11-24T00:00:00Z"])]


class Arguments(BaseModel):
    """The arguments of a tool; others are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def given(self) -> dict[str, Any]:
        """Return the arguments that are not absent, by their names in the API."""
        arguments = self.model_dump(by_alias=True)
        return {name: value for name, value in arguments.items() if value is not None and value != []}


def _several(description: str, longest: int) -> Any:
    value = Annotated[str, Field(min_length=1, max_length=longest)]
    return Annotated[list[value], Field(max_length=MAX_VALUES, description=description)]


class NoArguments(Arguments):
    """None."""


class SearchArguments(Arguments):
    """Which models to list; the names are those of `GET /api/models/list`."""

    query: Annotated[
        str | None,
        Field(
            max_length=128,
            description="Words that all occur in the name, the base model's id, or the owner's name, email or "
            "username, in any order and case. Literal, no wildcards.",
        ),
    ] = None
    searched_in: Annotated[
        Literal["description"] | None,
        Field(alias="in", description="`description`: `query` searches the descriptions too."),
    ] = None
    view_option: Annotated[
        Literal["created", "shared"] | None,
        Field(description="`created`: the key's user's own models; `shared`: those of others. Absent: both."),
    ] = None
    tag: _several("Whole names of tags, in any case; models that have all of them.", 128) = []  # type: ignore[valid-type]
    owner: _several("Ids or emails of owners; models of any of them.", 320) = []  # type: ignore[valid-type]
    group: _several("Ids of groups; models that are shared with any of them.", 256) = []  # type: ignore[valid-type]
    base_model_id: _several("Exact ids of base models; models that have any of them.", 256) = []  # type: ignore[valid-type]
    capability: _several("Names of capabilities; models that have all of them.", 320) = []  # type: ignore[valid-type]
    kind: Annotated[
        Literal["custom", "base"] | None, Field(description="`custom`: has a base model; `base`: has none.")
    ] = None
    is_active: Annotated[bool | None, Field(description="Absent: active and inactive models.")] = None
    order_by: Annotated[
        Literal["name", "created_at", "updated_at", "relevance"], Field(description="`relevance` needs a `query`.")
    ] = "name"
    direction: Literal["asc", "desc"] = "asc"
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Cursor = None


class RecentArguments(Arguments):
    """From when on, and how many."""

    updated_since: Annotated[Moment | None, Field(description="Changed then or later: a time as in RFC 3339.")] = None
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Cursor = None


class ModelArguments(Arguments):
    """Which model."""

    id: ModelId


class ValueArguments(Arguments):
    """Which part of which value."""

    id: ModelId
    pointer: Annotated[
        str,
        Field(
            max_length=MAX_POINTER,
            pattern="^/",
            description="A JSON pointer, as `cut` of get_model names it.",
            examples=["/params/system"],
        ),
    ]
    offset: Annotated[int, Field(ge=0, le=100_000_000, description="How many characters to skip.")] = 0


class AccessArguments(Arguments):
    """Access of whom, to which model."""

    id: ModelId
    user_id: Annotated[
        Id | None,
        Field(description="Explain the user with this id, which is no email. Absent: all who may read the model."),
    ] = None
    page: PageNumber = 1
    page_size: PageSize = DEFAULT_PAGE_SIZE


class HistoryArguments(Arguments):
    """The history of which model."""

    id: ModelId
    page: PageNumber = 1
    page_size: PageSize = DEFAULT_PAGE_SIZE
