"""The checker of database commands finds every harmful command, and no harmless one."""

from typing import Any

import pytest

from tests.support.literals import misplaced

MARK = "zq"
HARMFUL: list[dict[str, Any]] = [
    {"find": "m", "filter": {"name": {"$ne": "zq"}}},
    {"find": "m", "filter": {"$where": "zq"}},
    {"find": "m", "filter": {"zq": 1}},
    {"find": "m", "filter": {"$and": [{"$or": [{"name": {"$gt": "zq"}}]}]}},
    {"find": "m", "filter": {"name": {"$in": [{"$ne": "zq"}]}}},
    {"find": "m", "filter": {"name": {"$regex": "zq.*"}}},
    {"find": "m", "filter": {}, "sort": {"zq": 1}},
    {"find": "m", "filter": {"$expr": {"$eq": ["$a", "$zq"]}}},
    {"aggregate": "m", "pipeline": [{"$project": {"a": "$zq"}}]},
    {"aggregate": "m", "pipeline": [{"$unionWith": {"coll": "m", "pipeline": [{"$match": {"$where": "zq"}}]}}]},
    {"update": "m", "updates": [{"q": {}, "u": {"$set": {"params.zq": 1}}}]},
    {"update": "m", "updates": [{"q": {}, "u": [{"$set": {"a": "$zq"}}]}]},
    {"update": "m", "updates": [{"q": {"a": {"$ne": "zq"}}, "u": {}}]},
    {"delete": "m", "deletes": [{"q": {"a": {"$ne": "zq"}}}]},
]
HARMLESS: list[dict[str, Any]] = [
    {"find": "m", "filter": {"name": "$zq", "$and": [{"_id": {"$in": ["$$zq"]}}, {"_id": {"$gt": "zq"}}]}},
    {"aggregate": "m", "pipeline": [{"$match": {"keys.text": {"$regex": r"\$zq\.\*"}}}, {"$project": {"a": 1}}]},
    {"update": "m", "updates": [{"q": {"_id": "zq"}, "u": {"$set": {"params": {"$zq": 1, "a.zq": "$$zq"}}}}]},
    {"insert": "m", "documents": [{"_id": "$zq", "params": {"$where": "zq"}}]},
]


@pytest.mark.parametrize("command", HARMFUL, ids=str)
def test_a_harmful_command_is_found(command: dict[str, Any]) -> None:
    assert list(misplaced(command, MARK))


@pytest.mark.parametrize("command", HARMLESS, ids=str)
def test_a_literal_value_is_accepted(command: dict[str, Any]) -> None:
    assert list(misplaced(command, MARK)) == []
