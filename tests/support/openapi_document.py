"""The OpenAPI document as the tests read it."""

from typing import Any, NamedTuple

from service.app import create_app
from service.settings import Settings
from tests.support.routes import PUBLIC

DOCUMENT = create_app(Settings(_env_file=None)).openapi()
COMPONENTS = DOCUMENT["components"]
SCHEMAS: dict[str, Any] = COMPONENTS["schemas"]


class Operation(NamedTuple):
    """One operation of the document."""

    method: str
    path: str
    definition: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        """The responses by status, with references to shared ones resolved."""
        return {int(status): resolved(response) for status, response in self.definition["responses"].items()}

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The request bodies, one for each media type."""
        return list(self.definition.get("requestBody", {}).get("content", {}).values())

    @property
    def is_public(self) -> bool:
        """Whether it needs no credential."""
        return self.path in PUBLIC

    def takes(self, name: str) -> bool:
        """Say whether it has a parameter of this name."""
        return name in [parameter["name"] for parameter in self.definition.get("parameters", ())]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the document, or the component that it refers to."""
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].removeprefix("#/components/").split("/")
    component: dict[str, Any] = COMPONENTS[kind][name]
    return component


def _operations() -> list[Operation]:
    paths = DOCUMENT["paths"].items()
    return [
        Operation(method.upper(), path, definition) for path, methods in paths for method, definition in methods.items()
    ]


OPERATIONS = _operations()
