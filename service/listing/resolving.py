"""What must be looked up for a filter before its match is made: owners by email, and the trigrams of its search."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import Depends, Request

from documents import User
from documents.folding import fold
from service.database.client import Database
from service.http.compatibility import is_compatible
from service.http.dependencies import context_of
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved
from service.listing.search_statistics import search_statistics
from service.listing.terms import search_terms
from service.models.principals import EXISTING

# Looks up what a filter of one request needs.
Resolve = Callable[[ListFilter], Awaitable[Resolved]]


def resolver(request: Request) -> Resolve:
    """Return what resolves the filter of a request; in the compatibility API, a query is one literal text."""
    database, statistics, compatible = context_of(request).database, search_statistics(request), is_compatible(request)

    async def resolve(selected: ListFilter) -> Resolved:
        terms = search_terms(selected.query, literal=compatible) if selected.query is not None else []
        owners = await _owner_ids(database, selected.owner)
        return Resolved(terms, statistics.narrowing(*terms), owners, statistics)

    return resolve


async def get_resolve(request: Request) -> Resolve:
    """Return what resolves the filter of a request."""
    return resolver(request)


ResolveDependency = Annotated[Resolve, Depends(get_resolve)]


async def _owner_ids(database: Database, named: Sequence[str]) -> list[str]:
    """Return the ids of owners that are named by id or email; what is neither is returned too, and matches nothing."""
    # An id can look like an email, and the models of a deleted user keep their id.
    found = set(named)
    if emails := [fold(text) for text in found if "@" in text]:
        users = await database.find(User, {"keys.email": {"$in": sorted(emails)}, **EXISTING}, fields=["_id"])
        found |= {user["_id"] for user in users}
    return sorted(found)
