"""The response of a list request, from the documents that its pipeline yields."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.auth.authentication import Caller
from service.models.item import render_item


def render_page(yielded: Sequence[Mapping[str, Any]], caller: Caller, *, readers_see_params: bool) -> dict[str, Any]:
    """Return `{items, total}` from the records and the total that the list pipeline yields."""
    records = [document for document in yielded if "_id" in document]
    total = next((document["total"] for document in yielded if "_id" not in document), 0)
    return {
        "items": [render_item(record, caller, readers_see_params=readers_see_params) for record in records],
        "total": total,
    }
