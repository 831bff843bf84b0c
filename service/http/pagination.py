"""Pagination of any list: the page, its size, and how many items to skip."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from service.http.strict_model import QueryModel

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 30
# No collection is that large; MongoDB refuses numbers far beyond it.
MAX_SKIP = 10**12


def whole_number(value: Any) -> Any:
    """Return text of ASCII digits as it is; Pydantic alone accepts `1.0`, `1_0` and full-width digits too."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("must be a whole number written in digits")
    return value


class PageParams(QueryModel):
    """The query parameters of a route that returns pages."""

    page: Annotated[int, Field(ge=1), BeforeValidator(whole_number)] = Field(
        1, description="1 and up; past the end there are no items, and the true total."
    )
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE), BeforeValidator(whole_number)] = Field(
        DEFAULT_PAGE_SIZE, description="Items a page."
    )

    @property
    def skip(self) -> int:
        """How many items come before the page."""
        return min((self.page - 1) * self.page_size, MAX_SKIP)
