"""The OpenAPI document contains everything that a generated client needs."""

import json
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from pydantic import BaseModel

from service.app import API, COMPATIBILITY
from service.http.problems import PROBLEM_JSON
from tests.support.openapi_document import COMPONENTS, DOCUMENT, OPERATIONS, SCHEMAS, Operation, resolved
from tests.support.routes import STRICT

Check = Callable[[Operation], None]

# Every route that authenticates its caller can answer these.
AUTHENTICATED_STATUSES = {401, 422, 429, 503, 504}


def _forms(base: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for form in base.__subclasses__():
        if form.__module__.startswith("service."):
            yield form
        yield from _forms(form)


def _validate(schema: dict[str, Any], value: Any) -> None:
    jsonschema_rs.validator_for({**schema, "components": COMPONENTS}, validate_formats=True).validate(value)


FORMS = {form.__name__: form for form in _forms()}
AUTHENTICATED = [operation for operation in OPERATIONS if not operation.is_public]
WITH_BODY = [operation for operation in OPERATIONS if operation.bodies]


def _of_each(operations: Sequence[Operation]) -> Callable[[Check], Callable[[pytest.Subtests], None]]:
    """Make a test that applies a check to each operation, and names those that fail."""

    def made(check: Check) -> Callable[[pytest.Subtests], None]:
        def test(subtests: pytest.Subtests) -> None:
            for operation in operations:
                with subtests.test(str(operation)):
                    check(operation)

        return test

    return made


every_operation = _of_each(OPERATIONS)
every_authenticated_operation = _of_each(AUTHENTICATED)
every_operation_with_a_body = _of_each(WITH_BODY)


def test_the_document_is_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_it_describes_the_strict_api_and_no_other() -> None:
    described = {(operation.method, operation.path) for operation in AUTHENTICATED}
    assert described == {(route.method, route.path) for route in STRICT}
    assert not any(operation.path.startswith(COMPATIBILITY) for operation in OPERATIONS)


def test_the_service_is_described() -> None:
    about = DOCUMENT["info"]
    assert about["title"] == "Modeldeck"
    assert all(word in about["description"] for word in ("Authorization", "problem+json", "ETag", "/api/v1"))
    described = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert all(described.values())
    assert set(described) == {tag for operation in OPERATIONS for tag in operation.definition["tags"]}


def test_operations_have_readable_names_of_their_own() -> None:
    names = [operation.definition["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalpha() and len(name) <= 25 for name in names)


@every_operation
def test_every_operation_has_a_description(operation: Operation) -> None:
    assert operation.definition["summary"]
    assert operation.definition["description"].rstrip().endswith(".")


@every_operation
def test_every_operation_documents_who_may_call_it(operation: Operation) -> None:
    assert ("security" in operation.definition) is not operation.is_public


@every_operation
def test_every_parameter_is_described_with_an_example_that_is_right(operation: Operation) -> None:
    for parameter in operation.definition.get("parameters", ()):
        schema = resolved(parameter["schema"])
        assert parameter["description"], parameter["name"]
        assert "example" in parameter or "default" in schema or "enum" in schema, parameter["name"]
        if "example" in parameter:
            _validate(schema, parameter["example"])


@every_operation
def test_every_answer_has_an_example_that_is_right(operation: Operation) -> None:
    for response in operation.responses.values():
        assert response["description"].endswith((".", "`"))
        for kind, content in response.get("content", {}).items():
            if not kind.startswith("image/"):
                _validate(content["schema"], content["example"])
        for header in response.get("headers", {}).values():
            assert header["description"]
            _validate(header["schema"], header["example"])


@every_operation_with_a_body
def test_every_body_has_an_example_that_is_right(operation: Operation) -> None:
    for content in operation.bodies:
        _validate(content["schema"], content["example"])
        # If a body has alternatives, the example is one of the first.
        schema = resolved(content["schema"])
        form = schema["anyOf"][0] if "anyOf" in schema else content["schema"]
        FORMS[form["$ref"].rpartition("/")[2]].model_validate(content["example"])


@every_operation_with_a_body
def test_a_body_takes_no_fields_that_are_not_described(operation: Operation) -> None:
    for content in operation.bodies:
        for form in (content["schema"], *_inside(content["schema"])):
            schema = resolved(form)
            if "properties" in schema:
                assert schema["additionalProperties"] is False


def _inside(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the components that a component refers to."""
    for name in SCHEMAS:
        if f'schemas/{name}"' in json.dumps(resolved(schema)):
            yield {"$ref": f"#/components/schemas/{name}"}


@every_authenticated_operation
def test_every_possible_status_is_documented(operation: Operation) -> None:
    expected = {*AUTHENTICATED_STATUSES}
    if operation.method == "POST":
        expected.add(403)
    if operation.bodies:
        expected |= {408, 409, 413}
    if operation.takes("If-Match"):
        expected |= {404, 409, 412}
    if "{" in operation.path or any(
        parameter["name"] == "id" and parameter["required"] for parameter in operation.definition.get("parameters", ())
    ):
        expected.add(404)
    if "For admins" in operation.definition["description"]:
        expected.add(403)
    assert expected <= set(operation.responses)


@every_operation
def test_every_error_is_a_shared_problem(operation: Operation) -> None:
    for status, response in operation.responses.items():
        # 400 is sent by the web server, before the request reaches the service.
        if status > 400:
            problem = response["content"][PROBLEM_JSON]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert problem["example"]["status"] == status
            assert problem["example"]["title"] == HTTPStatus(status).phrase
            assert operation.definition["responses"][str(status)].keys() == {"$ref"}


def test_what_a_client_must_look_at_is_in_the_headers() -> None:
    responses = {name: set(response.get("headers", ())) for name, response in COMPONENTS["responses"].items()}
    assert responses["Unauthorized"] == {"WWW-Authenticate"}
    assert responses["PreconditionFailed"] == {"ETag"}
    assert responses["ServiceUnavailable"] == {"Retry-After"}
    assert "ETag" in DOCUMENT["paths"][f"{API}/models/model"]["get"]["responses"]["200"]["headers"]


def test_an_item_of_a_page_may_lack_every_field_but_its_id() -> None:
    page = SCHEMAS["ModelPage"]
    [route] = [operation for operation in OPERATIONS if operation.path == f"{API}/models/list"]
    [content] = route.responses[200]["content"].values()
    [whole] = content["example"]["items"]
    for item in (
        whole,
        {"id": "m"},
        {"id": "m", "name": "M", "meta": {"description": "d"}, "params": {}, "user": None},
    ):
        _validate(page, {**content["example"], "items": [item]})
    for item in ({}, {"id": "m", "name": 1}):
        with pytest.raises(jsonschema_rs.ValidationError):
            _validate(page, {**content["example"], "items": [item]})
    assert whole.keys() == SCHEMAS["Model"]["properties"].keys() == set(SCHEMAS["Model"]["required"])
