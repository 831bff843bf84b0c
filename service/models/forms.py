"""What clients may say of a model, route by route."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from documents.freeform import FreeForm
from documents.grant import Permission, PrincipalType
from documents.identifier import Identifier
from documents.image import image_problem
from documents.model import BaseModelId, Meta, Name, no_base_of_itself
from documents.text import STORABLE

_ECHOED_IN_GRANTS = {"id", "resource_type", "resource_id", "created_at"}


def without_echo(grant: Any) -> Any:
    """Return a grant without what existing clients send back inside it, as they got it."""
    if not isinstance(grant, dict):
        return grant
    return {name: value for name, value in grant.items() if name not in _ECHOED_IN_GRANTS}


class GrantForm(BaseModel):
    """One grant, as it is asked for; `id` may be sent back and has no effect."""

    model_config = ConfigDict(extra="forbid", use_enum_values=True)

    principal_type: PrincipalType
    principal_id: Annotated[str, Field(min_length=1, max_length=256), STORABLE] = Field(
        description="The id of a user or group; `*` with `user` is everyone."
    )
    permission: Permission

    @model_validator(mode="before")
    @classmethod
    def _drop_echo(cls, values: Any) -> Any:
        return without_echo(values)


def _with_safe_image(meta: dict[str, Any]) -> dict[str, Any]:
    if problem := image_problem(meta.get("profile_image_url")):
        raise ValueError(f"profile_image_url: {problem}")
    return meta


# What clients may say; an import keeps a bad image out and takes the rest of the model over.
ShownMeta = Annotated[Meta, AfterValidator(_with_safe_image)]


class ModelIdForm(BaseModel):
    """Names a model, and nothing more."""

    model_config = ConfigDict(extra="forbid")

    id: Identifier

    @model_validator(mode="before")
    @classmethod
    def _normal(cls, values: Any) -> Any:
        return no_base_of_itself(values)


class CreateForm(ModelIdForm):
    """A new model."""

    base_model_id: BaseModelId | None = None
    name: Name
    params: FreeForm = Field(default_factory=dict)
    meta: ShownMeta = Field(default_factory=dict)
    access_grants: Annotated[list[GrantForm], BeforeValidator(lambda grants: grants or [])] = Field(
        default_factory=list
    )
    is_active: StrictBool = True


def given(value: Any) -> Any:
    """Refuse null where leaving out means something else."""
    if value is None:
        raise ValueError("must not be null; leave it out to keep what is there")
    return value


class UpdateForm(ModelIdForm):
    """New values for a model; what is left out stays as it is. Grants have a route of their own."""

    base_model_id: BaseModelId | None = None
    name: Annotated[Name | None, AfterValidator(given)] = None
    params: Annotated[FreeForm | None, AfterValidator(given)] = None
    meta: Annotated[ShownMeta | None, AfterValidator(given)] = None
    is_active: Annotated[StrictBool | None, AfterValidator(given)] = None

    @property
    def said(self) -> dict[str, Any]:
        """The values that were given."""
        return self.model_dump(include=self.model_fields_set - {"id"})


class AccessForm(ModelIdForm):
    """All grants that a model shall have."""

    access_grants: list[GrantForm]
