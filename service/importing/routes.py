"""`POST /models/import` and `/models/sync`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from documents.revision import ChangeKind
from service.errors import MAX_ERRORS, InvalidInputError
from service.http.compatibility import is_compatible
from service.http.dependencies import (
    MORE_TIME,
    AdminDependency,
    BulkWork,
    BulkWorkDependency,
    Context,
    ContextDependency,
    WriterDependency,
)
from service.http.json_body import BodyReader, JsonBody, documented_json, read_body
from service.http.json_schema import REFERENCE_TEMPLATE, Schema, reference
from service.http.problems import BODY_FAILURES, Responses, documented_problems
from service.http.responses import json_response
from service.idempotency.once import REPLAYED_HEADER, BeforeCommit, OnceDependency
from service.importing.deletion_guard import allows
from service.importing.model_set import Plan, PlannedAction, SentModel, SetRequest, import_set
from service.importing.readers.openwebui_kinds import EXPORT_FIELDS
from service.importing.schemas import (
    MAX_IMPORT_BYTES,
    MAX_SYNC_BYTES,
    ImportModels,
    ImportParams,
    ImportPlan,
    ImportReport,
    ModelInput,
    SentFormat,
    SyncModels,
    SyncParams,
)
from service.importing.sent_file import import_sent

router = APIRouter(prefix="/models", tags=["bulk"], dependencies=[MORE_TIME])

_REFUSALS = documented_problems(*BODY_FAILURES)
_ANSWERS: Responses = {200: {"model": ImportPlan, "headers": REPLAYED_HEADER}, **_REFUSALS}
_IMPORTED: Responses = {
    200: {
        "model": ImportPlan | ImportReport,
        "description": "What was done or, for a dry run, would be done; with a `format`, record by record.",
        "headers": REPLAYED_HEADER,
    },
    **_REFUSALS,
}


class ImportBody(BodyReader):
    """Reads the models to import. With a `format`, the body is a file, which `import_sent` reads."""

    def request_body(self) -> Schema:
        """Return the request body as OpenAPI describes it."""
        models = ImportModels.model_json_schema(ref_template=REFERENCE_TEMPLATE)
        shared = models.pop("$defs") | {models["title"]: models}
        either = [reference(models["title"]), {"description": "With a `format`: a file of it."}]
        return documented_json({"title": "ImportBody", "anyOf": either, "$defs": shared})

    async def __call__(
        self, request: Request, _: WriterDependency, params: Annotated[ImportParams, Query()]
    ) -> ImportModels | Request:
        """Return the models or, for a file, the request with its body still to be read; raises as `read_body` does."""
        if params.format is not None:
            return request
        try:
            return await read_body(request, ImportModels, MAX_IMPORT_BYTES, takes_gzip=True)
        except InvalidInputError as error:
            raise _with_hint(error) from None


class SyncBody(JsonBody[SyncModels]):
    """Reads the models of a set, once the query string is known to be valid."""

    def __init__(self) -> None:
        """Read a body of the largest size that a set may have."""
        super().__init__(SyncModels, MAX_SYNC_BYTES)

    async def __call__(  # type: ignore[override]  # FastAPI reads the parameters
        self, request: Request, caller: AdminDependency, _: Annotated[SyncParams, Query()]
    ) -> SyncModels:
        """Return the models; raises as `read_body` does."""
        return await super().__call__(request, caller)


@router.post("/import", responses=_IMPORTED)
async def import_models(
    caller: WriterDependency,
    once: OnceDependency,
    params: Annotated[ImportParams, Query()],
    body: Annotated[ImportModels | Request, Depends(ImportBody())],
    context: ContextDependency,
    *,
    work: BulkWorkDependency,
    request: Request,
) -> Response:
    """Create models and update existing ones, with the caller's rights: all of them, or none.

    The caller owns the new models. An error names each model that can't be imported, and why. With a `format`, the
    body is a file that another system or directory has exported, and the response has a result for each record. With
    `Content-Encoding: gzip`, the body is decompressed.
    """
    if isinstance(body, Request):
        return await import_sent(once, params, work)
    dry_run = body.dry_run or params.dry_run
    wanted = SetRequest(caller, _sent_models(body.models), ChangeKind.IMPORT, dry_run, check=work.check)

    async def answer(plan: Plan) -> Response:
        # Clients of Open WebUI expect `true` and nothing else.
        if is_compatible(request) and not dry_run:
            return json_response(content=True)
        return json_response(_rendered(plan, dry_run=dry_run))

    return await once.answered(partial(_import, context, work, wanted), answer, _names)


@router.post("/sync", responses=_ANSWERS)
async def sync_models(
    caller: WriterDependency,
    _: AdminDependency,
    once: OnceDependency,
    params: Annotated[SyncParams, Query()],
    body: Annotated[SyncModels, Depends(SyncBody())],
    context: ContextDependency,
    *,
    work: BulkWorkDependency,
) -> Response:
    """Make the directory contain these models and no others: all changes are made, or none. For admins.

    An empty set is refused, and so are more deletions than `max_deletions`.
    """
    dry_run = body.dry_run or params.dry_run

    def within_bounds(plan: Plan) -> None:
        deletions = len(plan.models[PlannedAction.DELETE])
        # A dry run shows all deletions, however many.
        if not dry_run and not allows(body.max_deletions, deletions, plan.existing):
            msg = f"{deletions} of {plan.existing} models would be deleted; at most {body.max_deletions} may be"
            raise InvalidInputError([{"loc": ["body", "max_deletions"], "msg": msg}])

    wanted = SetRequest(
        caller,
        _sent_models(body.models),
        ChangeKind.SYNC,
        dry_run,
        deletes=True,
        accept=within_bounds,
        check=work.check,
    )

    async def answer(plan: Plan) -> Response:
        return json_response(_rendered(plan, dry_run=dry_run))

    return await once.answered(partial(_import, context, work, wanted), answer, _names)


async def _import(context: Context, work: BulkWork, wanted: SetRequest, before_commit: BeforeCommit[Plan]) -> Plan:
    with work.place():
        return await import_set(context.database, replace(wanted, before_commit=before_commit))


def _names(answer: Any) -> Iterator[str]:
    # The answer to clients of Open WebUI names none.
    if not isinstance(answer, dict):
        return iter(())
    # A dry run creates nothing.
    kept = [PlannedAction.UPDATE, PlannedAction.UNCHANGED] + ([] if answer["dry_run"] else [PlannedAction.CREATE])
    return (model["id"] for action in kept for model in answer[action])


def _with_hint(error: InvalidInputError) -> InvalidInputError:
    """Return the error with a hint to `format` when the body looks like a file that another system exported."""
    if not any(fault["loc"] == ["body"] or fault["loc"][-1] in EXPORT_FIELDS for fault in error.errors):
        return error
    hint = {"loc": ["query", "format"], "msg": "what other systems have exported is sent with its format"}
    errors = [*error.errors[: MAX_ERRORS - 1], {**hint, "allowed": list(SentFormat)}]
    return InvalidInputError(errors, error.total)


def _sent_models(models: Sequence[ModelInput]) -> list[SentModel]:
    return [SentModel(index, model.id, model.content) for index, model in enumerate(models)]


def _rendered(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "counts": {action.value: len(plan.models[action]) for action in PlannedAction},
        **{
            action.value: [{"id": model_id, "fields": fields} for model_id, fields in plan.models[action]]
            for action in PlannedAction
        },
    }
