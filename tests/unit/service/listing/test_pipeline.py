"""The list pipeline, compared as a value: the exact stages for a request."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson.min_key import MinKey

from service.auth.authentication import Caller
from service.listing.params import ListParams
from service.listing.parts import order_of
from service.listing.pipeline import Resolved, in_order, list_hint, list_match, list_pipeline
from service.listing.position import Position
from service.listing.search_statistics import SearchStatistics
from service.listing.terms import search_terms
from service.models.item import GATHERED_ITEM_STAGES, ITEM_STAGES, WITHOUT_LARGE

ANN = Caller(user_id="ann", is_admin=False, principals=frozenset({"user:ann"}))
ROOT = Caller(user_id="root", is_admin=True, principals=frozenset({"user:root", "user:*"}))
COUNTED: list[dict[str, Any]] = [{"$match": {"keys.rows": True}}, {"$count": "total"}]
READABLE = {"keys.readers": {"$in": ["user:ann"]}}


def _params(**values: Any) -> ListParams:
    return ListParams.model_validate(values)


def _pipeline(params: ListParams, caller: Caller) -> list[dict[str, Any]]:
    terms = search_terms(params.query, literal=False) if params.query else []
    match = list_match(params, caller, Resolved(terms))
    order = order_of(params, terms)
    return list_pipeline(params, order, Position.requested(params), in_order(match, order), COUNTED)


def _hint(params: ListParams, caller: Caller) -> str | None:
    return list_hint(params, list_match(params, caller, Resolved()), Resolved())


def test_the_whole_pipeline() -> None:
    pipeline = _pipeline(_params(page="3", page_size="10", order_by="name", direction="asc"), ANN)
    assert pipeline == [
        {"$match": READABLE},
        {"$sort": {"keys.name": 1, "_id": 1}},
        {"$skip": 20},
        {"$limit": 11},
        WITHOUT_LARGE,
        *GATHERED_ITEM_STAGES,
        {"$unionWith": {"coll": "models", "pipeline": COUNTED}},
    ]


def test_owners_are_looked_up_at_once_and_only_what_is_needed_is_kept() -> None:
    projected = [stage["$project"] for stage in ITEM_STAGES if "$project" in stage]
    assert [{*project.values()} for project in projected] == [{1}, {0, 1}, {1}]
    for project in projected:
        assert {"keys.text", "keys.grams", "keys.readers", "keys.readable"}.isdisjoint(project)
    assert [stage["$lookup"] for stage in ITEM_STAGES if "$lookup" in stage] == [
        {"from": "users", "localField": "owners", "foreignField": "_id", "as": "owners"}
    ]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({}, READABLE),
        ({"view_option": "created"}, {"keys.readers": "user:ann", "user_id": "ann"}),
        ({"view_option": "shared"}, {**READABLE, "user_id": {"$ne": "ann"}}),
        ({"tag": [" Größe "]}, {**READABLE, "keys.tags": "grösse"}),
        ({"kind": "base"}, {**READABLE, "base_model_id": None}),
        ({"kind": "custom"}, {**READABLE, "base_model_id": {"$ne": None}}),
        ({"is_active": "false"}, {**READABLE, "is_active": False}),
        ({"query": "A.B"}, {**READABLE, "keys.text": {"$regex": r"a\.b"}, "keys.grams": {"$all": ["a.b"]}}),
        ({"query": "  "}, READABLE),
        ({"tag": [""]}, READABLE),
        ({"tag": ["b", "A", "a"]}, {**READABLE, "keys.tags": {"$all": ["b", "a"]}}),
        ({"id": ["x"]}, {**READABLE, "_id": {"$in": ["x"]}}),
        ({"capability": ["a.b", "$c"]}, {**READABLE, "keys.capabilities": {"$all": ["a.b", "$c"]}}),
        ({"base_model_id": ["x"]}, {**READABLE, "base_model_id": {"$in": ["x"]}}),
        ({"owner": ["x"]}, {**READABLE, "user_id": {"$in": ["u1"]}}),
        ({"created_since": "0"}, {**READABLE, "created_at": {"$gte": datetime(1970, 1, 1, tzinfo=UTC)}}),
    ],
)
def test_the_access_rule_comes_first_and_the_filters_join_it(values: dict[str, Any], match: dict[str, Any]) -> None:
    assert list_match(_params(**values), ANN, Resolved(["a.b"], ["a.b"], ["u1"])) == match
    assert next(iter(match)) == "keys.readers"


def test_no_filter_replaces_another_or_the_access_rule() -> None:
    params = _params(view_option="created", owner=["bob"], kind="base", base_model_id=["x"])
    assert list_match(params, ROOT, Resolved(owners=["bob"])) == {
        "keys.readers": "user:root",
        "user_id": "root",
        "base_model_id": {"$in": ["x"]},
        "$and": [{"user_id": {"$in": ["bob"]}}, {"base_model_id": None}],
    }


def test_an_admin_is_matched_by_the_order_alone() -> None:
    assert _pipeline(_params(), ROOT)[0] == {"$match": {"created_at": {"$gte": MinKey()}}}


def test_the_index_of_the_order_is_named_unless_a_search_or_tag_may_find_a_better_one() -> None:
    assert _hint(_params(order_by="name"), ANN) == "readable_by_name"
    assert _hint(_params(kind="base"), ROOT) == "all_by_created"
    assert _hint(_params(view_option="created"), ROOT) == "readable_by_created"
    assert _hint(_params(query="x"), ANN) is None
    assert _hint(_params(tag=["x"]), ROOT) is None
    assert _hint(_params(id=["x"], query="y"), ANN) == "_id_"
    assert _hint(_params(created_since="0"), ANN) == "readable_by_created"
    for filtered in ({"owner": ["x"]}, {"base_model_id": ["x"]}, {"capability": ["x"]}, {"updated_since": "0"}):
        assert _hint(_params(**filtered), ROOT) is None


def test_a_search_that_few_records_can_match_begins_with_its_trigrams() -> None:
    sample = [{"keys": {"grams": ["abc", *(["rar"] if at == 0 else [])]}} for at in range(1000)]
    statistics = SearchStatistics.of(sample, 100_000)
    for grams, params, hint in (
        (["rar"], _params(query="rar"), "grams"),
        (["rar"], _params(query="rar", tag="x"), "grams"),
        (["rar"], _params(query="rar", **{"in": "description"}), None),
        (["abc"], _params(query="abc"), None),
        ([], _params(query="ab"), None),
    ):
        assert list_hint(params, READABLE, Resolved(["x"], grams, (), statistics)) == hint


def test_a_search_is_read_in_order_if_that_fills_the_page_sooner_than_its_trigrams() -> None:
    sample = [
        {"keys": {"text": "ab c" if at == 0 else "abc", "grams": ["abc"]} if at < 100 else {}} for at in range(1000)
    ]
    statistics = SearchStatistics.of(sample, 100_000)
    for terms, params, match, hint in (
        (["abc"], _params(query="x"), {}, "all_by_created"),
        (["abc"], _params(query="x", order_by="name", is_active=True), {}, "all_by_name"),
        # As often as 30,000 keys, where it has to be compared with the reading of 10,000 records.
        (["ab c"], _params(query="x"), {}, "all_by_created"),
        (["ab c"], _params(query="x", page=3), {}, None),
        (["absent"], _params(query="x"), {}, None),
        (["abc"], _params(query="x", tag="y"), {}, None),
        (["abc"], _params(query="x", is_active=False), {}, None),
        (["abc"], _params(query="x", order_by="relevance"), {}, None),
        (["abc"], _params(query="x"), READABLE, "readable_by_created"),
        # For a user, 30,000 records.
        (["ab c"], _params(query="x"), READABLE, None),
    ):
        assert list_hint(params, match, Resolved(terms, ["abc"], (), statistics)) == hint, (terms, params)
    # Of 400 records that match, a page is among the first thousand or so.
    few = SearchStatistics.of(sample, 4_000)
    assert list_hint(_params(query="x"), {}, Resolved(["abc"], ["abc"], (), few)) == "all_by_created"
    assert list_hint(_params(query="x"), {}, Resolved(["ab c"], ["abc"], (), few)) == "grams"


def test_a_huge_page_number_is_past_the_end() -> None:
    assert _pipeline(_params(page="9" * 40), ANN)[2] == {"$skip": 10**12}
