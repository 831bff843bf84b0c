"""Bulk changes: what clients send, and what the responses look like."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from documents.grant import Permission, PrincipalType
from documents.text import STORABLE, Identifier
from service.http.json_schema import echoing
from service.http.strict_model import StrictModel, list_of
from service.listing.params import ListFilter
from service.models.bulk_change import RecordStatus
from service.models.schemas import ECHOED_IN_GRANTS, GRANT, GrantInput, without_echo

MAX_IDS = 1000
MAX_GRANTS = 1000
_EVERYONE: dict[str, Any] = {"principal_type": "user", "principal_id": "*"}


class ModelFilter(ListFilter, StrictModel):
    """The filters of the list."""


class ModelSelection(StrictModel):
    """The models to change: by their ids, or all that a filter of the list selects and the caller may change."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_IDS)] | None = Field(
        None, description="Either these models, or those that `filter` selects.", examples=[["sql-tuning"]]
    )
    filter: ModelFilter | None = Field(None, description="`{}` selects all that the caller may change.")
    dry_run: StrictBool = Field(False, description="Change nothing, and answer what would come of it.")

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter must be given")
        return self


class BulkStateChange(ModelSelection):
    """The new state of models."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["sql-tuning"], "is_active": False}]})

    is_active: StrictBool


class GrantRemoval(StrictModel):
    """The grants to remove from a principal, who need not exist any more; without `permission`, all of them."""

    model_config = ConfigDict(use_enum_values=True, json_schema_extra=echoing(*ECHOED_IN_GRANTS, example=_EVERYONE))

    principal_type: PrincipalType
    principal_id: Annotated[str, Field(min_length=1, max_length=256), STORABLE]
    permission: Permission | None = Field(None, description="Absent: both.")

    _drop_echo = model_validator(mode="before")(without_echo)


Grants = Annotated[list[GrantInput], Field(max_length=MAX_GRANTS), list_of(GrantInput, MAX_GRANTS)]
Removals = Annotated[list[GrantRemoval], Field(max_length=MAX_GRANTS), list_of(GrantRemoval, MAX_GRANTS)]


class BulkAccessChange(ModelSelection):
    """The change of the grants of models: all are replaced, or some are removed and then some are added."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ids": ["sql-tuning"], "add": [GRANT], "remove": [_EVERYONE]}]}
    )

    add: Grants | None = None
    remove: Removals | None = None
    replace: Grants | None = None

    @model_validator(mode="after")
    def _one_kind_of_change(self) -> Self:
        amends = self.add is not None or self.remove is not None
        if amends == (self.replace is not None):
            raise ValueError("either replace must be given, or add, remove or both")
        return self


class BulkChangeResult(BaseModel):
    """The result for one model."""

    id: str = Field(examples=["sql-tuning"])
    status: RecordStatus = Field(description="`not_found`: absent, or the caller may not change it.")
    version: int | None = Field(
        description="The current version; of a model that a dry run would change, the one it would have.", examples=[4]
    )
    detail: str | None = Field(description="Why it failed.", examples=[None])


class BulkChangeResults(BaseModel):
    """The result for every model."""

    results: list[BulkChangeResult] = Field(description="In the order of `ids`; with a filter, in order of id.")
    counts: dict[RecordStatus, int] = Field(
        description="The number of models with each status.",
        examples=[{status: int(not at) for at, status in enumerate(RecordStatus)}],
    )
    complete: bool = Field(description="Whether all models that `filter` selects were reached.")
    reason: str | None = Field(
        description="Why not all were reached: the database failed, or the caller has lost rights since the request "
        "began.",
        examples=[None],
    )
