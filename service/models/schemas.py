"""What clients send to the routes of models, and what the responses look like."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from documents.freeform import FreeForm
from documents.grant import Permission, PrincipalType
from documents.image import IMAGE, image_problem
from documents.model import BaseModelId, Meta, Name, no_base_of_itself
from documents.text import STORABLE, Identifier
from service.http.json_schema import NEVER_NULL, Schema, echoing, or_null
from service.http.strict_model import StrictModel, list_of
from service.models.item import META_DEFAULTS, with_own_image

ECHOED_IN_GRANTS = ("id", "resource_type", "resource_id", "created_at")
GRANT: dict[str, Any] = {"principal_type": "group", "principal_id": "g-platform", "permission": "read"}
PARAMS = "Any JSON object; kept exactly."
META = (
    "Any JSON object; kept exactly. `tags` is a list of text or of `{name}`, and `profile_image_url` an image as a "
    "`data:` URL, an `https://` address, or a path below `/static/`."
)
_EXAMPLE_PARAMS = {"system": "Read the query plan.", "temperature": 0.1}
_EXAMPLE_META = {"description": "Reads query plans and proposes indexes.", "tags": ["sql"]}


def without_echo(grant: Any) -> Any:
    """Return a grant without the fields that clients of Open WebUI send back in it."""
    if not isinstance(grant, dict):
        return grant
    return {name: value for name, value in grant.items() if name not in ECHOED_IN_GRANTS}


class GrantInput(StrictModel):
    """A grant to be made."""

    model_config = ConfigDict(use_enum_values=True, json_schema_extra=echoing(*ECHOED_IN_GRANTS, example=GRANT))

    principal_type: PrincipalType
    principal_id: Annotated[str, Field(min_length=1, max_length=256), STORABLE] = Field(
        description="The id of a user or group; `*` with `user` is everyone."
    )
    permission: Permission = Field(description="`write` includes `read`.")

    _drop_echo = model_validator(mode="before")(without_echo)


def _with_safe_image(meta: dict[str, Any]) -> dict[str, Any]:
    if problem := image_problem(meta.get(IMAGE)):
        raise ValueError(f"profile_image_url: {problem}")
    return meta


# What clients may send. An import that finds a bad image leaves it out instead, and imports the rest of the model.
ShownMeta = Annotated[Meta, AfterValidator(_with_safe_image), BeforeValidator(with_own_image)]


def _empty_too(schema: Schema) -> None:
    for alternative in schema["anyOf"]:
        alternative.pop("minLength", None)


BaseOfModel = Annotated[
    BaseModelId | None,
    Field(
        description="The model that this one configures; null, empty or the model itself: none.",
        examples=["openai/gpt-4o"],
        json_schema_extra=_empty_too,
    ),
]


class ModelId(StrictModel):
    """The id of a model."""

    id: Identifier = Field(description="The model's id; it may contain `/` and `:`.", examples=["sql-tuning"])

    _normal = model_validator(mode="before")(no_base_of_itself)


def _none_without_any(grants: Any) -> Any:
    return [] if grants is None else grants


class CreateModel(ModelId):
    """A new model."""

    base_model_id: BaseOfModel = None
    name: Name = Field(examples=["SQL Tuning"])
    params: FreeForm = Field(default_factory=dict, description=PARAMS, examples=[_EXAMPLE_PARAMS])
    meta: ShownMeta = Field(default_factory=dict, description=META, examples=[_EXAMPLE_META])
    access_grants: Annotated[list[GrantInput], list_of(GrantInput), BeforeValidator(_none_without_any)] = Field(
        default_factory=list,
        description="Absent, null or empty: only the owner and admins may use it.",
        json_schema_extra=or_null,
    )
    is_active: StrictBool = True


def given(value: Any) -> Any:
    """Return the value; raise ValueError for null, because leaving the field out has another meaning."""
    if value is None:
        raise ValueError("must not be null; leave it out to keep what is there")
    return value


GivenName = Annotated[Name | None, AfterValidator(given), NEVER_NULL]
GivenState = Annotated[StrictBool | None, AfterValidator(given), NEVER_NULL]
GivenMembers = Annotated[FreeForm | None, AfterValidator(given), NEVER_NULL]
_MERGED = "The members to change; null removes one, an object is merged, and a list is replaced."


class UpdateModel(ModelId):
    """New values for a model; fields that are left out keep their values. Grants have a route of their own.

    `params` and `meta` are replaced as a whole: to change some of their members, patch the model.
    """

    base_model_id: BaseOfModel = None
    name: GivenName = Field(None, examples=["SQL Tuning"])
    params: Annotated[FreeForm | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description=PARAMS, examples=[_EXAMPLE_PARAMS]
    )
    meta: Annotated[ShownMeta | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description=META, examples=[_EXAMPLE_META]
    )
    is_active: GivenState = None

    @property
    def content(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(include=self.model_fields_set - {"id"})


class PatchModel(StrictModel):
    """A merge patch (RFC 7396) of a model: what is not named stays, also within `params` and `meta`."""

    base_model_id: BaseOfModel = None
    name: GivenName = Field(None, examples=["SQL Tuning"])
    params: GivenMembers = Field(None, description=_MERGED, examples=[{"temperature": 0.2, "stop": None}])
    meta: GivenMembers = Field(None, description=_MERGED, examples=[{"description": "Reads query plans."}])
    is_active: GivenState = None

    @property
    def content(self) -> dict[str, Any]:
        """The members that were given."""
        return self.model_dump(include=self.model_fields_set)


class UpdateAccess(ModelId):
    """The new grants of a model."""

    access_grants: Annotated[list[GrantInput], list_of(GrantInput)] = Field(
        description="Empty: only the owner and admins may use it."
    )


class Grant(BaseModel):
    """One access grant."""

    id: str = Field(examples=["43114972-2dab-58d0-a43a-27ef223e89a6"])
    principal_type: PrincipalType = Field(examples=["group"])
    principal_id: str = Field(
        description="The id of a user or group; `*` with `user` is everyone.", examples=["g-platform"]
    )
    permission: Permission = Field(description="`write` includes `read`.")


class Owner(BaseModel):
    """The owner of a model, as it is now."""

    id: str = Field(examples=["u-anna"])
    name: str = Field(examples=["Anna Kowalska"])
    email: str = Field(examples=["anna.kowalska@example.com"])


# Documents the response, which is not validated again before it is sent.
class Model(BaseModel):
    """One model."""

    id: str = Field(description="It may contain `/` and `:`.", examples=["sql-tuning"])
    user_id: str = Field(description="The owner.", examples=["u-anna"])
    base_model_id: str | None = Field(
        description="The model that this one configures; null for a base model.", examples=["openai/gpt-4o"]
    )
    name: str = Field(examples=["SQL Tuning"])
    params: dict[str, Any] = Field(
        description="`{}` without write access, since it holds system prompts.", examples=[{"temperature": 0.1}]
    )
    meta: dict[str, Any] = Field(
        description="Always has `profile_image_url`, `description` and `capabilities`.",
        examples=[
            {
                IMAGE: META_DEFAULTS[IMAGE],
                "description": "Reads query plans and proposes indexes.",
                "capabilities": {"function_calling": True},
                "tags": [{"name": "sql"}],
            }
        ],
    )
    access_grants: list[Grant]
    is_active: bool
    write_access: bool = Field(description="Whether the caller may change it.")
    user: Owner | None = Field(description="The owner; null when they no longer exist.")
    version: int = Field(description="The number of changes so far; the `ETag`.", examples=[3])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


def _all_optional_but_id(schema: Schema) -> None:
    schema["required"] = ["id"]


class ListedModel(Model):
    """One model of a page: with the parameter `fields`, only those and `id`; without it, all that a model has."""

    model_config = ConfigDict(json_schema_extra=_all_optional_but_id)


class FacetValue(BaseModel):
    """A value that some of the models have."""

    value: str | bool = Field(description="What the filter takes; of a tag, folded.", examples=["sql"])
    label: str | None = Field(
        None, description="The owner's name, or how most of the models spell the tag.", examples=["SQL"]
    )
    count: int = Field(description="How many models have it.", examples=[12])


class ModelPage(BaseModel):
    """A page of models."""

    items: list[ListedModel]
    total: int | None = Field(description="The number of items on all pages; null with `total=none`.", examples=[1])
    next_cursor: str | None = Field(description="What `cursor` goes on with; null on the last page.", examples=[None])
    facets: dict[str, list[FacetValue]] | None = Field(
        None,
        description="Of each facet that was asked for, the 50 most frequent values.",
        examples=[{"tag": [{"value": "sql", "label": "SQL", "count": 12}]}],
    )
