"""The shapes of the records that a source may have: users, groups, models, API keys and revisions."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool, model_validator

from documents.api_key import ApiKeyName
from documents.freeform import FreeForm
from documents.grant import AccessGrant, grant_id
from documents.image import IMAGE, image_problem
from documents.model import BaseModelId, Meta, Name, no_base_of_itself, unique_grants
from documents.text import Identifier, PrincipalId
from documents.user import Email, Role, SessionStamp, Username
from service.clock import MAX_SECONDS, MIN_SECONDS
from service.http.strict_model import StrictModel, list_of, require_few_fields

# More than fit into a record of the largest size.
MAX_RECORD_VALUES, MAX_GRANTS = 200_000, 6_000
# It grows with each change, and must still fit into 64 bits then.
MAX_VERSION = 2**62


def _moment(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of seconds since 1970")
    if not MIN_SECONDS <= value <= MAX_SECONDS:
        raise ValueError("must be seconds since 1970 within the years 1 to 9999")
    return datetime.fromtimestamp(int(value), UTC)


def _without_unsafe_image(content: dict[str, Any]) -> dict[str, Any]:
    # Restoring the revision would make it the image of the model.
    meta = content.get("meta")
    if not isinstance(meta, dict) or not image_problem(meta.get(IMAGE)):
        return content
    return {**content, "meta": {name: value for name, value in meta.items() if name != IMAGE}}


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def has_more_values(value: Any, most: int) -> bool:
    """Return whether a decoded JSON value consists of more than `most` values."""
    count, pending = 0, [value]
    while pending:
        current = pending.pop()
        count += len(current)
        if count > most:
            return True
        inner = current.values() if isinstance(current, dict) else current
        pending.extend(part for part in inner if isinstance(part, dict | list))
    return False


EpochSeconds = Annotated[datetime, BeforeValidator(_moment)]


class ImportedUser(StrictModel):
    """A user."""

    id: PrincipalId
    name: Name
    email: Email
    username: Username | None = None
    role: Role = Role.USER
    is_active: StrictBool = True
    session_stamp: SessionStamp | None = None


class ImportedGroup(StrictModel):
    """A group; `member_ids`, when given, are all of its members."""

    id: PrincipalId
    name: Name
    parent_id: PrincipalId | None = None
    member_ids: list[Any] | None = None


class ImportedModel(StrictModel):
    """A model in the shape in which the API returns it; fields that only a response has are accepted and ignored."""

    id: Identifier
    user_id: PrincipalId | None = None
    base_model_id: BaseModelId | None = None
    name: Name
    params: FreeForm = Field(default_factory=dict)
    meta: Meta = Field(default_factory=dict)
    access_grants: Annotated[list[AccessGrant], list_of(AccessGrant, MAX_GRANTS), AfterValidator(unique_grants)] = (
        Field(default_factory=list)
    )
    is_active: StrictBool = True
    version: Annotated[int, Field(ge=1, lt=MAX_VERSION), BeforeValidator(_whole_number)] = 1
    created_at: EpochSeconds | None = None
    updated_at: EpochSeconds | None = None
    write_access: Any = Field(None, exclude=True)
    user: Any = Field(None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        grants = values.get("access_grants")
        if isinstance(grants, list) and len(grants) <= MAX_GRANTS:
            values = {**values, "access_grants": [_with_id(values.get("id"), grant) for grant in grants]}
        return no_base_of_itself(values)


class ImportedApiKey(StrictModel):
    """An API key of a user: the whole secret, of which only the hash is stored."""

    model_config = ConfigDict(hide_input_in_errors=True)

    user_id: PrincipalId
    key: SecretStr
    name: ApiKeyName
    expires_at: EpochSeconds | None = None
    created_at: Any = Field(None, exclude=True)


class ImportedRevision(StrictModel):
    """The content of a model after a change that was made in another system."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    model_id: Identifier
    at: EpochSeconds
    by: Identifier | None = None
    content: Annotated[FreeForm, AfterValidator(_without_unsafe_image)]
    message: Any = Field(None, exclude=True)


def _with_id(model_id: Any, grant: Any) -> Any:
    require_few_fields(grant, AccessGrant)
    if not isinstance(grant, dict) or grant.get("id") is not None:
        return grant
    named = [grant.get(field) for field in ("principal_type", "principal_id", "permission")]
    return {**grant, "id": grant_id(*map(str, (model_id, *named)))}
