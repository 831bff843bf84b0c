"""What the catalogue shows, as its address says it: the parameters of a list, and those of the page alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import ValidationError

from service.clock import now
from service.errors import InvalidInputError, invalid_input
from service.listing.params import ListParams

PAGE_SIZE = 24
FACETS = "tag,owner,base_model_id,capability,kind,is_active"
FIELDS = (
    "name,base_model_id,meta.description,meta.tags,meta.capabilities,access_grants,is_active,user,user_id,"
    "updated_at,write_access"
)
REPEATED = ("tag", "owner", "base_model_id", "capability", "group", "id")
SINGLE = ("query", "in", "view_option", "kind", "is_active", "created_since", "updated_since", "cursor")
# Of the page: how they are spelled in the address.
SORTS = {
    "best": ("relevance", "asc", "Best match"),
    "changed": ("updated_at", "desc", "Last changed"),
    "new": ("created_at", "desc", "Newest"),
    "name": ("name", "asc", "Name, A to Z"),
    "name-down": ("name", "desc", "Name, Z to A"),
}
PERIODS = {"1d": (1, "Since yesterday"), "7d": (7, "In the last 7 days"), "30d": (30, "In the last 30 days")}
ROWS = "rows"
_PAGE_ONLY = ("sort", "changed", "as", "from")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class View:
    """One view of the catalogue. `pairs` are the parameters of its address that have a value."""

    pairs: Pairs
    params: ListParams
    sort: str
    start: int

    @classmethod
    def of(cls, sent: Iterable[tuple[str, str]], page_size: int = PAGE_SIZE) -> Self:
        """Return the view at an address; raise InvalidInputError for one that is no view."""
        pairs = [(name, value) for name, value in dict.fromkeys(sent) if value.strip()]
        given = dict(pairs)
        if unknown := given.keys() - {*REPEATED, *SINGLE, *_PAGE_ONLY}:
            errors = [{"loc": ["query", name[:100]], "msg": "unknown query parameter"} for name in sorted(unknown)]
            raise InvalidInputError(errors)
        sort = _sort(given)
        order_by, direction, _ = SORTS[sort]
        values: dict[str, Any] = {name: given[name] for name in SINGLE if name in given}
        values |= {name: several for name in REPEATED if (several := [v for n, v in pairs if n == name])}
        if (period := given.get("changed")) in PERIODS:
            values.setdefault("updated_since", _since(PERIODS[period][0]))
        fixed = {"order_by": order_by, "direction": direction, "page_size": page_size}
        try:
            params = ListParams.model_validate({**values, **fixed, "facets": FACETS, "fields": FIELDS})
        except ValidationError as error:
            raise invalid_input(error, "query") from None
        start = given.get("from", "1")
        return cls(pairs, params, sort, int(start) if start.isascii() and start.isdigit() and len(start) < 10 else 1)

    @property
    def as_rows(self) -> bool:
        """Whether models are shown as rows of a table; else as cards."""
        return ("as", ROWS) in self.pairs

    def value(self, name: str) -> str | None:
        """Return the value of a parameter; None if the address has none."""
        return next((value for named, value in self.pairs if named == name), None)

    def address(self, *, without: Iterable[tuple[str, str | None]] = (), **instead: str | None) -> str:
        """Return the query string of this view with other values, on its first page.

        `without` are parameters to leave out: all of a name, or one value of it.
        """
        dropped = {*without, *((name, None) for name in (*instead, "cursor", "from"))}
        kept = [pair for pair in self.pairs if (pair[0], None) not in dropped and pair not in dropped]
        return _written([*kept, *((name, value) for name, value in instead.items() if value is not None)])

    def following(self, cursor: str, shown: int) -> str:
        """Return the query string of the next page."""
        kept = [pair for pair in self.pairs if pair[0] not in {"cursor", "from"}]
        return _written([*kept, ("from", str(self.start + shown)), ("cursor", cursor)])

    def api_query(self) -> str:
        """Return the query string with which the API lists the same models."""
        order_by, direction, _ = SORTS[self.sort]
        kept = [pair for pair in self.pairs if pair[0] not in _PAGE_ONLY]
        since = self.params.updated_since
        if since is not None and not any(name == "updated_since" for name, _ in kept):
            kept.append(("updated_since", f"{since:%Y-%m-%dT%H:%M:%SZ}"))
        page_size = str(self.params.page_size)
        return _written([*kept, ("order_by", order_by), ("direction", direction), ("page_size", page_size)])

    @property
    def is_filtered(self) -> bool:
        """Whether it shows fewer than all models that its reader may see."""
        return any(name not in {"sort", "as", "from", "cursor"} for name, _ in self.pairs)


def _written(pairs: Pairs) -> str:
    return f"?{urlencode(pairs)}" if pairs else "?"


def _sort(given: dict[str, str]) -> str:
    wanted = given.get("sort")
    if "query" in given:
        return wanted if wanted in SORTS else "best"
    return wanted if wanted in SORTS and wanted != "best" else "changed"


def _since(days: int) -> str:
    # From the beginning of a day, so that a cursor still fits a minute later.
    return f"{now() - timedelta(days=days):%Y-%m-%dT00:00:00Z}"
