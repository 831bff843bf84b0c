"""A set of models as clients send it: to import it, or to make the directory match it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from documents.freeform import FreeForm
from documents.model import Name
from documents.text import PrincipalId
from service.http.form import Form, each
from service.http.json_schema import NEVER_NULL, echoing
from service.models.grants import build_grants
from service.models.schemas import GRANT, META, PARAMS, BaseOfModel, GrantForm, ModelIdForm, ShownMeta, given

MAX_IMPORT_MODELS, MAX_IMPORT_BYTES = 10_000, 16_000_000
# A whole directory; only admins send one.
MAX_SYNC_MODELS, MAX_SYNC_BYTES = 100_000, 64_000_000
DEFAULT_MAX_DELETIONS = "10%"

# What an export holds and no client can say; it has no effect.
_SHOWN_ONLY = ("write_access", "user", "version", "created_at", "updated_at")
_ITEM: dict[str, Any] = {
    "id": "sql-tuning",
    "name": "SQL Tuning",
    "base_model_id": "openai/gpt-4o",
    "access_grants": [GRANT],
}
# For the engine of the forms, in which `$` is the very end.
_PERCENTAGE = "^([0-9]{1,2}|100)%$"


class ItemForm(ModelIdForm):
    """One model. What is left out stays as it is, or gets its default when the model is new."""

    model_config = ConfigDict(json_schema_extra=echoing(*_SHOWN_ONLY, example=_ITEM))

    user_id: Annotated[PrincipalId | None, BeforeValidator(given), NEVER_NULL] = Field(
        None, description="The owner; only admins can name another than there is."
    )
    base_model_id: BaseOfModel = None
    name: Annotated[Name | None, BeforeValidator(given), NEVER_NULL] = Field(
        None, description="Needed for a new model."
    )
    params: Annotated[FreeForm | None, BeforeValidator(given), NEVER_NULL] = Field(None, description=PARAMS)
    meta: Annotated[ShownMeta | None, BeforeValidator(given), NEVER_NULL] = Field(None, description=META)
    access_grants: Annotated[list[GrantForm] | None, each(GrantForm), BeforeValidator(given), NEVER_NULL] = None
    is_active: Annotated[StrictBool | None, BeforeValidator(given), NEVER_NULL] = None

    @model_validator(mode="before")
    @classmethod
    def _drop_shown(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in _SHOWN_ONLY}

    @property
    def said(self) -> dict[str, Any]:
        """The values that were given, as they are stored."""
        said = self.model_dump(include=self.model_fields_set - {"id", "access_grants"})
        if self.access_grants is not None:
            said["access_grants"] = build_grants(self.id, self.access_grants)
        return said


class CompatibleItemForm(ItemForm):
    """The same from an existing client, which sends more; that has no effect."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_the_rest(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        # Such clients send null for what they do not say, but a base model that is null says that there is none.
        said = {name: value for name, value in values.items() if value is not None or name == "base_model_id"}
        return {name: value for name, value in said.items() if name != "user_id"}


class ImportForm(Form):
    """Models to create or to update."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_ITEM], "dry_run": True}]})

    models: Annotated[list[ItemForm], Field(max_length=MAX_IMPORT_MODELS), each(ItemForm, MAX_IMPORT_MODELS)]
    dry_run: StrictBool = Field(False, description="Only return the plan.")


class CompatibleImportForm(ImportForm):
    """The same from an existing client."""

    models: Annotated[
        list[CompatibleItemForm], Field(max_length=MAX_IMPORT_MODELS), each(CompatibleItemForm, MAX_IMPORT_MODELS)
    ]  # type: ignore[assignment]


class SyncForm(ImportForm):
    """All models that the directory shall hold."""

    models: Annotated[list[ItemForm], Field(min_length=1, max_length=MAX_SYNC_MODELS), each(ItemForm, MAX_SYNC_MODELS)]
    max_deletions: Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(pattern=_PERCENTAGE)] = Field(
        DEFAULT_MAX_DELETIONS,
        description="How many models may be deleted: a number, or a share of all that there are, such as `10%`.",
        examples=["10%", 3],
    )

    def allows(self, deletions: int, existing: int) -> bool:
        """Say whether so many of the existing models may be deleted."""
        if isinstance(self.max_deletions, int):
            return deletions <= self.max_deletions
        return deletions * 100 <= int(self.max_deletions.removesuffix("%")) * existing


class CompatibleSyncForm(SyncForm):
    """The same from an existing client."""

    models: Annotated[
        list[CompatibleItemForm],
        Field(min_length=1, max_length=MAX_SYNC_MODELS),
        each(CompatibleItemForm, MAX_SYNC_MODELS),
    ]  # type: ignore[assignment]
