"""The history of a model record: a page of its revisions, one revision, and the differences between two versions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from documents import Revision
from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.clock import epoch_seconds
from service.database.client import Database
from service.database.exact_bson import Record, same_content
from service.errors import InvalidInputError, NotFoundError
from service.models.history.contents import History, content_at, whole_sides
from service.models.history.schemas import HistoryParams
from service.models.operations import ChangeRequest, change, require_changeable
from service.models.record import CONTENT_FIELDS, Content, changed_fields

NO_REVISION = "There is no such revision, or its model is not yours to change."
# The fields that a restore brings back. Grants and owner stay, since restoring a text must not share a model again.
RESTORED_FIELDS = ("base_model_id", "name", "params", "meta", "is_active")

_ABSENT = object()
# An id that no model can have.
_NO_MODEL = ""


async def history_of(database: Database, caller: Caller, model_id: str, *, emptied: bool = False) -> History:
    """Return the visible history of a model that the caller may change; raises as a change does.

    Only revisions after the last deletion are visible, because an earlier model of the same id may have belonged to
    someone else. With `emptied`, `params` and `meta` of its record are empty.
    """
    request = ChangeRequest(caller, model_id, ChangeKind.UPDATE)
    record = await require_changeable(database, request, emptied=emptied)
    deleted = {"model_id": model_id, "fields": None, "after": None}
    last = await database.find(Revision, deleted, fields=["version"], sort=[("version", -1)], limit=1)
    return History(model_id, last[0]["version"] if last else 0, record)


async def page(database: Database, caller: Caller, params: HistoryParams) -> dict[str, Any]:
    """Return a page of the revisions of a model for the API, newest first and without their content."""
    query = (await history_of(database, caller, params.id, emptied=True)).revisions()
    found = await database.aggregate(Revision, page_pipeline(query, params))
    counted = found.pop() if found and "total" in found[-1] else {"total": 0}
    return {"items": [summary(revision, revision["fields"]) for revision in found], **counted}


def page_pipeline(query: Mapping[str, Any], params: HistoryParams) -> list[dict[str, Any]]:
    """Return the pipeline that yields the summaries of a page of revisions and then, if there are any, `{total}`."""
    return [
        {"$match": query},
        {"$sort": {"version": -1}},
        {"$skip": params.skip},
        {"$limit": params.page_size},
        {"$project": {**dict.fromkeys(_SUMMARY, 1), "fields": {"$ifNull": ["$fields", NAMES_OF_DIFFERING]}}},
        {"$unionWith": {"coll": Revision.Settings.name, "pipeline": [{"$match": query}, {"$count": "total"}]}},
    ]


def _name_if_differing(field: str) -> dict[str, Any]:
    # Numbers of different types can be equal, so that types and sizes are compared too.
    before, after = f"$before.{field}", f"$after.{field}"
    sizes = [{"$bsonSize": {"value": before}}, {"$bsonSize": {"value": after}}]
    differs = [{"$ne": [before, after]}, {"$ne": [{"$type": before}, {"$type": after}]}, {"$ne": sizes}]
    return {"$cond": [{"$or": differs}, [field], []]}


_SUMMARY = ("model_id", "version", "at", "by", "change")
# The names of the fields that differ between two whole sides.
NAMES_OF_DIFFERING = {"$concatArrays": [_name_if_differing(field) for field in CONTENT_FIELDS]}


async def whole_revision(database: Database, caller: Caller, revision_id: str) -> dict[str, Any]:
    """Return one revision for the API, with the whole content before and after it; raises as `restore` does."""
    history, stored = await visible_revision(database, caller, revision_id)
    before, after = await whole_sides(database, history, stored)
    fields = stored.get("fields")
    if fields is None:
        fields = changed_fields(before or {}, after or {})
    return {**summary(stored, fields), "before": before, "after": after}


async def visible_revision(database: Database, caller: Caller, revision_id: str) -> tuple[History, Record]:
    """Return a revision as it is stored, and the history that it belongs to.

    Raises NotFoundError for one that is absent or whose model is hidden from the caller, and else as a change does.
    """
    # An absent revision must take as long as one of a hidden model, so that the time does not reveal which it is.
    found = await database.find(Revision, {"_id": revision_id}, fields=["model_id"])
    try:
        history = await history_of(database, caller, found[0]["model_id"] if found else _NO_MODEL)
    except NotFoundError:
        raise NotFoundError(NO_REVISION) from None
    shown = await database.find(Revision, {"_id": revision_id, **history.revisions()})
    if not shown:
        raise NotFoundError(NO_REVISION)
    return history, shown[0]


def _restored(content: Content, _: Record) -> Content:
    return {field: value for field, value in content.items() if field in RESTORED_FIELDS}


async def restore(
    database: Database,
    request: ChangeRequest,
    revision_id: str,
    restored: Callable[[Content, Record], Content] = _restored,
) -> None:
    """Restore the content of a model after one of its revisions; raises as a change does.

    `restored` returns what changes, for the content then and the record now. Raises NotFoundError for a revision that
    is absent, whose model the caller may not change, or whose content is no longer recorded, and InvalidInputError for
    one of another model or of a deletion.
    """
    history, stored = await visible_revision(database, request.caller, revision_id)
    if stored["model_id"] != request.model_id or stored["after"] is None:
        msg = "must be a revision of this model that it can go back to"
        raise InvalidInputError([{"loc": ["body", "revision"], "msg": msg}])
    _, after = await whole_sides(database, history, stored)
    content = after or {}
    await change(database, request, lambda record: restored(content, record))


async def compare(database: Database, caller: Caller, model_id: str, earlier: int, later: int) -> list[dict[str, Any]]:
    """Return the differences between two versions of a model for the API.

    Raises as a change does, and NotFoundError for a version that is not recorded.
    """
    history = await history_of(database, caller, model_id)
    before, after = [await content_at(database, history, version) for version in (earlier, later)]
    return list(differences(before, after))


def summary(stored: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Return a revision for the API, without its content."""
    return {
        "id": stored["_id"],
        "model_id": stored["model_id"],
        "version": stored["version"],
        "at": epoch_seconds(stored["at"]),
        "by": stored["by"],
        "change": stored["change"],
        "fields": fields,
    }


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
