"""What the API can do, as calls: generators of requests that a client runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from modeldeck_client.requests import Call, Request, get
from modeldeck_client.types import (
    AccessExplanation,
    BulkAccessChange,
    BulkChangeResults,
    BulkStateChange,
    CreateModel,
    ListedModel,
    Me,
    Model,
    ModelPage,
    ReaderPage,
    RevisionPage,
)

LIST = "/api/models/list"
MODEL = "/api/models/model"
# As many as a page may have.
_PAGE_SIZE = 100


class Walk:
    """A walk through all of a list, page by page."""

    def __init__(self, filters: Mapping[str, Any]) -> None:
        self._params = {**_parameters(filters), "page_size": _PAGE_SIZE, "total": "none"}
        self.ended = False

    def next_page(self) -> Call[Sequence[ListedModel]]:
        """Return the models of the next page."""
        page: ModelPage = yield get(LIST, **self._params)
        self._params["cursor"] = page["next_cursor"]
        self.ended = page["next_cursor"] is None
        return page["items"]


def read_page(filters: Mapping[str, Any]) -> Call[ModelPage]:
    """Return one page of the list."""
    page: ModelPage = yield get(LIST, **_parameters(filters))
    return page


def read_model(model_id: str, after: float = 0.0) -> Call[Model]:
    """Return one model, as it is in so many seconds."""
    model: Model = yield replace(get(MODEL, id=model_id), after=after)
    return model


def read_model_unless(model_id: str, version: int) -> Call[Model | None]:
    """Return one model, or None when it still has this version."""
    request = Request("GET", MODEL, {"id": model_id}, headers={"If-None-Match": f'"{version}"'}, repeatable=True)
    model: Model | None = yield request
    return model


def create_model(model: CreateModel, idempotency_key: str | None) -> Call[Model]:
    """Create a model, once, however often the request is sent."""
    created: Model = yield from _once("/api/models/create", model, idempotency_key)
    return created


def read_self() -> Call[Me]:
    """Return the caller."""
    me: Me = yield get("/api/me")
    return me


def export_models(model_ids: str | Iterable[str] | None) -> Call[list[Model]]:
    """Return all models, or these."""
    ids = [model_ids] if isinstance(model_ids, str) else model_ids
    chosen = None if ids is None else _some("model_ids", list(ids))
    models: list[Model] = yield get("/api/models/export", id=chosen)
    return models


def change_states(change: BulkStateChange, idempotency_key: str | None) -> Call[BulkChangeResults]:
    """Make models active or inactive."""
    results: BulkChangeResults = yield from _once("/api/models/bulk/state", change, idempotency_key)
    return results


def change_grants(change: BulkAccessChange, idempotency_key: str | None) -> Call[BulkChangeResults]:
    """Change the grants of models."""
    results: BulkChangeResults = yield from _once("/api/models/bulk/access", change, idempotency_key)
    return results


def read_history(model_id: str, page: int, page_size: int) -> Call[RevisionPage]:
    """Return a page of the changes of a model."""
    revisions: RevisionPage = yield get(f"{MODEL}/history", id=model_id, page=page, page_size=page_size)
    return revisions


def explain_access(model_id: str, user_id: str) -> Call[AccessExplanation]:
    """Return what a user may do with a model, and why."""
    explanation: AccessExplanation = yield get(f"{MODEL}/access", id=model_id, user_id=user_id)
    return explanation


def read_readers(model_id: str, page: int, page_size: int) -> Call[ReaderPage]:
    """Return a page of those who may read a model."""
    readers: ReaderPage = yield get(f"{MODEL}/access", id=model_id, page=page, page_size=page_size)
    return readers


def _once(path: str, body: Any, idempotency_key: str | None) -> Call[Any]:
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return (yield Request("POST", path, body=body, headers=headers, repeatable=True))


def _parameters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return filters as the parameters of a list; what is None is left out."""
    given = {name.removesuffix("_"): value for name, value in filters.items() if value is not None}
    return {name: _written(name, value) for name, value in given.items()}


def _written(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: a time needs a time zone")
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        _some(name, value)
        return ",".join(value) if name in {"fields", "facets"} else value
    return value


def _some(name: str, values: Sequence[str]) -> Sequence[str]:
    # In a query, no values are no filter: who looks for none of the models would get all of them.
    if not values:
        raise ValueError(f"{name}: must not be empty; None leaves it out")
    return values
