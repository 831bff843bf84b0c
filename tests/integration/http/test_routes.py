"""Rules that every route follows."""

import pytest
from httpx import Response

from documents.user import Role
from service.app import API
from tests.support.directory import Directory
from tests.support.permission_matrix import COMPATIBLE_CASES
from tests.support.routes import AUTHENTICATED, COMPATIBLE, OPENAI, STRICT, Route


async def _send(directory: Directory, route: Route, credential: str | None, query: str = "") -> Response:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    body: dict[str, str] | None = {} if route.method in {"POST", "PATCH"} else None
    return await directory.client.request(route.method, route.address + query, headers=headers, json=body)


def test_the_routes_are_found() -> None:
    assert len(STRICT) >= 15
    assert len(COMPATIBLE) >= 11


def test_every_models_route_is_in_both_apis() -> None:
    strict = {(route.method, route.inner) for route in STRICT if route.path.startswith(f"{API}/models")}
    only_compatible = {tuple(name.split(" ")) for name in COMPATIBLE_CASES}
    assert {(route.method, route.inner) for route in COMPATIBLE} == strict | only_compatible


@pytest.mark.parametrize("route", AUTHENTICATED, ids=str)
async def test_no_route_answers_without_a_credential(directory: Directory, route: Route) -> None:
    answer = await _send(directory, route, None, "?surprise=1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", [route for route in STRICT if not route.path.startswith(OPENAI)], ids=str)
async def test_every_strict_route_names_a_parameter_that_it_does_not_know(directory: Directory, route: Route) -> None:
    await directory.user("root", role=Role.ADMIN)
    answer = await _send(directory, route, await directory.key("root"), "?surprise=1")
    assert answer.status_code == 422
    assert ["query", "surprise"] in [error["loc"] for error in answer.json()["errors"]]
