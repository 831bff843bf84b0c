"""The list requests that are measured."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks import words
from service.listing.params import ListParams

FIRST_PAGE, ABSENT, RARE = "first page", "absent word", "rare word"


@dataclass(frozen=True, slots=True)
class Case:
    """A list request: its name in the table and its query parameters."""

    name: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def params(self) -> ListParams:
        """The parameters as the service reads them."""
        return ListParams.model_validate(self.values)

    @property
    def path(self) -> str:
        """The path and query string of the request."""
        return f"/api/models/list?{urlencode(self.values)}"

    @property
    def plain(self) -> bool:
        """Whether it neither searches nor asks for a tag: a page of it costs no more than its records."""
        return not self.values.keys() & {"query", "tag"}


CASES = (
    Case(FIRST_PAGE),
    Case("page 10", {"page": "10"}),
    Case("name order", {"order_by": "name", "direction": "asc"}),
    Case("view created", {"view_option": "created"}),
    Case("view shared", {"view_option": "shared"}),
    Case("kind=base", {"kind": "base"}),
    Case("is_active=false", {"is_active": "false"}),
    Case("tag", {"tag": words.TAG}),
    Case(ABSENT, {"query": words.ABSENT}),
    Case("absent phrase", {"query": words.ABSENT_PHRASE}),
    Case(RARE, {"query": words.RARE[0]}),
    Case("common word", {"query": words.COMMON}),
    Case("two letters", {"query": words.TWO_LETTERS}),
    Case("surname", {"query": words.SURNAME}),
    Case("email domain", {"query": words.EVERYWHERE}),
)
