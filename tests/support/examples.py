"""A directory with all records that the examples of the OpenAPI document name, and requests made from the examples."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.support.directory import Directory, grant
from tests.support.openapi_document import DOCUMENT, OPERATIONS, Operation
from tests.support.raw_database import collection_names

Raw = SyncDatabase[dict[str, Any]]
Records = dict[str, list[dict[str, Any]]]

[REVISION] = [
    parameter["example"] for parameter in DOCUMENT["paths"]["/api/models/model/history/{revision}"]["get"]["parameters"]
]


async def fill(directory: Directory, raw: Raw) -> Records:
    """Replace the content of the database with these records; return them."""
    for name in collection_names(raw):
        raw[name].delete_many({})
    await directory.user("u-admin", role=Role.ADMIN)
    await directory.group("g-engineering")
    await directory.group("g-platform", "g-engineering")
    await directory.user("u-anna")
    await directory.user("u-ben", groups=["g-platform"])
    for model in (
        {"id": "openai/gpt-4o", "name": "GPT-4o", "access_grants": [grant("user:*")]},
        {"id": "sql-tuning", "name": "SQL Tuning", "access_grants": [grant("group:g-platform")]},
    ):
        await directory.post("/api/models/create", "u-anna", model)
    for name in ("SQL Tuner", "SQL Tuning"):
        await directory.post("/api/models/model/update", "u-anna", {"id": "sql-tuning", "name": name})
    records = {name: list(raw[name].find()) for name in collection_names(raw)}
    next(revision for revision in records["revisions"] if revision["version"] == 2)["_id"] = REVISION
    restore(raw, records)
    return records


def restore(raw: Raw, records: Records) -> None:
    """Restore the records."""
    for name in collection_names(raw):
        raw[name].delete_many({})
        if records.get(name):
            raw[name].insert_many(records[name])


@dataclass(frozen=True, slots=True)
class Example:
    """A valid request, from which tests derive others."""

    operation: Operation
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None

    def address(self, query: list[tuple[str, str]] | None = None, *, compatible: bool = False) -> str:
        """Return the address in the strict or the compatibility API, with this query if one is given."""
        path = self.path.replace("/api/", "/api/v1/", 1) if compatible else self.path
        written = urlencode(self.pairs if query is None else query)
        return f"{path}?{written}" if written else path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query as pairs of name and value."""
        listed = [(name, value if isinstance(value, list) else [value]) for name, value in self.query.items()]
        return [(name, _written(one)) for name, values in listed for one in values]

    @property
    def has_compatible_route(self) -> bool:
        """Whether the compatibility API has the same route."""
        return self.operation.path.startswith("/api/models/")

    @property
    def refuses_unknown(self) -> bool:
        """Whether parameters are refused that the route does not have."""
        return self.operation.path.startswith("/api/")

    def __str__(self) -> str:
        return self.operation.method + " " + self.address()


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _example(operation: Operation) -> Example:
    parameters = operation.definition.get("parameters", ())
    query = {one["name"]: one["example"] for one in parameters if one["in"] == "query" and "example" in one}
    path = operation.path.replace("{revision}", REVISION).replace("{id}", "sql-tuning")
    body = next((body["example"] for body in operation.bodies), None)
    # The example body is one for a request without a format.
    return Example(operation, path, {} if operation.path == "/api/models/import" else query, body)


_MODEL = {"id": "sql-tuning", "name": "SQL Tuning", "params": {"system": "x"}, "meta": {"tags": [{"name": "sql"}]}}
_ANNA = {"id": "u-anna", "name": "Anna", "email": "u-anna@example.com", "username": "anna", "role": "user"}
_GROUP = {"id": "g-platform", "name": "Platform", "parent_id": "g-engineering", "member_ids": ["u-ben"]}
_BUNDLE = {"users": [_ANNA], "groups": [_GROUP], "models": [{**_MODEL, "access_grants": [grant("user:u-ben")]}]}
_ACCESS = {"read": {"group_ids": ["g-platform"], "user_ids": ["u-ben"]}}
# Other valid requests to an operation, besides its example.
_MORE: dict[str, list[dict[str, Any]]] = {
    "/api/models/import": [
        {"query": {"format": "modeldeck", "atomic": False}, "body": _BUNDLE},
        {"query": {"format": "openwebui", "atomic": False}, "body": [{**_MODEL, "access_control": _ACCESS}]},
    ],
    "/api/models/bulk/state": [
        {"body": {"filter": {"query": "sql", "tag": "sql", "kind": "custom"}, "is_active": True}},
    ],
    "/api/models/sync": [{"body": {"models": [_MODEL], "max_deletions": "100%"}}],
}


def examples() -> Iterator[Example]:
    """Yield a request for every operation that needs a caller, and more for operations with several kinds of bodies."""
    for operation in OPERATIONS:
        if not operation.is_public:
            example = _example(operation)
            yield example
            yield from (replace(example, **more) for more in _MORE.get(operation.path, ()))


EXAMPLES = list(examples())
