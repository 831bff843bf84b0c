"""Fields that a client may not set: the strict API refuses them in every body, the compatibility API ignores them.

A sample of the cases here; all of them with `python -m faults S7`.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.directory import Directory
from tests.support.every_case import sample
from tests.support.examples import EXAMPLES, Example, Raw, fill, restore
from tests.support.injections import FREE_FORM, MARK, Path, places, with_planted
from tests.support.openapi_document import SCHEMAS, Operation
from tests.support.raw_database import collection_names

pytestmark = pytest.mark.exhaustive

NUMBER = 987_654_321
# As the value would be read if it were accepted as a time.
PLANTED = (MARK, str(NUMBER), "2001, 4, 19")
ATTACKS: dict[str, Any] = {
    **dict.fromkeys(("user_id", "owner_id", "owner", "_id", "by", "sha256", "key", "password", "username"), MARK),
    **dict.fromkeys(("email", "scope", "parent_id", "leaving", "access_control", "bypass_filter", "__class__"), MARK),
    **dict.fromkeys(("version", "created_at", "updated_at", "expires_at", "last_used_at", "changes"), NUMBER),
    "keys": {"readers": [f"user:{MARK}"], "writers": [f"user:{MARK}"], "text": MARK},
    "keys.readers": [f"user:{MARK}"],
    "user": {"id": MARK, "role": "admin"},
    "group_ids": [MARK],
    "member_ids": [MARK],
    "access_grants": [{"principal_type": "user", "principal_id": MARK, "permission": "write"}],
    "role": MARK,
    "is_admin": MARK,
    "is_active": MARK,
    "write_access": MARK,
    "$set": {"user_id": MARK},
    "user_id\0": MARK,
    "ＵＳＥＲ_ID": MARK,
    "User_Id": MARK,
}


# Not a divisor of the number of fields, so that the samples of all requests together contain each field.
ONE_OF = 5


class Attempt(NamedTuple):
    """A body with one additional field."""

    example: Example
    path: Path
    body: Any
    # Documented as fields of a response that may be sent back.
    echoed: bool


def _properties(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the documented properties of an object at a path of a body."""
    if "$ref" in schema:
        return _properties(SCHEMAS[schema["$ref"].rpartition("/")[2]], path)
    if "anyOf" in schema:
        return {name: one for part in schema["anyOf"] for name, one in _properties(part, path).items()}
    if not path:
        properties: dict[str, Any] = schema.get("properties", {})
        return properties
    inner = schema.get("items") if isinstance(path[0], int) else schema.get("properties", {}).get(path[0])
    return _properties(inner, path[1:]) if inner else {}


def _attempts(example: Example) -> Iterator[Attempt]:
    schema = example.operation.bodies[0]["schema"]
    for path, value in places(example.body):
        if not isinstance(value, dict) or any(name in path for name in FREE_FORM):
            continue
        described = _properties(schema, path)
        assert value.keys() <= described.keys(), (str(example), path)
        for name, planted in ATTACKS.items():
            echoed = "has no effect" in described.get(name, {}).get("description", "")
            if name not in described or echoed:
                yield Attempt(example, (*path, name), with_planted(example.body, (*path, name), planted), echoed)


# A file holds what another system exported. Errors in it are reported record by record, as the tests of imports check.
WITH_BODIES = [example for example in EXAMPLES if example.body is not None and "format" not in example.query]


async def _send(directory: Directory, attempt: Attempt, user: str, *, compatible: bool) -> httpx.Response:
    headers = {"Authorization": f"Bearer {await directory.key(user)}"}
    address, body = attempt.example.address(compatible=compatible), json.dumps(attempt.body).encode()
    return await directory.client.request(attempt.example.operation.method, address, content=body, headers=headers)


def _stored(raw: Raw) -> str:
    return str([list(raw[name].find()) for name in collection_names(raw)])


def _require_not_stored(raw: Raw, attempt: Attempt) -> None:
    stored = _stored(raw)
    assert not any(planted in stored for planted in PLANTED), attempt


@pytest.fixture
async def records(directory: Directory, raw: Raw) -> Any:
    return await fill(directory, raw)


async def test_undeclared_fields_are_refused_by_name(directory: Directory, raw: Raw, records: Any) -> None:
    echoed = 0
    for number, example in enumerate(WITH_BODIES):
        for attempt in sample(_attempts(example), ONE_OF, number):
            answer = await _send(directory, attempt, "u-admin", compatible=False)
            if attempt.echoed:
                echoed += 1
                continue
            assert answer.status_code == 422, (attempt, answer.text)
            assert ["body", *attempt.path] in [error["loc"] for error in answer.json()["errors"]], answer.text
        _require_not_stored(raw, attempt)
        restore(raw, records)
    assert echoed > 2


async def test_undeclared_fields_have_no_effect_in_the_compatibility_api(
    directory: Directory, raw: Raw, records: Any
) -> None:
    accepted = 0
    for number, example in enumerate(WITH_BODIES):
        if not example.has_compatible_route:
            continue
        for attempt in sample(_attempts(example), ONE_OF, number + 2):
            answer = await _send(directory, attempt, "u-anna", compatible=True)
            assert answer.status_code in (200, 403, 404, 409, 422), (attempt, answer.text)
            accepted += answer.status_code == 200
            assert MARK not in answer.text or answer.status_code == 422, (attempt, answer.text)
        _require_not_stored(raw, attempt)
        restore(raw, records)
    assert accepted > 10


async def test_undeclared_parameters_are_refused_and_the_declared_ones_named(
    directory: Directory, records: Any
) -> None:
    headers = {"Authorization": f"Bearer {await directory.key('u-admin')}"}
    names = ("user_id", "bypass_filter", "role", "limit", "skip", "Id", "id[]", "query ", "\u200bid", "")
    for number, example in enumerate(EXAMPLES):
        declared = _declared(example.operation)
        for name in sample(names, 3, number):
            if name in declared or not example.refuses_unknown:
                continue
            address = example.address([*example.pairs, (name, "1")])
            answer = await directory.client.request(
                example.operation.method, address, content=json.dumps(example.body).encode(), headers=headers
            )
            assert answer.status_code == 422, (address, answer.text)
            [error] = [error for error in answer.json()["errors"] if error["loc"] == ["query", name]]
            assert error["allowed"] == declared, address


def _declared(operation: Operation) -> list[str]:
    return [one["name"] for one in operation.definition.get("parameters", ()) if one["in"] == "query"]
