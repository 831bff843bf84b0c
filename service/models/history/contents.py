"""The content of a model at one of its versions: the record as it is now, with the changes since then undone.

Undoing needs no revision older than that version, so that the oldest ones can be removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from documents import ModelRecord, Revision
from documents.image import IMAGE
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import NotFoundError
from service.models.record import CONTENT_FIELDS, Content
from service.models.revision import with_image

_REVISIONS = Revision.Settings.name


@dataclass(frozen=True, slots=True)
class History:
    """The visible history of a model: its revisions after the last deletion of its id.

    `record` is the model, read before any of its revisions: what is changed meanwhile is then undone like the rest.
    """

    model_id: str
    deleted_at: int
    record: Record

    @property
    def version(self) -> int:
        """The current version: later ones may be those of another model, if this one was deleted since it was read."""
        version: int = self.record["version"]
        return version

    def revisions(self, first: int = 0, last: int | None = None) -> dict[str, Any]:
        """Return the query for the visible revisions, or for those from version `first` to `last`."""
        end = self.version if last is None else min(last, self.version)
        return {"model_id": self.model_id, "version": {"$gte": max(first, self.deleted_at + 1), "$lte": end}}


async def content_at(database: Database, history: History, version: int) -> Content:
    """Return the content of a model at one of its versions.

    Raises NotFoundError for a version that is not recorded: neither it nor the next one has a revision, or a revision
    between it and the current version is missing, so that its content is not known.
    """
    whole = {"after": {"$ne": None}, "$or": [{"fields": None}, {"before": None}]}
    if found := await database.find(Revision, {**history.revisions(version, version), **whole}, fields=["after"]):
        recorded: Content = found[0]["after"]
        return recorded
    later = history.revisions(version + 1)
    values = await _nearest_values(database, later, side="before", direction=1)
    if not any(found["absent"] for found in values.values()):
        content = await _undone(database, history, later, values)
        # Only now, since old revisions can be removed while they are read.
        if await _can_be_undone(database, history, version):
            return content
    raise NotFoundError(f"Version {version} of this model is not recorded, or no longer.")


async def recorded_content(database: Database, model_id: str, version: int) -> Content | None:
    """Return the content of a model at one of its versions, also when it was deleted since; None when it is not known.

    It is known if every later change has its revision, and a model that is gone its deletion.
    """
    found = await database.find(ModelRecord, {"_id": model_id})
    record = found[0] if found else await _deleted(database, model_id)
    later = {"model_id": model_id, "version": {"$gt": version, "$lte": record["version"]}}
    values = await _nearest_values(database, later, side="before", direction=1)
    if any(found["absent"] for found in values.values()) or not (record.keys() | values.keys()) >= set(CONTENT_FIELDS):
        return None
    content = await _undone(database, History(model_id, 0, record), later, values)
    # Only now, since old revisions can be removed while they are read.
    recorded = await database.count(Revision, later)
    return content if recorded == record["version"] - version else None


async def _deleted(database: Database, model_id: str) -> Record:
    """Return what stands for the record of a model that is gone: the version of its last revision."""
    last = await database.find(Revision, {"model_id": model_id}, fields=["version"], sort=[("version", -1)], limit=1)
    return {"version": last[0]["version"] if last else 0, "meta": {}}


async def last_content(database: Database, model_id: str) -> Content:
    """Return the content of a model that was deleted past the service, as far as its revisions hold it."""
    revisions = {"model_id": model_id}
    values = await _nearest_values(database, revisions, side="after", direction=-1)
    content = {name: found["value"] for name, found in values.items() if "value" in found}
    if values.get("meta", {}).get("image_kept"):
        image = await _kept_image(database, revisions, side="after", direction=-1)
        content["meta"] = with_image(content["meta"], image)
    return content


async def whole_sides(database: Database, history: History, stored: Record) -> tuple[Content | None, Content | None]:
    """Return the whole content before and after a visible revision; raises as `content_at` does."""
    before, after = stored["before"], stored["after"]
    if stored.get("fields") is None:
        return before, after
    after = await content_at(database, history, stored["version"])
    if before is None:
        return await _content_before_imported(database, history, stored), after
    if stored.get("image_kept"):
        before = {**before, "meta": with_image(before["meta"], after["meta"].get(IMAGE))}
    kept = {name: value for name, value in after.items() if name not in stored["fields"]}
    return _in_order(kept | before), after


async def _content_before_imported(database: Database, history: History, stored: Record) -> Content | None:
    try:
        return await content_at(database, history, stored["version"] - 1)
    except NotFoundError:
        return None


async def _can_be_undone(database: Database, history: History, version: int) -> bool:
    """Return whether every change from this version to the current one is recorded, or the last if it is current."""
    first = min(version + 1, history.version)
    recorded = await database.count(Revision, history.revisions(first))
    return history.deleted_at < version <= history.version and recorded == history.version - first + 1


async def _undone(
    database: Database, history: History, later: Mapping[str, Any], values: Mapping[str, Record]
) -> Content:
    content = {name: history.record[name] for name in CONTENT_FIELDS if name not in values}
    content |= {name: found["value"] for name, found in values.items() if "value" in found}
    if values.get("meta", {}).get("image_kept"):
        current = history.record["meta"].get(IMAGE)
        image = await _kept_image(database, later, side="before", direction=1, otherwise=current)
        content["meta"] = with_image(content["meta"], image)
    return _in_order(content)


def _in_order(content: Content) -> Content:
    return {name: content[name] for name in CONTENT_FIELDS if name in content}


async def _nearest_values(
    database: Database, revisions: Mapping[str, Any], *, side: str, direction: int
) -> dict[str, Record]:
    """Return for each field what the first of the revisions, in a direction of versions, that holds it says of it.

    That is `value` if the field was there, whether the whole side is `absent`, and `image_kept`.
    """
    shown = {"absent": {"$eq": [f"${side}", None]}, "image_kept": 1}
    first, *others = (
        [
            *_nearest(revisions, field, direction),
            {"$project": {"_id": 0, "field": {"$literal": field}, "value": f"${side}.{field}", **shown}},
        ]
        for field in CONTENT_FIELDS
    )
    unions = [{"$unionWith": {"coll": _REVISIONS, "pipeline": stages}} for stages in others]
    return {found["field"]: found for found in await database.aggregate(Revision, [*first, *unions])}


async def _kept_image(
    database: Database, revisions: Mapping[str, Any], *, side: str, direction: int, otherwise: Any = None
) -> Any:
    """Return the image in the first of the revisions that holds it, or `otherwise`."""
    query = {**revisions, "image_kept": {"$ne": True}}
    project = {"$project": {"_id": 0, "value": f"${side}.meta.{IMAGE}"}}
    found = await database.aggregate(Revision, [*_nearest(query, "meta", direction), project])
    return found[0].get("value") if found else otherwise


def _nearest(revisions: Mapping[str, Any], field: str, direction: int) -> list[dict[str, Any]]:
    # Null finds the revisions without `fields`, which hold every field.
    match = {**revisions, "fields": {"$in": [field, None]}}
    return [{"$match": match}, {"$sort": {"version": direction}}, {"$limit": 1}]
