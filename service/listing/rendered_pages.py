"""Pages of the list that were rendered before, by all that they are made of."""

from dataclasses import dataclass
from typing import Self

from cachetools import LRUCache

from service.auth.authentication import Caller
from service.http.responses import weak_tag
from service.http.root_path import public_path
from service.listing.page import Page
from service.listing.page_reading import FoundPage

# Of each process; a page of 30 models takes some 80 KB.
MAX_BYTES = 8_000_000
MAX_PAGE_BYTES = MAX_BYTES // 16
# What an entry takes besides.
_BYTES_BESIDES = 1_000

# What was found for the page, what was asked for, the rights and the path that decide how it is shown.
PageKey = tuple[bytes, int | None, str, bool, frozenset[str], str]


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page whose items are rendered: `{items` as JSON, and a tag for them."""

    items: bytes
    items_tag: str
    total: int | None
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page, items: bytes) -> Self:
        """Return a page with its items, rendered."""
        return cls(items, weak_tag(items), page.total, page.next_cursor)


class RenderedPages:
    """Remembers the latest pages, so that what the database finds again is neither decoded nor rendered again.

    It decides nothing: each request is authenticated and read from the database, and gets a page from here only if all
    of what was found, of what it asks for and of its caller's rights is the same.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._pages: LRUCache[PageKey, tuple[RenderedPage, int]] = LRUCache(MAX_BYTES, getsizeof=lambda kept: kept[1])

    def get(self, key: PageKey) -> RenderedPage | None:
        """Return the page with this key, if it is remembered."""
        kept = self._pages.get(key)
        return None if kept is None else kept[0]

    def keep(self, key: PageKey, rendered: RenderedPage) -> None:
        """Remember a page, unless it is large."""
        size = _size(key) + len(rendered.items)
        if size <= MAX_PAGE_BYTES:
            self._pages[key] = rendered, size


def _size(key: PageKey) -> int:
    raw, _, asked, _, principals, _ = key
    return _BYTES_BESIDES + len(raw) + len(asked) + sum(map(len, principals))


def page_key(found: FoundPage, caller: Caller) -> PageKey:
    """Return all that a page is made of, if it is made of nothing but `found`."""
    asked = found.params.model_dump_json()
    return *found.content, asked, caller.is_admin, caller.principals, public_path("")
