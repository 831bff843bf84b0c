"""Aggregation expressions that hold for malformed records too: one of them must not make a whole view fail."""

from typing import Any

from documents import Group, User
from documents.grant import Permission, PrincipalType

Expression = Any

USERS, GROUPS = User.Settings.name, Group.Settings.name


def list_or_none(field: str) -> Expression:
    """Return the array of a field, empty for anything else."""
    return {"$cond": [{"$isArray": field}, field, []]}


def as_list(field: str) -> Expression:
    """Return the array of a field, or its only value in one, as a query compares either."""
    return {"$cond": [{"$isArray": field}, field, [field]]}


def object_or_none(field: str) -> Expression:
    """Return the object of a field, empty for anything else."""
    return {"$cond": [{"$eq": [{"$type": field}, "object"]}, field, {}]}


def text_or(field: str, otherwise: Expression) -> Expression:
    """Return the text of a field, or something else where it holds none."""
    return {"$cond": [{"$eq": [{"$type": field}, "string"]}, field, otherwise]}


def known(field: str) -> Expression:
    """Return a field, null where it is missing, so that every row has every column."""
    return {"$ifNull": [field, None]}


def filtered(array: Expression, condition: Expression) -> Expression:
    """Return the elements of an array, each `$$this` in the condition, for which it holds."""
    return {"$filter": {"input": array, "cond": condition}}


def mapped(array: Expression, expression: Expression) -> Expression:
    """Return what an expression makes of each element, `$$this`, of an array."""
    return {"$map": {"input": array, "in": expression}}


def sound_grants(field: str) -> Expression:
    """Return the grants of a field that give a right."""
    sound = [
        {"$in": ["$$this.principal_type", [kind.value for kind in PrincipalType]]},
        {"$eq": [{"$type": "$$this.principal_id"}, "string"]},
        {"$in": ["$$this.permission", [permission.value for permission in Permission]]},
    ]
    return filtered(list_or_none(field), {"$and": sound})


def present(field: str) -> Expression:
    """Return the first of some users or groups who is not on their way out: those count as absent."""
    return {"$first": filtered(field, {"$ne": ["$$this.leaving", True]})}


def only(value: Any) -> dict[str, Any]:
    """Return the condition of a query that a field is just this value: an array equals each value in it."""
    return {"$eq": value, "$not": {"$type": "array"}}


def meeting(one: Expression, other: Expression) -> Expression:
    """Return whether two arrays have a value in common."""
    return {"$ne": [{"$setIntersection": [one, other]}, []]}
