"""What clients send to import and sync models, and what the responses look like."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from documents.freeform import FreeForm
from documents.model import Name
from documents.text import PrincipalId
from service.http.json_schema import NEVER_NULL, echoing
from service.http.strict_model import QueryModel, StrictModel, list_of
from service.importing.deletion_guard import DEFAULT_MAX_DELETIONS, MaxDeletions
from service.importing.formats import SourceFormat
from service.importing.model_set import PlannedAction
from service.importing.report import ImportOutcome
from service.models.grants import build_grants
from service.models.schemas import GRANT, META, PARAMS, BaseOfModel, GrantInput, ModelId, ShownMeta, given

MAX_IMPORT_MODELS, MAX_IMPORT_BYTES = 10_000, 16_000_000
# Only admins can sync, with all models of a directory.
MAX_SYNC_MODELS, MAX_SYNC_BYTES = 100_000, 64_000_000
# In the response to the import of a file.
MAX_STEPS = 10_000

# Fields of an export that clients can't set; they have no effect.
_RESPONSE_ONLY = ("write_access", "user", "version", "created_at", "updated_at")
_ITEM: dict[str, Any] = {
    "id": "sql-tuning",
    "name": "SQL Tuning",
    "base_model_id": "openai/gpt-4o",
    "access_grants": [GRANT],
}


class ModelInput(ModelId):
    """One model. Fields that are left out keep their values, or get their defaults in a new model."""

    model_config = ConfigDict(json_schema_extra=echoing(*_RESPONSE_ONLY, example=_ITEM))

    user_id: Annotated[PrincipalId | None, BeforeValidator(given), NEVER_NULL] = Field(
        None, description="The owner; only admins can set another one."
    )
    base_model_id: BaseOfModel = None
    name: Annotated[Name | None, BeforeValidator(given), NEVER_NULL] = Field(
        None, description="Required for a new model."
    )
    params: Annotated[FreeForm | None, BeforeValidator(given), NEVER_NULL] = Field(None, description=PARAMS)
    meta: Annotated[ShownMeta | None, BeforeValidator(given), NEVER_NULL] = Field(None, description=META)
    access_grants: Annotated[list[GrantInput] | None, list_of(GrantInput), BeforeValidator(given), NEVER_NULL] = None
    is_active: Annotated[StrictBool | None, BeforeValidator(given), NEVER_NULL] = None

    @model_validator(mode="before")
    @classmethod
    def _drop_response_only(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in _RESPONSE_ONLY}

    @property
    def content(self) -> dict[str, Any]:
        """The fields that were given, as they are stored."""
        content = self.model_dump(include=self.model_fields_set - {"id", "access_grants"})
        if self.access_grants is not None:
            content["access_grants"] = build_grants(self.id, self.access_grants)
        return content


class ImportModels(StrictModel):
    """Models to create or to update."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_ITEM], "dry_run": True}]})

    models: Annotated[list[ModelInput], Field(max_length=MAX_IMPORT_MODELS), list_of(ModelInput, MAX_IMPORT_MODELS)]
    dry_run: StrictBool = Field(False, description="Only return the plan.")


class SyncModels(ImportModels):
    """All models that the directory shall contain."""

    models: Annotated[
        list[ModelInput], Field(min_length=1, max_length=MAX_SYNC_MODELS), list_of(ModelInput, MAX_SYNC_MODELS)
    ]
    max_deletions: MaxDeletions = Field(
        DEFAULT_MAX_DELETIONS,
        description="How many models may be deleted: a number, or a share of all models, such as `10%`.",
        examples=["10%", 3],
    )


# Every format but the database, and `auto`.
class SentFormat(StrEnum):
    """The format of a file that is sent."""

    AUTO = "auto"
    MODELDECK = SourceFormat.MODELDECK.value
    OPENWEBUI = SourceFormat.OPENWEBUI.value
    LITELLM = SourceFormat.LITELLM.value
    LITELLM_PRICES = SourceFormat.LITELLM_PRICES.value
    OPENAI_MODELS = SourceFormat.OPENAI_MODELS.value
    OLLAMA = SourceFormat.OLLAMA.value
    MODELFILE = SourceFormat.MODELFILE.value
    LIBRECHAT = SourceFormat.LIBRECHAT.value
    MODELS_DEV = SourceFormat.MODELS_DEV.value


class SyncParams(QueryModel):
    """The parameters of `POST /api/models/sync`."""

    dry_run: bool = Field(False, description="Only return the plan, and write nothing, as `dry_run` in the body does.")


# Without `merge`, which needs a named source.
class OnConflict(StrEnum):
    """What to do with a record that exists and differs."""

    UPDATE = "update"
    SKIP = "skip"
    FAIL = "fail"


class ImportParams(QueryModel):
    """The parameters of `POST /api/models/import`: how a file is imported."""

    format: SentFormat | None = Field(
        None,
        description="The body is a file of this format, plain or gzip; `auto` detects it from the content.",
        examples=["openwebui"],
    )
    dry_run: bool = Field(False, description="Only return the plan, and write nothing.")
    atomic: bool = Field(
        True, description="With a format: all records or none. Otherwise, those that can't be imported are reported."
    )
    on_conflict: OnConflict = Field(
        OnConflict.UPDATE, description="With a format: what to do with a record that exists and differs."
    )
    mine: bool = Field(False, description="With a format: the caller owns the new models, whatever the file says.")
    create_groups: bool = Field(
        False, description="With a format, for admins: create the groups that grants name and that do not exist."
    )

    @model_validator(mode="after")
    def _only_with_a_format(self) -> Self:
        if self.format is None and (alone := self.model_fields_set - {"dry_run"}):
            raise ValueError(f"{', '.join(sorted(alone))}: counts only together with a format")
        return self


class PlannedModel(BaseModel):
    """The change of one model."""

    id: str = Field(examples=["sql-tuning"])
    fields: list[str] = Field(description="The fields that change.", examples=[["base_model_id", "access_grants"]])


_PLAN: dict[str, Any] = {
    "dry_run": True,
    "counts": {"create": 0, "update": 1, "unchanged": 0, "delete": 0},
    "create": [],
    "update": [{"id": "sql-tuning", "fields": ["base_model_id", "access_grants"]}],
    "unchanged": [],
    "delete": [],
}


class ImportPlan(BaseModel):
    """What was done or, for a dry run, would be done."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN]})

    dry_run: bool
    counts: dict[PlannedAction, int]
    create: list[PlannedModel]
    update: list[PlannedModel]
    unchanged: list[PlannedModel]
    delete: list[PlannedModel]


class ImportedRecord(BaseModel):
    """The result for one record of a file, or for a part of one."""

    outcome: ImportOutcome
    position: str = Field(description="The place in the file.", examples=["models[3]"])
    kind: str = Field(examples=["model"])
    id: str | None = Field(examples=["sql-tuning"])
    fields: list[str] = Field(description="The fields that change.", examples=[["name"]])
    reason: str = Field(description="Why it, or a part of it, was not imported.", examples=[""])


class ImportReport(BaseModel):
    """What an import did or, for a dry run, would do."""

    format: SourceFormat = Field(description="The format as which the file was read.")
    reason: str = Field(description="How the format was determined.", examples=["the format was named"])
    dry_run: bool
    clean: bool = Field(description="Whether everything was imported.")
    changes: int = Field(description="The number of records that were, or would be, written.", examples=[36])
    counts: dict[str, dict[ImportOutcome, int]] = Field(examples=[{"model": {"created": 36}}])
    kept_out: int = Field(description="The number of parts of records that were not imported.", examples=[0])
    steps: list[ImportedRecord] = Field(
        description=f"For a dry run all, else those that were not fully imported; at most {MAX_STEPS:,}."
    )
    left_out: int = Field(description="The number of further results.", examples=[0])
