"""What holds for every route there is."""

import pytest
from httpx import Response

from documents.user import Role
from service.app import API
from tests.support.directory import Directory
from tests.support.doors import GUARDED, LENIENT, STRICT, Door


async def _send(directory: Directory, door: Door, credential: str | None, query: str = "") -> Response:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    body: dict[str, str] | None = {} if door.method == "POST" else None
    return await directory.client.request(door.method, door.address + query, headers=headers, json=body)


def test_the_doors_are_found() -> None:
    assert len(STRICT) >= 15
    assert len(LENIENT) >= 11


def test_every_models_route_has_both_doors() -> None:
    strict = {(door.method, door.inner) for door in STRICT if door.path.startswith(f"{API}/models")}
    assert strict == {(door.method, door.inner) for door in LENIENT}


@pytest.mark.parametrize("door", GUARDED, ids=str)
async def test_no_route_answers_without_a_credential(real_directory: Directory, door: Door) -> None:
    answer = await _send(real_directory, door, None, "?surprise=1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("door", STRICT, ids=str)
async def test_every_strict_route_names_a_parameter_that_it_does_not_know(
    real_directory: Directory, door: Door
) -> None:
    await real_directory.user("root", role=Role.ADMIN)
    answer = await _send(real_directory, door, await real_directory.key("root"), "?surprise=1")
    assert answer.status_code == 422
    assert ["query", "surprise"] in [error["loc"] for error in answer.json()["errors"]]
