"""The list requests of the benchmark ask for what their names say."""

from typing import get_args

from benchmarks.list_requests import LIST_REQUESTS
from service.listing.params import FacetName, ListFilter, ListParams

# Neither has a cost of its own: they are how the others are sent.
OTHERS = {"page_size", "created_since"}


def test_every_parameter_of_the_list_is_measured() -> None:
    used = {name for request in LIST_REQUESTS for name in request.values}
    used |= {"page" if request.deep else "" for request in LIST_REQUESTS}
    used |= {"cursor" for request in LIST_REQUESTS if request.by_cursor}
    used |= {str(request.of_first_page) for request in LIST_REQUESTS}
    known = {field.alias or name for name, field in {**ListFilter.model_fields, **ListParams.model_fields}.items()}
    assert known - used == OTHERS
    facets = {name for request in LIST_REQUESTS for name in request.params.wanted_facets}
    assert facets == set(get_args(FacetName))


def test_their_names_are_different() -> None:
    names = [request.name for request in LIST_REQUESTS]
    assert len(set(names)) == len(names)
