"""Rows of a record: texts in index keys that tell what a caller may read and a search or a tag finds."""

import re
from collections.abc import Iterable

from documents import ModelRecord
from documents.folding import fold
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved, Stages, list_match, unsearched_match

# With more, planning would take longer than reading the records that most callers can.
MAX_PRINCIPALS = 100
# Records of an earlier version, and those with rows that would be too large. They are few or none.
WITHOUT_ROWS: Match = {"keys.rows": {"$in": [False, None]}}


def rows_narrow(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether rows tell which records a filter can find for a caller."""
    searched = bool(resolved.terms or selected.tag) and selected.searched_in is None
    # Rows do not tell who owns a record.
    return (
        searched
        and selected.view_option != "created"
        and not caller.is_admin
        and len(caller.principals) <= MAX_PRINCIPALS
    )


def rows_match(selected: ListFilter, caller: Caller, resolved: Resolved) -> Match:
    """Return the match fragment of the records with rows that the words and tags of a filter find for a caller.

    `rows_narrow` must be true of the filter.
    """
    return _any_of(_alternatives(selected, caller, resolved).values())


def _rows_in_halves(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Match]:
    """Return match fragments that together match what `rows_match` does, each about as many rows.

    What several principals of the caller may read can be matched by both.
    """
    alternatives = _alternatives(selected, caller, resolved)
    shares = {principal: resolved.statistics.share_with("readers", [principal]) for principal in alternatives}
    halves: tuple[list[str], list[str]] = ([], [])
    taken = [0.0, 0.0]
    for principal in sorted(alternatives, key=lambda principal: -shares[principal]):
        lesser = taken.index(min(taken))
        halves[lesser].append(principal)
        taken[lesser] += shares[principal]
    return [_any_of(alternatives[principal] for principal in half) for half in halves if half]


def _any_of(alternatives: Iterable[Match]) -> Match:
    return {"$or": list(alternatives)}


def _alternatives(selected: ListFilter, caller: Caller, resolved: Resolved) -> dict[str, Match]:
    """Return for each principal of a caller the match fragment of its rows."""
    # The words stand before the two NULs, the tags behind them, each followed by one. Where a word occurs first among
    # the tags, none of its other places is tried: with long tags, that would take seconds for one record.
    words = [rf"{re.escape(term)}(*COMMIT)(?=.*\x00\x00)" for term in resolved.terms]
    # A tag stands between NULs, and no two of them follow it. The server looks for its letters first, and so tries few
    # places. No group is repeated: the server would give up after some thousand tags, and find nothing.
    tags = [rf"(?<=\x00){re.escape(tag)}(?=\x00)(?!.*\x00\x00)" for tag in dict.fromkeys(map(fold, selected.tag))]
    conditions: list[Match] = [{"$regex": row, "$options": "s"} for row in (*words, *tags)]
    return access_rule.readable_rows(caller, conditions)


def found_by_rows(selected: ListFilter, caller: Caller, resolved: Resolved, place: Match) -> Stages:
    """Return the stages on `models` that yield, in no order, the records of a list that `place` matches too.

    `rows_narrow` must be true of the filter.
    """
    rest = all_of(unsearched_match(selected, caller, resolved), place)
    return [*among(rows_match(selected, caller, resolved), rest), *_without_rows(selected, caller, resolved, place)]


def found_by_halves(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    """Return pipelines on `models` that together yield the records of a list, some of them more than once.

    They are meant to run at the same time. `rows_narrow` must be true of the filter.
    """
    rest = unsearched_match(selected, caller, resolved)
    first, *others = [among(half, rest) for half in _rows_in_halves(selected, caller, resolved)]
    return [[*first, *_without_rows(selected, caller, resolved, {})], *others]


def _without_rows(selected: ListFilter, caller: Caller, resolved: Resolved, place: Match) -> Stages:
    whole = all_of(list_match(selected, caller, resolved), place)
    return [{"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": among(WITHOUT_ROWS, whole)}}]


def among(few: Match, match: Match) -> Stages:
    """Return the stages that find those of the records that `few` matches, on an index, that match too."""
    # Across the limit the server does not look for another index, and so can't choose a worse one.
    return [{"$match": few}, {"$limit": 2**62}, {"$match": match}]
