"""The address of the catalogue: what it asks the list for, and the addresses of other views."""

from urllib.parse import parse_qsl

import pytest

from service.errors import InvalidInputError
from service.web.view import View


def view(query: str) -> View:
    return View.of(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


def test_blank_parameters_are_none() -> None:
    assert view("query=&tag=&sort=&is_active=").pairs == []


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ("updated_at", "desc")),
        ("query=x", ("relevance", "asc")),
        ("query=x&sort=name", ("name", "asc")),
        ("sort=best", ("updated_at", "desc")),
        ("sort=nonsense", ("updated_at", "desc")),
    ],
)
def test_the_best_match_comes_first_when_somebody_searches(query: str, order: tuple[str, str]) -> None:
    params = view(query).params
    assert (params.order_by, params.direction) == order


def test_other_views_begin_on_their_first_page() -> None:
    shown = view("tag=a&tag=b&as=rows&from=25&cursor=x")
    assert shown.address() == "?tag=a&tag=b&as=rows"
    assert shown.address(without=[("tag", "a")]) == "?tag=b&as=rows"
    assert shown.address(without=[("as", None)]) == "?tag=a&tag=b"
    assert shown.following("y", 24) == "?tag=a&tag=b&as=rows&from=49&cursor=y"


def test_a_period_is_the_same_all_day() -> None:
    since = view("changed=7d").params.updated_since
    assert since is not None
    assert (since.hour, since.minute, since.second) == (0, 0, 0)


@pytest.mark.parametrize("query", ["page=2", "fields=name", "is_active=maybe", f"query={'x' * 200}", "kind=other"])
def test_what_is_no_view_is_refused(query: str) -> None:
    with pytest.raises(InvalidInputError):
        view(query)
