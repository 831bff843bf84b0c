"""From what the pipeline yields to the answer of a list request."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from service.auth.authentication import Caller
from service.models.item import ItemShape, render_item


class PageShape(BaseModel):
    """A page of models."""

    items: list[ItemShape]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


def render_page(yielded: Sequence[Mapping[str, Any]], caller: Caller, *, readers_see_params: bool) -> dict[str, Any]:
    """Return `{items, total}` from the records and the total that the list pipeline yields."""
    records = [document for document in yielded if "_id" in document]
    total = next((document["total"] for document in yielded if "_id" not in document), 0)
    return {
        "items": [render_item(record, caller, readers_see_params=readers_see_params) for record in records],
        "total": total,
    }
