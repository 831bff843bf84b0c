"""The routes of a model's history: list, one revision, what differs, restore."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, BeforeValidator, Field
from starlette.convertors import Convertor, register_url_convertor

from documents.revision import Change
from documents.text import Identifier
from service.errors import InvalidInputError
from service.http.dependencies import CallerDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.pagination import PageParams, whole_number
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.query_params import QueryModel
from service.http.responses import json_response
from service.models import operations
from service.models.history import revisions
from service.models.routes import CHANGED, VersionDependency, answer_with_model
from service.models.schemas import ModelIdForm

_REFUSALS = documented_problems(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *COMMON_FAILURES)

_REVISION = "5f0c7a9e3b6d4e218c1f90a2b3c4d5e6"

# A version is also looked for as what comes before the next one, whose number must fit too.
WholeNumber = Annotated[int, Field(ge=1, lt=2**63 - 1), BeforeValidator(whole_number)]


class _RevisionId(Convertor[str]):
    """The last part of a revision's address, so that no other one is taken for it, such as `restore`."""

    name = "revision"
    regex = "[0-9a-f]{32}"

    def convert(self, value: str) -> str:
        """Return what was found in an address."""
        return value

    def to_string(self, value: str) -> str:
        """Return what stands in an address."""
        return value


register_url_convertor(_RevisionId.name, _RevisionId())


class HistoryParams(PageParams):
    """The parameters of a page of history."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])


class DifferenceParams(QueryModel):
    """The parameters of a comparison."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])
    earlier: WholeNumber = Field(description="A version of the model.", examples=[1])
    later: WholeNumber = Field(description="Another version of it.", examples=[2])


class RestoreForm(ModelIdForm):
    """The revision whose outcome shall be restored."""

    revision: Identifier = Field(description="The id of a revision in its history.", examples=[_REVISION])


class SummaryShape(BaseModel):
    """One revision in a page of history."""

    id: str = Field(examples=[_REVISION])
    model_id: str = Field(examples=["sql-tuning"])
    version: int = Field(description="The version that the change made.", examples=[2])
    at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])
    by: str | None = Field(description="The user who made it; null for the command line.", examples=["u-anna"])
    change: Change = Field(examples=["update"])
    fields: list[str] = Field(description="The fields that differ.", examples=[["name"]])


class HistoryShape(BaseModel):
    """A page of history."""

    items: list[SummaryShape]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class RevisionShape(SummaryShape):
    """One revision."""

    before: dict[str, Any] | None = Field(
        description="What the model said before; null when there was none.", examples=[{"name": "SQL Helper"}]
    )
    after: dict[str, Any] | None = Field(
        description="What it said after; null when it was deleted.", examples=[{"name": "SQL Tuning"}]
    )


class DifferenceShape(BaseModel):
    """One difference; `before` or `after` is missing where there was nothing."""

    path: str = Field(description="A JSON pointer.", examples=["/name"])
    before: Any = Field(None, examples=["SQL Helper"])
    after: Any = Field(None, examples=["SQL Tuning"])


router = APIRouter(prefix="/models/model/history", tags=["history"])


@router.get(
    "",
    responses={200: {"model": HistoryShape}, **_REFUSALS},
)
async def list_revisions(
    caller: CallerDependency, params: Annotated[HistoryParams, Query()], context: ContextDependency
) -> Response:
    """Return the changes of a model, newest first. For those who may change it: they show its prompts."""
    items, total = await revisions.page(context.database, caller, params.id, skip=params.skip, limit=params.page_size)
    return json_response({"items": items, "total": total})


@router.get(
    "/diff",
    responses={200: {"model": list[DifferenceShape], "description": "All that differs."}, **_REFUSALS},
)
async def compare_versions(
    caller: CallerDependency,
    params: Annotated[DifferenceParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return what differs between two versions of a model."""
    before, after = [
        await revisions.said_at(context.database, caller, params.id, version)
        for version in (params.earlier, params.later)
    ]
    return json_response(list(revisions.differences(before, after)))


@router.post("/restore", responses=CHANGED)
async def restore_revision(
    caller: WriterDependency,
    version: VersionDependency,
    form: Annotated[RestoreForm, json_body(RestoreForm)],
    context: ContextDependency,
) -> Response:
    """Make what a model said after a revision its newest version; grants and owner stay as they are."""
    found = await revisions.revision(context.database, caller, form.revision)
    if found["model_id"] != form.id or found["after"] is None:
        msg = "must be a revision of this model that it can go back to"
        raise InvalidInputError([{"loc": ["body", "revision"], "msg": msg}])
    said = {field: found["after"][field] for field in revisions.RESTORED_FIELDS if field in found["after"]}
    asked = operations.ChangeRequest(caller, form.id, Change.RESTORE, version)
    await operations.change(context.database, asked, lambda _: said)
    return await answer_with_model(context, caller, form.id)


@router.get(f"/{{revision:{_RevisionId.name}}}", responses={200: {"model": RevisionShape}, **_REFUSALS})
async def get_revision(
    caller: CallerDependency,
    revision: Annotated[
        str, Path(pattern=f"^{_RevisionId.regex}$", description="The revision's id.", examples=[_REVISION])
    ],
    context: ContextDependency,
) -> Response:
    """Return one change of a model with what it said before and after."""
    return json_response(revisions.whole(await revisions.revision(context.database, caller, revision)))
