"""Invalid bodies for a new model: a 4xx response that names the field, and nothing is stored."""

from typing import Any

import pytest

from tests.support.directory import Directory, grant

CREATE = "/api/models/create"


REFUSED: list[tuple[Any, str]] = [
    ({"id": "n", "name": "N", "user_id": "stranger"}, "user_id"),
    ({"id": "n", "name": "N", "version": 7}, "version"),
    ({"id": "n", "name": "N", "keys": {"readers": ["user:*"]}}, "keys"),
    ({"id": "n", "name": "N", "created_at": 1}, "created_at"),
    ({"id": "n", "name": " "}, "name"),
    ({"id": "n"}, "name"),
    ({"id": "a b", "name": "N"}, "id"),
    ({"id": {"$ne": 1}, "name": "N"}, "id"),
    ({"id": "n", "name": "N", "params": [1]}, "params"),
    ({"id": "n", "name": "N", "params": {"a": 2**63}}, "params"),
    ({"id": "n", "name": "N", "meta": {"tags": [{"title": "x"}]}}, "meta"),
    ({"id": "n", "name": "N", "meta": {"profile_image_url": "javascript:alert(1)"}}, "meta"),
    ({"id": "n", "name": "N", "is_active": "yes"}, "is_active"),
    ({"id": "n", "name": "N", "access_grants": [{"principal_type": "user"}]}, "access_grants"),
    ({"id": "n", "name": "N", "access_grants": [{**grant("user:owner"), "x": 1}]}, "access_grants"),
    ({"id": "n", "name": "N", "access_grants": [grant("user:owner", "own")]}, "access_grants"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
async def test_bad_bodies_are_refused_by_field(directory: Directory, body: Any, field: str) -> None:
    await directory.user("owner")
    answer = await directory.post(CREATE, "owner", body)
    assert answer.status_code == 422
    assert next(error["loc"][:2] for error in answer.json()["errors"]) == ["body", field]
    assert (await directory.page("owner"))["total"] == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{", 422),
        (b"\xff", 422),
        (b'{"id": "n", "name": "N", "params": {"a": NaN}}', 422),
        (b'{"id": "n", "name": "N", "params": {"a": 1e999}}', 422),
        (b'{"id": "n", "name": "\\ud800"}', 422),
        (b'{"id": "n", "name": "a\\u0000"}', 422),
        (b'{"id": "n", "name": "N", "params": {"a": ' + b"9" * 5000 + b"}}", 422),
        (b'{"id": "n", "name": "N", "params": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}", 422),
        (b'{"id": "n", "name": "N", "params": ' + b"[" * 100_000, 422),
        (b'{"id": "n", "name": "N", "params": {"a": "' + b"x" * 500_001 + b'"}}', 413),
        (b'{"id": "n", "name": "N", "params": {"a": "' + b"x" * 1_000_001 + b'"}}', 413),
    ],
)
async def test_bodies_that_are_no_model_are_refused(directory: Directory, sent: bytes, status: int) -> None:
    await directory.user("owner")
    headers = {"Authorization": f"Bearer {await directory.key('owner')}"}
    answer = await directory.client.post(CREATE, content=sent, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
