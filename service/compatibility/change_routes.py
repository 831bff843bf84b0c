"""Changes that Open WebUI's clients ask for in a form of their own: sharing what has no record yet, deleting all."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from documents import ModelRecord, Revision
from documents.model import Name
from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.errors import ConflictError, ForbiddenError
from service.http.dependencies import (
    MORE_TIME,
    AdminWriterDependency,
    BulkWorkDependency,
    Context,
    ContextDependency,
    WriterDependency,
)
from service.http.json_body import json_body
from service.http.responses import json_response
from service.importing.model_set import SetRequest, import_set
from service.models import operations
from service.models.grants import build_grants
from service.models.routes import AnswerDependency, VersionDependency, share
from service.models.schemas import UpdateAccess

NO_RESET = (
    "Not all models can be deleted at once here, unless MODELDECK_COMPATIBILITY_RESET is set; delete them one by one. "
    "Nothing was changed."
)


class ShareModel(UpdateAccess):
    """The new grants of a model; the name counts where it has no record yet."""

    name: Name | None = None


router = APIRouter(prefix="/models")


@router.post("/model/access/update")
async def share_model(
    caller: WriterDependency,
    versions: VersionDependency,
    body: Annotated[ShareModel, json_body(ShareModel)],
    context: ContextDependency,
    *,
    answer: AnswerDependency,
) -> Response:
    """Replace all grants of a model. What an admin shares and has no record gets one, as a base model."""
    if not (caller.is_admin and versions is None and await _created(context, caller, body)):
        await share(context, caller, body, versions)
    return await answer(body.id)


async def _created(context: Context, admin: Caller, body: ShareModel) -> bool:
    """Return whether there never was a record and one was created, with the grants."""
    # The id of a deleted model stays its owner's.
    for kind, field in ((ModelRecord, "_id"), (Revision, "model_id")):
        if await context.database.count(kind, {field: body.id}):
            return False
    content: dict[str, Any] = {
        "base_model_id": None,
        "name": body.name or body.id,
        "params": {},
        "meta": {},
        "is_active": True,
        "access_grants": build_grants(body.id, body.access_grants),
    }
    try:
        await operations.create(context.database, admin, body.id, content)
    except ConflictError:
        # Somebody else was faster.
        return False
    return True


@router.delete("/delete/all", dependencies=[MORE_TIME])
async def delete_all_models(
    admin: AdminWriterDependency, context: ContextDependency, work: BulkWorkDependency
) -> Response:
    """Delete all models, where the service is set to allow that; their history stays. For admins."""
    if not context.settings.compatibility_reset:
        raise ForbiddenError(NO_RESET)
    with work.place():
        everything = SetRequest(admin, [], ChangeKind.DELETE, deletes=True, check=work.check)
        await import_set(context.database, everything)
    return json_response(content=True)
