"""The history of a model record: a page of its revisions, one revision, and the differences between two versions."""

from collections.abc import Iterator, Mapping
from typing import Any

from documents import Revision
from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.clock import epoch_seconds
from service.database.client import Database
from service.database.exact_bson import Record, same_content
from service.errors import InvalidInputError, NotFoundError
from service.models.history.schemas import HistoryParams
from service.models.operations import ChangeRequest, change, require_changeable
from service.models.record import changed_fields

NO_REVISION = "There is no such revision, or its model is not yours to change."
# The fields that a restore brings back. Grants and owner stay, since restoring a text must not share a model again.
RESTORED_FIELDS = ("base_model_id", "name", "params", "meta", "is_active")

_ABSENT = object()
# An id that no model can have.
_NO_MODEL = ""


async def visible(database: Database, caller: Caller, model_id: str) -> dict[str, Any]:
    """Return the query for the visible revisions of a model that the caller may change; raises as a change does.

    Only revisions after the last deletion are visible, because an earlier model of the same id may have belonged to
    someone else.
    """
    await require_changeable(database, ChangeRequest(caller, model_id, ChangeKind.UPDATE))
    deleted = {"model_id": model_id, "after": None}
    last = await database.find(Revision, deleted, fields=["version"], sort=[("version", -1)], limit=1)
    return {"model_id": model_id, "version": {"$gt": last[0]["version"] if last else 0}}


async def page(database: Database, caller: Caller, params: HistoryParams) -> dict[str, Any]:
    """Return a page of the revisions of a model for the API, newest first and without their content."""
    query = await visible(database, caller, params.id)
    found = await database.find(Revision, query, sort=[("version", -1)], skip=params.skip, limit=params.page_size)
    return {"items": [summary(revision) for revision in found], "total": await database.count(Revision, query)}


async def revision(database: Database, caller: Caller, revision_id: str) -> Record:
    """Return one revision; raise NotFoundError when it is absent or the caller may not change its model."""
    # An absent revision must take as long as one of a hidden model, so that the time does not reveal which it is.
    found = await database.find(Revision, {"_id": revision_id}, fields=["model_id"])
    try:
        query = await visible(database, caller, found[0]["model_id"] if found else _NO_MODEL)
    except NotFoundError:
        raise NotFoundError(NO_REVISION) from None
    shown = await database.find(Revision, {"_id": revision_id, **query})
    if not shown:
        raise NotFoundError(NO_REVISION)
    return shown[0]


async def restore(database: Database, request: ChangeRequest, revision_id: str) -> None:
    """Restore the content of a model after one of its revisions; raises as a change does.

    Raises InvalidInputError for a revision of another model or of a deletion.
    """
    found = await revision(database, request.caller, revision_id)
    if found["model_id"] != request.model_id or found["after"] is None:
        msg = "must be a revision of this model that it can go back to"
        raise InvalidInputError([{"loc": ["body", "revision"], "msg": msg}])
    content = {field: found["after"][field] for field in RESTORED_FIELDS if field in found["after"]}
    await change(database, request, lambda _: content)


async def content_at(database: Database, caller: Caller, model_id: str, version: int) -> Mapping[str, Any]:
    """Return the content of a model at one of its versions; raise NotFoundError for a version that is not recorded."""
    query = await visible(database, caller, model_id)
    for field, recorded_at in (("after", version), ("before", version + 1)):
        found = await database.find(Revision, {"$and": [query, {"version": recorded_at}]}, fields=[field])
        if found and found[0][field] is not None:
            content: Mapping[str, Any] = found[0][field]
            return content
    raise NotFoundError(f"Version {version} of this model is not recorded.")


def summary(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a revision as a page of the history shows it: without its content."""
    return {
        "id": stored["_id"],
        "model_id": stored["model_id"],
        "version": stored["version"],
        "at": epoch_seconds(stored["at"]),
        "by": stored["by"],
        "change": stored["change"],
        "fields": changed_fields(stored["before"] or {}, stored["after"] or {}),
    }


def whole(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a revision as the API shows it on its own: with the content before and after."""
    return {**summary(stored), "before": stored["before"], "after": stored["after"]}


def differences(before: Any, after: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Yield each difference as `{path, before?, after?}`, with a JSON pointer (RFC 6901); a list is one value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            pointer = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from differences(before.get(name, _ABSENT), after.get(name, _ABSENT), pointer)
    elif not _same(before, after):
        sides = {"before": before, "after": after}
        yield {"path": path, **{side: value for side, value in sides.items() if value is not _ABSENT}}


def _same(one: Any, other: Any) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same_content({"value": one}, {"value": other})
