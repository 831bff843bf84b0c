"""The OpenAPI document: what FastAPI gathers from the routes, completed so that clients can be generated from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from service.http.json_body import BodyReader
from service.http.json_schema import (
    REFERENCE_TEMPLATE,
    Schema,
    example,
    reference,
    referred,
    without_null,
    without_null_defaults,
)
from service.http.problems import PROBLEM_JSON, Problem

_RESPONSES = "#/components/responses/"
_CREDENTIAL: Schema = {
    "HTTPBearer": {
        "type": "http",
        "description": "An API key, or a JWT where the service is configured for it.",
        "scheme": "bearer",
    }
}
_UNDESCRIBED = "Successful Response"

_DESCRIPTION = """\
An access-controlled directory of LLM model configurations: which models may I see, and which of them am I looking for?

**Authentication.** All requests except those about health carry `Authorization: Bearer <key>`: an API key or, where the
service is configured for it, a JWT. A read-only API key gets 403 from routes that change something. What a caller may
not read is answered like what does not exist.

**Errors** are `application/problem+json` (RFC 9457). With 422, `errors` names each invalid part of the request and,
where there are only a few, the values that are `allowed`. With 429 and 503, `Retry-After` says when to try again. With
504 it is not known whether a change was made.

**Sending again.** Where a request takes an `Idempotency-Key`, the same request with the same key is carried out once
within 24 hours: sent again, it gets the same answer, with `Idempotent-Replayed: true`. So after a 504 it can be sent
again. A key that was used for another request gets 422, one whose request is still running 409. Errors are not kept.

**Changes.** Each model has a version, which is its `ETag`. A change that is sent with `If-Match` is refused with 412
when the model has been changed since. `If-None-Match` gets 304 for what the client has already.

**Following.** `GET /models/changes` shows the changes of what the caller may read as they happen, as server-sent events
with ids from which a client that comes back goes on.

**HTTP.** `HEAD` is answered wherever `GET` is. Answers are compressed where `Accept-Encoding` asks for gzip.

**Compatibility.** The API that is described here refuses parameters and fields that it does not know. The compatibility
API, `/api/v1/models/…`, has the same routes for clients of Open WebUI and ignores them. `/v1/models` answers as
OpenAI's API does, for tools that fill a menu of models from there.
"""

_TAGS = {
    "health": "Whether the process runs, and whether it can serve requests; for probes, without an API key.",
    "self": "The caller: who they are, and their API keys.",
    "people": "Users, their API keys, and groups; for admins.",
    "models": "Find, read, create, change, share and delete models.",
    "menu": "What OpenAI's API tells of models: those that the caller may use, for tools that fill a menu from there.",
    "history": "The content of a model before and after each change, what differs, and how to restore it.",
    "access": "Who may read and write a model, and why.",
    "bulk": "Many models at once: each by itself, or all or none.",
}

ABOUT: dict[str, Any] = {
    "title": "Modeldeck",
    "version": "0.1.0",
    "description": _DESCRIPTION,
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "openapi_tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
    "generate_unique_id_function": lambda route: route.name,
}


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document has shared parts as components, and an example of everything."""

    _completed: tuple[Schema, Schema] | None = None

    def __init__(
        self, behind: Callable[[ASGIApp, Sequence[BaseRoute]], ASGIApp], *, documented: bool, **options: Any
    ) -> None:
        """Make an application behind some middleware, which serves its OpenAPI document only if `documented`."""
        self._behind = behind
        hidden: dict[str, Any] = {} if documented else {"openapi_url": None, "docs_url": None, "redoc_url": None}
        super().__init__(**options, **hidden)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole application behind the middleware, including the handler of unexpected errors."""
        return self._behind(super().build_middleware_stack(), self.routes)

    def openapi(self) -> Schema:
        """Return the OpenAPI document."""
        gathered = super().openapi()
        if self._completed is None or self._completed[0] is not gathered:
            self._completed = gathered, completed(gathered, request_bodies(self.routes))
        return self._completed[1]


def request_bodies(routes: Sequence[BaseRoute]) -> dict[str, Schema]:
    """Return the request body of each operation that reads one, by the name of the operation."""
    return {
        str(route.name): part.call.request_body()
        for route in iter_route_contexts(routes)
        if isinstance(route.original_route, APIRoute)
        for part in route.dependant.dependencies
        if isinstance(part.call, BodyReader)
    }


def completed(gathered: Schema, bodies: Mapping[str, Schema]) -> Schema:
    """Return the document with request bodies, schemas and errors as components, and examples of all contents."""
    # Routes share some parts as one object, which would be completed more than once without this copy.
    document: Schema = orjson.loads(orjson.dumps(gathered))
    components = document["components"]
    schemas = components["schemas"]
    problem = Problem.model_json_schema(ref_template=REFERENCE_TEMPLATE)
    _add(schemas, problem["title"], _lifted(problem, schemas))
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    components["securitySchemes"] = _CREDENTIAL
    for operation in operations:
        # Metrics take a token of their own, if any.
        if str(int(HTTPStatus.UNAUTHORIZED)) in operation["responses"] and operation["tags"] != ["health"]:
            operation["security"] = [{name: []} for name in _CREDENTIAL]
        if operation["operationId"] in bodies:
            operation["requestBody"] = without_null_defaults(bodies[operation["operationId"]])
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = without_null(_lifted(parameter["schema"], schemas))
            if parameter["in"] == "query":
                # The parameter itself has both.
                parameter["schema"].pop("title", None)
                parameter["schema"].pop("description", None)
        for content in _request_contents(operation):
            schema = _lifted(content["schema"], schemas)
            _add(schemas, schema["title"], schema)
            content["schema"] = reference(schema["title"])
    for operation in operations:
        _show_examples(operation, schemas)
        _describe_success(operation["responses"]["200"], schemas)
        operation["responses"] = {
            status: _shared(int(status), response, components.setdefault("responses", {}))
            for status, response in sorted(operation["responses"].items())
        }
    document["components"] = {kind: dict(sorted(named.items())) for kind, named in components.items()}
    return document


def _add(named: Schema, name: str, definition: Schema) -> None:
    if named.setdefault(name, definition) != definition:
        raise ValueError(f"{name} is defined twice, and not the same")


def _lifted(schema: Schema, schemas: Schema) -> Schema:
    for name, definition in schema.pop("$defs", {}).items():
        _add(schemas, name, definition)
    return schema


def _request_contents(operation: Schema) -> Iterator[Schema]:
    yield from operation.get("requestBody", {}).get("content", {}).values()


def _show_examples(operation: Schema, schemas: Mapping[str, Schema]) -> None:
    for parameter in operation.get("parameters", ()):
        examples = parameter["schema"].pop("examples", None)
        if examples:
            parameter["example"] = examples[0]
    contents = [*_request_contents(operation)]
    for response in operation["responses"].values():
        contents += response.get("content", {}).values()
    for content in contents:
        if "example" not in content and content["schema"].get("format") != "binary":
            content["example"] = example(content["schema"], schemas)


def _describe_success(response: Schema, schemas: Mapping[str, Schema]) -> None:
    for content in response["content"].values():
        if response["description"] == _UNDESCRIBED and "$ref" in content["schema"]:
            response["description"] = referred(content["schema"], schemas)["description"]


def _shared(status: int, response: Schema, responses: Schema) -> Schema:
    if PROBLEM_JSON not in response.get("content", {}):
        return response
    name = HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    _add(responses, name, response)
    return {"$ref": _RESPONSES + name}
