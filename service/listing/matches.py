"""Joining match fragments."""

from service.auth.access_rule import Match


def all_of(first: Match, *others: Match) -> Match:
    """Return the fragment that requires all of these: no condition of one may replace one of another."""
    match, repeated = {**first}, list(first.get("$and", ()))
    for other in others:
        if "$and" not in other and match.keys().isdisjoint(other):
            match |= other
        else:
            repeated.append(other)
    return {**match, "$and": repeated} if repeated else match
