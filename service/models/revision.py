"""What a revision stores of a change: the fields that differ, and not the image that stays as it is."""

import secrets
from datetime import datetime
from typing import Any

from documents.revision import ChangeKind
from service.database.exact_bson import Record, int64
from service.models.record import CONTENT_FIELDS, Content, changed_fields

IMAGE = "profile_image_url"
_EMBEDDED = "data:"
# What analysts and the rule about ids that are used again need of each revision, and small.
_OWNER = "user_id"


def build_revision(
    model_id: str,
    change: ChangeKind,
    before: Content | None,
    after: Content | None,
    *,
    version: int,
    moment: datetime,
    by: str | None,
) -> Record:
    """Return the revision that records the change to this version; None is the content of a model that is absent."""
    # Built without the document class, since imports create very many.
    return {
        "_id": secrets.token_hex(16),
        "model_id": model_id,
        "version": int64(version),
        "at": moment,
        "by": by,
        "change": str(change),
        **_sides(before, after),
    }


def _sides(before: Content | None, after: Content | None) -> Record:
    if before is None or after is None:
        return {"fields": None, "image_kept": False, "before": _whole(before), "after": _whole(after)}
    fields = changed_fields(before, after)
    sides = {"before": _part(before, fields), "after": _part(after, fields)}
    image_kept = "meta" in fields and _keeps_image(before.get("meta"), after.get("meta"))
    for side in sides.values() if image_kept else ():
        side["meta"] = with_image(side["meta"], None)
    return {"fields": fields, "image_kept": image_kept, **sides}


def _whole(content: Content | None) -> Record | None:
    return None if content is None else {name: content[name] for name in CONTENT_FIELDS if name in content}


def _part(content: Content, fields: list[str]) -> Record:
    return {name: content[name] for name in CONTENT_FIELDS if name in content and name in (_OWNER, *fields)}


def _keeps_image(before: Any, after: Any) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    image = before.get(IMAGE)
    return isinstance(image, str) and image.startswith(_EMBEDDED) and after.get(IMAGE) == image


def with_image(meta: Record, image: Any) -> Record:
    """Return `meta` with another image at the same place."""
    return {**meta, IMAGE: image}
