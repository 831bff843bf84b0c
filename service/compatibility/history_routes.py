"""The version menu of Open WebUI: the revisions of a model in the form that it reads, and one of them made current."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator, Field

from documents import Revision, User
from documents.revision import ChangeKind
from documents.text import Identifier
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ForbiddenError, NotFoundError
from service.http.dependencies import CallerDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.pagination import whole_number
from service.http.responses import json_response
from service.http.strict_model import QueryModel, StrictModel
from service.models.history.contents import History
from service.models.history.revisions import (
    NO_REVISION,
    history_of,
    page_pipeline,
    restore,
    summary,
    visible_revision,
    whole_revision,
)
from service.models.history.routes import ONE, RevisionId
from service.models.history.schemas import HistoryParams
from service.models.operations import ChangeRequest
from service.models.principals import names_of
from service.models.record import CONTENT_FIELDS, Content
from service.models.routes import AnswerDependency, ModelParams, VersionDependency

# The client shows the next page only when this one is full.
PAGE_SIZE = 20
KEPT = "History can't be deleted here: it says who changed what. Nothing was changed."
SNAPSHOT_FIELDS = ("name", "base_model_id", "params", "meta")
# Whether a menu shows the model; it belongs to the model as it is, not to a version.
_HIDDEN, _NONE = "hidden", object()


class CompatibleHistoryParams(QueryModel):
    """The parameters of a page of history."""

    id: Identifier
    page: Annotated[int, Field(ge=1), BeforeValidator(whole_number)] = 1


class OneRevisionParams(QueryModel):
    """The parameters of a request for one revision: the model that it must belong to, if given."""

    id: Identifier | None = None


class ProductionVersion(StrictModel):
    """The revision to restore."""

    version_id: Identifier


router = APIRouter(prefix="/models/model")


@router.get("/history")
async def list_version_entries(
    caller: CallerDependency, params: Annotated[CompatibleHistoryParams, Query()], context: ContextDependency
) -> Response:
    """Return a page of the revisions of a model as an array, newest first. For those who may change it."""
    database = context.database
    history = await history_of(database, caller, params.id, emptied=True)
    page = HistoryParams(id=params.id, page=params.page, page_size=PAGE_SIZE)
    found = await database.aggregate(Revision, page_pipeline(history.revisions(), page))
    stored = [revision for revision in found if "_id" in revision]
    return json_response(await _entries(database, history, stored))


@router.api_route(f"/history{ONE}", methods=["GET", "DELETE"])
async def get_version_entry(
    request: Request,
    caller: CallerDependency,
    revision: RevisionId,
    params: Annotated[OneRevisionParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return one revision of a model with a snapshot of the content after it. To delete one is refused."""
    history, stored = await _revision(context.database, caller, revision, params.id)
    if request.method == "DELETE":
        raise ForbiddenError(KEPT)
    whole = await whole_revision(context.database, caller, revision)
    after = whole["after"] or {}
    [entry] = await _entries(context.database, history, [{**stored, "fields": whole["fields"]}])
    return json_response({**entry, "snapshot": {name: after.get(name) for name in SNAPSHOT_FIELDS}})


@router.post("/update/version")
async def restore_version(
    caller: WriterDependency,
    versions: VersionDependency,
    params: Annotated[ModelParams, Query()],
    body: Annotated[ProductionVersion, json_body(ProductionVersion)],
    context: ContextDependency,
    *,
    answer: AnswerDependency,
) -> Response:
    """Restore name, base, parameters and metadata of a model after a revision, as a new version."""
    request = ChangeRequest(caller, params.id, ChangeKind.RESTORE, versions)
    await _revision(context.database, caller, body.version_id, params.id)
    await restore(context.database, request, body.version_id, _snapshot)
    return await answer(params.id)


async def _revision(
    database: Database, caller: Caller, revision_id: str, model_id: str | None
) -> tuple[History, Record]:
    history, stored = await visible_revision(database, caller, revision_id)
    if model_id not in (None, history.model_id):
        raise NotFoundError(NO_REVISION)
    return history, stored


def _snapshot(content: Content, record: Record) -> Content:
    restored = {name: content[name] for name in SNAPSHOT_FIELDS if name in content}
    if "meta" not in restored or restored["meta"].get(_HIDDEN, _NONE) == record["meta"].get(_HIDDEN, _NONE):
        return restored
    kept = {_HIDDEN: record["meta"][_HIDDEN]} if _HIDDEN in record["meta"] else {}
    return {
        **restored,
        "meta": {**{name: value for name, value in restored["meta"].items() if name != _HIDDEN}, **kept},
    }


async def _entries(database: Database, history: History, stored: list[Record]) -> list[dict[str, Any]]:
    """Return revisions as entries of the menu: each with the one before it, and the name of who made it."""
    versions = [revision["version"] for revision in stored]
    before: dict[int, str] = {}
    if versions:
        query = history.revisions(min(versions) - 1, max(versions) - 1)
        earlier = await database.find(Revision, query, fields=["version"])
        before = {revision["version"]: revision["_id"] for revision in earlier}
    names = await names_of(database, User, [revision["by"] for revision in stored if revision["by"]])
    return [_entry(summary(revision, revision["fields"]), before, names) for revision in stored]


def _entry(shown: Mapping[str, Any], before: Mapping[int, str], names: Mapping[str, str]) -> dict[str, Any]:
    by, change, fields = shown["by"], str(shown["change"]), shown["fields"]
    # Nobody writes messages here; this is what the menu shows instead of an id.
    message = f"{change}: {', '.join(fields)}" if 0 < len(fields) < len(CONTENT_FIELDS) else change
    return {
        "id": shown["id"],
        "model_id": shown["model_id"],
        "parent_id": before.get(shown["version"] - 1),
        "user_id": by,
        "commit_message": message,
        "created_at": shown["at"],
        "user": {"id": by, "name": names[by]} if by in names else None,
    }
