"""The model record: one document with meta, params and access grants embedded."""

from typing import Annotated, Any

from beanie import Document
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from documents.derived_keys import RecordDerivedKeys
from documents.freeform import FreeForm
from documents.grant import AccessGrant
from documents.moment import Moment
from documents.origin import Origin
from documents.text import MAX_ID_LENGTH, STORABLE, Identifier, PrincipalId

MAX_NAME_LENGTH = 512
MAX_TAG_LENGTH = 512
MAX_RECORD_BYTES = 500_000


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _tidy_tag(tag: Any) -> dict[str, Any]:
    name = tag.get("name") if isinstance(tag, dict) else tag
    if not isinstance(name, str):
        raise ValueError("tags must be a list of text or of {name: text}")
    if len(name) > MAX_TAG_LENGTH:
        raise ValueError(f"a tag must have at most {MAX_TAG_LENGTH} characters")
    return {**(tag if isinstance(tag, dict) else {}), "name": _not_blank(name).strip()}


def tidy_meta(meta: Any) -> Any:
    """Return `meta` with its tags, which may be text or `{name}`, as trimmed `{name}`."""
    if not isinstance(meta, dict) or meta.get("tags") is None:
        return meta
    if not isinstance(meta["tags"], list):
        raise ValueError("tags must be a list of text or of {name: text}")
    return {**meta, "tags": [_tidy_tag(tag) for tag in meta["tags"]]}


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), STORABLE, AfterValidator(_not_blank)]
BaseModelId = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH), STORABLE]
Meta = Annotated[FreeForm, BeforeValidator(tidy_meta)]
CreatedAt = Annotated[Moment, Field(description="When it was created.", examples=["2026-03-21T16:10:55Z"])]
UpdatedAt = Annotated[Moment, Field(description="When it was last changed.", examples=["2026-05-15T11:39:00Z"])]


def unique_grants(grants: list[AccessGrant]) -> list[AccessGrant]:
    """Return the grants without repetitions of principal and permission, keeping the first of each."""
    return list({(grant.principal, grant.permission): grant for grant in reversed(grants)}.values())[::-1]


def no_base_of_itself(values: Any) -> Any:
    """Return the fields of a record, with a base model that is empty or the record itself replaced by None."""
    if isinstance(values, dict) and values.get("base_model_id") in ("", values.get("id", values.get("_id"))):
        return {**values, "base_model_id": None}
    return values


class ModelRecord(Document):
    """One model configuration with its owner and its access grants."""

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the model; may contain `/` and `:`.", examples=["sql-tuning"]
    )
    user_id: PrincipalId = Field(description="Id of its owner, who may no longer exist.", examples=["u-anna"])
    base_model_id: BaseModelId | None = Field(
        description="The model that it configures; null for a base model.", examples=["openai/gpt-4o"]
    )
    name: Name = Field(description="Its name.", examples=["SQL Tuning"])
    params: FreeForm = Field(
        description="Free-form settings; `system` is the prompt, which the service shows only to those who may write.",
        examples=[{"temperature": 0.1}],
    )
    meta: Meta = Field(
        description="Free-form: `profile_image_url`, `description`, `capabilities`, `tags`, and what clients add.",
        examples=[{"description": "Reads query plans.", "tags": [{"name": "sql"}]}],
    )
    access_grants: Annotated[list[AccessGrant], AfterValidator(unique_grants)] = Field(
        description="The users and groups that may also read or write it; unique by principal and permission."
    )
    is_active: bool = Field(description="Whether it is active; access does not depend on it.", examples=[True])
    version: Annotated[int, Field(ge=1, lt=2**63)] = Field(
        description="Increases with every change; each version has a revision.", examples=[3]
    )
    created_at: CreatedAt
    updated_at: UpdatedAt
    keys: RecordDerivedKeys = Field(
        description="Derived keys: computed from the other fields and the owner, for search and access. Only the "
        "service writes them."
    )
    origin: Origin | None = Field(
        None, description="The source from which an import keeps it in step; absent where there is none."
    )

    class Settings:
        """The collection of the model records."""

        name = "models"

    @model_validator(mode="before")
    @classmethod
    def _normal(cls, values: Any) -> Any:
        return no_base_of_itself(values)
