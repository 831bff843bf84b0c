"""A direct route answers as FastAPI would answer it: the same values, the same errors, and what is left afterwards."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field

from service.auth.authentication import Authenticator
from service.auth.login_throttle import LoginThrottle
from service.auth.write_quota import WriteQuota
from service.database.client import Database
from service.errors import UnauthorizedError
from service.http.compatibility import COMPATIBLE
from service.http.dependencies import Context
from service.http.direct_route import DirectRoute
from service.http.problem_responses import install_error_handlers
from service.http.query_params import STRICT
from service.http.responses import json_response
from service.http.strict_model import QueryModel
from service.observability.metrics import Metrics
from service.settings import Settings

QUERIES = (
    *("", "?page=3", "?page=0", "?page=x&in=everything", "?page=1&page=2", "?tag=a&tag=b", "?tag=&in=description"),
    *("?unknown=1", "?unknown=1&unknown=2&other", "?searched_in=description", "?page=%00", "?page=%C3", "?tag=%F0%9F"),
    *("?tag=a;b", "?&&", "?page", "?PAGE=2", "?page=1&tag[]=2"),
)


class Params(QueryModel):
    """Parameters of each kind."""

    page: Annotated[int, Field(ge=1)] = 1
    searched_in: Annotated[str | None, Field(alias="in", pattern="^description$")] = None
    tag: Annotated[list[str], Field(default_factory=list)]


async def get_caller(request: Request) -> str:
    if "Authorization" not in request.headers:
        raise UnauthorizedError
    if (error := getattr(request.state, "query_error", None)) is not None:
        raise error
    return request.headers["Authorization"]


async def get_place(request: Request) -> AsyncIterator[str]:
    events: list[str] = request.app.state.events
    events.append("taken")
    yield "place"
    events.append("released")


async def answer(
    caller: Annotated[str, Depends(get_caller)],
    params: Annotated[Params, Query()],
    place: Annotated[str, Depends(get_place)],
    known: Annotated[list[str] | None, Header(alias="If-None-Match")] = None,
    *,
    request: Request,
) -> Response:
    events: list[str] = request.app.state.events
    events.append("answered")
    sent = sorted(params.model_fields_set)
    return json_response([caller, params.model_dump(), sent, place, known, request.url.path, [*events]])


SETTINGS = Settings(_env_file=None)
# It is never connected.
DATABASE = Database.connect("mongodb://127.0.0.1:1", "unused", 1.0)
CONTEXT = Context(SETTINGS, DATABASE, Authenticator(DATABASE), LoginThrottle(1, Metrics()), WriteQuota(1))


def built(route_class: type[APIRoute]) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    router = APIRouter(route_class=route_class)
    router.get("/answer")(answer)
    app.include_router(router, prefix="/strict", dependencies=STRICT)
    app.include_router(router, prefix="/compatible", dependencies=COMPATIBLE)
    # Who is expected is asked for each request; nobody is, since nobody has been looked up.
    app.state.context = CONTEXT
    return app


DIRECT, USUAL = built(DirectRoute), built(APIRoute)


async def outcome(app: FastAPI, path: str, headers: list[tuple[str, str]]) -> tuple[Any, ...]:
    app.state.events = []
    transport = httpx.ASGITransport(app=app, root_path="/below")
    async with httpx.AsyncClient(transport=transport, base_url="http://test/below") as client:
        answered = await client.get(path, headers=headers)
    return answered.status_code, answered.json(), dict(answered.headers), app.state.events


@pytest.mark.parametrize("prefix", ["/strict", "/compatible"])
@pytest.mark.parametrize("query", QUERIES)
async def test_it_answers_as_fastapi_does(prefix: str, query: str) -> None:
    for headers in ([], [("Authorization", "a"), ("If-None-Match", '"1"'), ("If-None-Match", '"2"')]):
        direct, usual = [await outcome(app, f"{prefix}/answer{query}", headers) for app in (DIRECT, USUAL)]
        assert direct == usual
        assert direct[0] in ({200, 422} if headers else {401})


async def test_another_spelling_of_the_path_changes_nothing_for_the_others() -> None:
    app = built(DirectRoute)
    for path in ("/strict/answer%0A?unknown=1", "/strict/answer?unknown=1"):
        status, body, *_ = await outcome(app, path, [("Authorization", "a")])
        assert (status, body["errors"][0]["loc"]) == (422, ["query", "unknown"])


async def test_what_yields_ends_after_the_answer() -> None:
    status, body, _, events = await outcome(DIRECT, "/strict/answer?tag=a", [("Authorization", "a")])
    assert status == 200
    assert body[:5] == ["a", {"page": 1, "searched_in": None, "tag": ["a"]}, ["tag"], "place", None]
    assert body[-1] == ["taken", "answered"]
    assert events == ["taken", "answered", "released"]
