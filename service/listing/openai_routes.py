"""`GET /v1/models`, as OpenAI's API has it: tools fill their menu of models from there."""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from documents import ModelRecord
from documents.freeform import json_bytes
from documents.text import Identifier
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller, while_entitled
from service.clock import epoch_seconds
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import NotFoundError
from service.http.dependencies import CallerDependency, ContextDependency, PlaceWhenLargeDependency, get_rights_check
from service.http.problems import COMMON_FAILURES, Responses, documented_header, documented_problems
from service.http.responses import (
    EXAMPLE_WEAK_TAG,
    JSON,
    KnownETags,
    streamed_response,
    tagged_json_response,
)

BATCH = 1000
# A longer menu is sent in parts.
MENU_BYTES = 1_000_000
NO_SUCH_MODEL = "There is no such model, it is inactive, or it is not shared with you."
_FIELDS = ("user_id", "created_at")
_BEGINNING, _END = b'{"object":"list","data":[', b"]}"


class OpenAIModel(BaseModel):
    """One model, as OpenAI's API describes it."""

    id: str = Field(description="It may contain `/` and `:`.", examples=["sql-tuning"])
    object: Literal["model"]
    created: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    owned_by: str = Field(description="The id of the owner.", examples=["u-anna"])


class OpenAIModels(BaseModel):
    """The models that the caller may use, as OpenAI's API lists them."""

    object: Literal["list"]
    data: list[OpenAIModel] = Field(description="In order of id.")


_REFUSALS = documented_problems(*COMMON_FAILURES)
_TAG = documented_header("ETag", "A hash of the content; weak.", EXAMPLE_WEAK_TAG)
_UNCHANGED: Responses = {304: {"description": "The client has this content already.", "headers": _TAG}}
_MENU: Responses = {200: {"model": OpenAIModels, "headers": _TAG}, **_UNCHANGED, **_REFUSALS}
_ONE: Responses = {
    200: {"model": OpenAIModel, "headers": _TAG},
    **_UNCHANGED,
    **_REFUSALS,
    **documented_problems(HTTPStatus.NOT_FOUND),
}

router = APIRouter(prefix="/v1/models", tags=["menu"])


@router.get("", responses=_MENU)
async def list_openai_models(
    caller: CallerDependency,
    context: ContextDependency,
    known: KnownETags = None,
    *,
    request: Request,
    take_place: PlaceWhenLargeDependency,
) -> Response:
    """Return the active models that the caller may read, for tools that know OpenAI's API.

    A list of more than a megabyte is sent in parts and has no entity tag. Other parameters, which tools may send, have
    no effect. Errors also have `error.message`, which OpenAI's clients show.
    """
    parts = _menu(context.database, caller)
    held: list[bytes] = []
    async for part in parts:
        held.append(part)
        if sum(map(len, held)) > MENU_BYTES:
            await take_place()
            check = await get_rights_check(request)
            return await streamed_response(while_entitled(_going_on(b"".join(held), parts), check), JSON)
    return tagged_json_response(b"".join(held), known)


@router.get("/{id:path}", responses=_ONE)
async def get_openai_model(
    caller: CallerDependency,
    model_id: Annotated[
        Identifier,
        Path(
            alias="id",
            description="The model's id; it may contain `/` and `:`, percent-encoded or not.",
            examples=["sql-tuning"],
        ),
    ],
    context: ContextDependency,
    known: KnownETags = None,
) -> Response:
    """Return one model, for tools that know OpenAI's API. 404 for one that is absent, inactive or hidden."""
    query = {**_usable(caller), "_id": model_id}
    found = await context.database.find(ModelRecord, query, fields=_FIELDS)
    if not found:
        raise NotFoundError(NO_SUCH_MODEL)
    return tagged_json_response(json_bytes(_rendered(found[0])), known)


def _usable(caller: Caller) -> Match:
    return {**access_rule.readable(caller), "is_active": True}


async def _menu(database: Database, caller: Caller) -> AsyncIterator[bytes]:
    before = _BEGINNING
    query = {"$and": [_usable(caller), {"_id": {"$type": "string"}}]}
    async for batch in database.batches(ModelRecord, query, fields=_FIELDS, size=BATCH):
        yield before + _joined(batch)
        before = b","
    yield _END if before == b"," else before + _END


async def _going_on(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in parts:
        yield part


def _joined(batch: Sequence[Record]) -> bytes:
    return json_bytes([_rendered(record) for record in batch])[1:-1]


def _rendered(record: Record) -> dict[str, Any]:
    owner = record.get("user_id")
    # What was written past the service can have any type.
    owned_by = owner if isinstance(owner, str) else ""
    return {
        "id": record["_id"],
        "object": "model",
        "created": epoch_seconds(record.get("created_at")),
        "owned_by": owned_by,
    }
