"""The parameters of a list request."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from documents.model import MAX_TAG_LENGTH, BaseModelId
from documents.text import STORABLE, Identifier
from service.http.pagination import PageParams
from service.http.strict_model import QueryModel
from service.listing.moments import SentMoment
from service.models.fields import Fields

MAX_QUERY_LENGTH = 128
# Of each filter that can be repeated.
MAX_VALUES = 100
MAX_OWNER_LENGTH = 320
MAX_FIELDS_LENGTH = 4000

_BOOLEANS = {"true": True, "false": False}

FacetName = Literal["tag", "owner", "base_model_id", "capability", "kind", "is_active"]
SortField = Literal["name", "created_at", "updated_at", "relevance"]


def blank_is_absent(value: Any) -> Any:
    """Return None for blank text, and anything else as it is."""
    return None if isinstance(value, str) and not value.strip() else value


def trimmed(value: Any) -> Any:
    """Return text without the white space around it, None for blank text, and anything else as it is."""
    return blank_is_absent(value.strip() if isinstance(value, str) else value)


_Query = Annotated[Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STORABLE] | None, BeforeValidator(trimmed)]
_TagName = Annotated[str, Field(max_length=MAX_TAG_LENGTH), STORABLE]
Tag = Annotated[_TagName | None, BeforeValidator(trimmed)]


def as_list(value: Any) -> Any:
    """Return a single text as a list of it, and null as an empty one: a body may hold both for several."""
    return [value] if isinstance(value, str) else [] if value is None else value


def _trimmed_names(values: Any) -> Any:
    values = as_list(values)
    if not isinstance(values, list):
        return values
    return [name for name in map(trimmed, values) if name is not None]


def _several(description: str, *examples: str) -> Any:
    return Field(default_factory=list, max_length=MAX_VALUES, description=description, examples=[[*examples]])


_OwnerName = Annotated[
    str,
    BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value),
    Field(min_length=1, max_length=MAX_OWNER_LENGTH),
    STORABLE,
]
_Capability = Annotated[str, Field(min_length=1, max_length=MAX_OWNER_LENGTH), STORABLE]
AS_LIST = BeforeValidator(as_list)


def _true_or_false(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise PydanticCustomError("boolean", "must be true or false", {"expected": "true, false"})


def _existing_fields(text: str) -> str:
    Fields.named(text)
    return text


def _facets(text: str) -> list[FacetName]:
    names = dict.fromkeys(name.strip() for name in text.split(","))
    found = [name for name in get_args(FacetName) if name in names]
    if len(found) < len(names):
        raise ValueError(f"must name facets, separated by commas: {', '.join(get_args(FacetName))}")
    return found


def _existing_facets(text: str) -> str:
    _facets(text)
    return text


class ListFilter(QueryModel):
    """The filters that select models, in the list and in bulk changes."""

    query: _Query = Field(
        None,
        description="Words that are part of the name, the base model's id, or the owner's name, email or username: all "
        'of them, in any order and case, without wildcards. `"Several words"` in quotation marks are taken as they '
        "stand. Blank counts as absent.",
        examples=["sql"],
    )
    searched_in: Literal["description"] | None = Field(
        None,
        alias="in",
        description="`description`: `query` searches that of the models too.",
        examples=["description"],
    )
    view_option: Literal["created", "shared"] | None = Field(
        None, description="`created`: the caller's own; `shared`: others' that the caller can read. Absent: both."
    )
    id: Annotated[list[Identifier], AS_LIST] = _several("Repeatable: only these models.", "sql-tuning")
    tag: Annotated[list[_TagName], BeforeValidator(_trimmed_names)] = _several(
        "The whole name of a tag, in any case. Repeatable: the models that have all of them.", "engineering"
    )
    base_model_id: Annotated[list[BaseModelId], AS_LIST] = _several(
        "Exactly this base model. Repeatable: any of them.", "openai/gpt-4o"
    )
    owner: Annotated[list[_OwnerName], AS_LIST] = _several(
        "The models of this owner, by id or email. Repeatable: any of them.", "anna.kowalska@example.com"
    )
    group: Annotated[list[Identifier], AS_LIST] = _several(
        "The models with a grant to this group, by id. Repeatable: to any of them.", "g-platform"
    )
    capability: Annotated[list[_Capability], AS_LIST] = _several(
        "`meta.capabilities` has this name, exactly so, with the value true. Repeatable: all of them.",
        "function_calling",
    )
    kind: Literal["custom", "base"] | None = Field(
        None, description="`custom`: has a base model; `base`: has none. Absent: both."
    )
    is_active: Annotated[bool | None, BeforeValidator(_true_or_false)] = Field(
        None, description="`true` or `false`. Absent: both.", examples=[True]
    )
    created_since: SentMoment | None = Field(
        None, description="Created then or later: epoch seconds, or a time as in RFC 3339."
    )
    updated_since: SentMoment | None = Field(
        None, description="Last changed then or later: epoch seconds, or a time as in RFC 3339."
    )


class ListParams(PageParams, ListFilter):
    """The parameters of `GET /api/models/list`, checked."""

    order_by: SortField = Field(
        "created_at",
        description="Ties are ordered by id, in the same direction. `relevance`, only with a query: names that begin "
        "with its first term, then the others, both by name; always the best first.",
    )
    direction: Literal["asc", "desc"] = Field("desc", description="`asc` or `desc`.")
    cursor: str | None = Field(
        None,
        min_length=1,
        description="The `next_cursor` of an answer to a request with the same filters and order: go on after its last "
        "item. Not together with `page`.",
        examples=["WzEsWyJjcmVhdGVkX2F0IiwiZGVzYyJdLCJiNGI4YmY3OGU5YWQiLDAsMCwxNzAwMDAwMDAyMDAwLCJtMDUiLGZhbHNlXQ"],
    )
    fields: Annotated[str, Field(max_length=MAX_FIELDS_LENGTH), AfterValidator(_existing_fields)] | None = Field(
        None,
        description="Comma-separated: items hold only these fields, and `id`. `meta.<name>` and `params.<name>` are "
        "parts of the free-form ones.",
        examples=["name,user,meta.description"],
    )
    facets: Annotated[str, Field(max_length=MAX_FIELDS_LENGTH), AfterValidator(_existing_facets)] | None = Field(
        None,
        description="Comma-separated: `tag`, `owner`, `base_model_id`, `capability`, `kind`, `is_active`. How many "
        "models have each value under the same filters, the 50 most frequent; of `owner`, `base_model_id`, `kind` and "
        "`is_active` without the filter of that name.",
        examples=["tag,kind"],
    )
    total: Literal["exact", "none"] = Field("exact", description="`none`: do not count; the total is then null.")

    @property
    def wanted_facets(self) -> list[FacetName]:
        """The facets to count, each once."""
        return _facets(self.facets) if self.facets is not None else []

    @property
    def shown(self) -> Fields | None:
        """The fields to show; None for all."""
        return None if self.fields is None else Fields.named(self.fields)

    @field_validator("order_by")
    @classmethod
    def _relevant_to_a_query(cls, order_by: SortField, info: ValidationInfo) -> SortField:
        if order_by == "relevance" and info.data.get("query", "unknown") is None:
            raise ValueError("relevance needs a query")
        return order_by

    @property
    def ascending(self) -> bool:
        """Whether the sort keys ascend; by relevance, always."""
        return self.direction == "asc" or self.order_by == "relevance"
