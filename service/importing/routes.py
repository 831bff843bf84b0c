"""`POST /models/import` and `/models/sync`."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from documents.revision import Change
from service.errors import MAX_ERRORS, ForbiddenError, InvalidInputError
from service.http.dependencies import MORE_TIME, ContextDependency, WriterDependency
from service.http.json_body import documented_body, read_body
from service.http.json_schema import reference
from service.http.problems import BODY_FAILURES, documented_problems
from service.http.query_params import documented, read_query
from service.http.responses import JSON, json_response
from service.importing.file_routes import SentFormat, SourceParams, SourceReportShape, import_sent
from service.importing.formats import EXPORT_FIELDS
from service.importing.model_set import Action, Plan, SentModel, SetRequest, import_set
from service.importing.schemas import (
    MAX_IMPORT_BYTES,
    MAX_SYNC_BYTES,
    CompatibleImportForm,
    CompatibleSyncForm,
    ImportForm,
    ItemForm,
    SyncForm,
)


class StepShape(BaseModel):
    """What happens to one model."""

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


class PlanShape(BaseModel):
    """What was done or, for a dry run, would be done."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN]})

    dry_run: bool
    counts: dict[Action, int]
    create: list[StepShape]
    update: list[StepShape]
    unchanged: list[StepShape]
    delete: list[StepShape]


_REFUSALS = documented_problems(*BODY_FAILURES)
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": PlanShape}, **_REFUSALS}


_IMPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": PlanShape | SourceReportShape,
        "description": "What was done or, for a dry run, would be done; with a `format`, record by record.",
    },
    **_REFUSALS,
}


def _import_body() -> dict[str, Any]:
    body = documented_body(ImportForm)
    form = body["content"][JSON]["schema"]
    shared = form.pop("$defs") | {form["title"]: form}
    either = [reference(form["title"]), {"description": "With a `format`: a file of it."}]
    return {**body, "content": {JSON: {"schema": {"title": "ImportBody", "anyOf": either, "$defs": shared}}}}


def sets_router(*, lenient: bool) -> APIRouter:
    """Return the routes for sets of models, for the strict front door or for the compatibility door."""
    router = APIRouter(prefix="/models", tags=["bulk"], dependencies=[MORE_TIME])
    import_form = CompatibleImportForm if lenient else ImportForm
    sync_form = CompatibleSyncForm if lenient else SyncForm

    @router.post(
        "/import",
        responses=_IMPORTED,
        openapi_extra={"parameters": documented(SourceParams), "requestBody": _import_body()},
    )
    async def import_models(caller: WriterDependency, request: Request, context: ContextDependency) -> Response:
        """Create models and update those that are there, with the caller's rights: all of them, or none.

        New models are the caller's. Each model that can't be taken over is named, with the reason. With a `format`, the
        body is what another system or directory has exported, and the answer tells what became of each record of it.
        """
        params = read_query(request, SourceParams, lenient=lenient)
        if params.format is not None:
            return json_response(await import_sent(request, caller, context, params))
        try:
            form = await read_body(request, import_form, lenient=lenient, limit=MAX_IMPORT_BYTES)
        except InvalidInputError as error:
            raise _hinting(error) from None
        wanted = SetRequest(caller, _items(form.models), Change.IMPORT, form.dry_run)
        plan = await import_set(context.database, wanted)
        # Existing clients look for no more than that all went in.
        whole = lenient and not form.dry_run
        return json_response(content=True) if whole else json_response(_shown(plan, dry_run=form.dry_run))

    @router.post("/sync", responses=_ANSWERS, openapi_extra={"requestBody": documented_body(SyncForm)})
    async def sync_models(caller: WriterDependency, request: Request, context: ContextDependency) -> Response:
        """Make the directory hold these models and no others: all changes are made, or none. For admins.

        An empty set is refused, and so are more deletions than `max_deletions`.
        """
        if not caller.is_admin:
            raise ForbiddenError("Only admins may do this.")
        form = await read_body(request, sync_form, lenient=lenient, limit=MAX_SYNC_BYTES)

        def within_bounds(plan: Plan) -> None:
            deletions = len(plan.models[Action.DELETE])
            if not form.allows(deletions, plan.existing):
                msg = f"{deletions} of {plan.existing} models would be deleted; at most {form.max_deletions} may be"
                raise InvalidInputError([{"loc": ["body", "max_deletions"], "msg": msg}])

        wanted = SetRequest(
            caller,
            _items(form.models),
            Change.SYNC,
            form.dry_run,
            deletes=True,
            # A dry run shows what would be deleted, however much.
            **({} if form.dry_run else {"accept": within_bounds}),
        )
        plan = await import_set(context.database, wanted)
        return json_response(_shown(plan, dry_run=form.dry_run))

    return router


def _hinting(error: InvalidInputError) -> InvalidInputError:
    """Return the same error; where it may be an export of another system that was sent, it says how to send that."""
    if not any(fault["loc"] == ["body"] or fault["loc"][-1] in EXPORT_FIELDS for fault in error.errors):
        return error
    hint = {"loc": ["query", "format"], "msg": "what other systems have exported is sent with its format"}
    told = [*error.errors[: MAX_ERRORS - 1], {**hint, "allowed": list(SentFormat)}]
    return InvalidInputError(told, error.total)


def _items(forms: Sequence[ItemForm]) -> list[SentModel]:
    return [SentModel(at, form.id, form.said) for at, form in enumerate(forms)]


def _shown(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "counts": {action.value: len(plan.models[action]) for action in Action},
        **{
            step.value: [{"id": model_id, "fields": fields} for model_id, fields in plan.models[step]]
            for step in Action
        },
    }
