"""What an assistant may ask for is what the API has, within its bounds."""

from typing import Any

import pytest
from pydantic import BaseModel

from service.listing.params import ListParams
from service.mcp.answers import LISTED_FIELDS
from service.mcp.arguments import RecentArguments, SearchArguments
from service.mcp.tools import TOOLS
from service.models.access.schemas import AccessParams
from service.models.history.schemas import HistoryParams


def bounds(model: type[BaseModel], name: str) -> dict[str, Any]:
    """Return the JSON schema of a field, without the alternative that it is absent."""
    schema = model.model_json_schema()["properties"][name]
    [kept] = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return {**kept, **kept.get("items", {})}


@pytest.mark.parametrize("arguments", [SearchArguments, RecentArguments])
def test_every_filter_is_one_of_the_list_and_no_wider(arguments: type[BaseModel]) -> None:
    for name in arguments.model_json_schema()["properties"]:
        ours, theirs = bounds(arguments, name), bounds(ListParams, name)
        for bound in ("maximum", "maxLength", "maxItems"):
            if bound in theirs:
                assert ours[bound] <= theirs[bound], name
        for choices in ("enum", "const"):
            assert ours.get(choices) == theirs.get(choices), name


def test_the_fields_of_a_list_exist() -> None:
    assert ListParams(fields=LISTED_FIELDS).shown is not None


def test_the_arguments_on_one_model_have_the_names_of_the_api() -> None:
    for tool, params in (("explain_access", AccessParams), ("model_history", HistoryParams)):
        assert TOOLS[tool].arguments.model_fields.keys() <= params.model_fields.keys()
