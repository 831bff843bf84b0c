"""What a revision stores of a change: the fields that differ, and not the image that stays as it is."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from documents.image import EMBEDDED, IMAGE
from documents.revision import ChangeKind
from service.database.exact_bson import Record, int64
from service.models.record import CONTENT_FIELDS, Content

# What analysts and the rule about ids that are used again need of each revision, and small.
_OWNER = "user_id"


def build_revision(
    model_id: str, change: ChangeKind, sides: Record, *, version: int, moment: datetime, by: str | None
) -> Record:
    """Return the revision that records the change to this version; for `sides` see `stored_sides`."""
    # Built without the document class, since imports create very many.
    return {
        "_id": secrets.token_hex(16),
        "model_id": model_id,
        "version": int64(version),
        "at": moment,
        "by": by,
        "change": str(change),
        **sides,
    }


def stored_sides(before: Content | None, after: Content | None, changed: Sequence[str] = ()) -> Record:
    """Return what a revision stores of the content before and after a change; None where there was no model.

    `changed` are the names of the fields that differ.
    """
    if before is None or after is None:
        return {"fields": None, "image_kept": False, "before": _whole(before), "after": _whole(after)}
    sides = {"before": _part(before, changed), "after": _part(after, changed)}
    image_kept = "meta" in changed and _keeps_image(before.get("meta"), after.get("meta"))
    for side in sides.values() if image_kept else ():
        side["meta"] = with_image(side["meta"], None)
    return {"fields": list(changed), "image_kept": image_kept, **sides}


def _whole(content: Content | None) -> Record | None:
    return None if content is None else {name: content[name] for name in CONTENT_FIELDS if name in content}


def _part(content: Content, fields: Sequence[str]) -> Record:
    return {name: content[name] for name in CONTENT_FIELDS if name in content and name in (_OWNER, *fields)}


def _keeps_image(before: Any, after: Any) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    image = before.get(IMAGE)
    return isinstance(image, str) and image.startswith(EMBEDDED) and after.get(IMAGE) == image


def with_image(meta: Record, image: Any) -> Record:
    """Return `meta` with another image at the same place."""
    return {**meta, IMAGE: image}
