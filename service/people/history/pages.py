"""The history of a user or a group, page by page."""

from collections.abc import Mapping
from typing import Any

from documents import PeopleChange
from documents.text import text_problem
from service.clock import epoch_seconds
from service.database.client import Database
from service.http.pagination import PageParams
from service.models.principals import Kind, require_existing
from service.people.history.recording import TYPES


async def history_page(database: Database, kind: Kind, identifier: str, params: PageParams) -> dict[str, Any]:
    """Return a page of the changes of a user or a group for the API, newest first.

    Those of one that was deleted can still be read. Raises NotFoundError when there is neither the user or group nor a
    change of it.
    """
    query = {"principal_id": identifier, "principal_type": TYPES[kind].value}
    total = await database.count(PeopleChange, query) if text_problem(identifier) is None else 0
    if not total:
        # It may have been there before changes were recorded.
        await require_existing(database, kind, identifier)
    order = [("number", -1)]
    found = await database.find(PeopleChange, query, sort=order, skip=params.skip, limit=params.page_size)
    return {"items": [_rendered(change) for change in found], "total": total}


def _rendered(change: Mapping[str, Any]) -> dict[str, Any]:
    before, after, fields = change["before"], change["after"], change["fields"]
    return {
        "id": change["_id"],
        **{field: change[field] for field in ("principal_type", "principal_id", "number")},
        "at": epoch_seconds(change["at"]),
        "by": change["by"],
        "change": change["change"],
        "fields": fields if fields is not None else list(after or before or {}),
        "before": before,
        "after": after,
    }
