"""Aggregation expressions that also work for malformed records, which must not make a whole view fail."""

from typing import Any

from documents import Group, User
from documents.grant import Permission, PrincipalType

Expression = Any

USERS, GROUPS = User.Settings.name, Group.Settings.name

# A user or group that is being deleted counts as absent.
EXISTING: dict[str, Any] = {"leaving": {"$ne": True}}


def list_or_none(field: str) -> Expression:
    """Return the array in a field; an empty one for any other value."""
    return {"$cond": [{"$isArray": field}, field, []]}


def as_list(field: str) -> Expression:
    """Return the array in a field, or an array of its single value, since a query matches both alike."""
    return {"$cond": [{"$isArray": field}, field, [field]]}


def object_or_none(field: str) -> Expression:
    """Return the object in a field; an empty one for any other value."""
    return {"$cond": [{"$eq": [{"$type": field}, "object"]}, field, {}]}


def text_or(field: str, otherwise: Expression) -> Expression:
    """Return the text in a field, or `otherwise` for any other value."""
    return {"$cond": [{"$eq": [{"$type": field}, "string"]}, field, otherwise]}


def or_null(field: Expression) -> Expression:
    """Return the value of a field or an expression, null when it is missing, so that every row has every column."""
    return {"$ifNull": [field, None]}


def filtered(array: Expression, condition: Expression) -> Expression:
    """Return the elements of an array for which a condition on `$$this` is true."""
    return {"$filter": {"input": array, "cond": condition}}


def mapped(array: Expression, expression: Expression) -> Expression:
    """Return the values of an expression on `$$this` for all elements of an array."""
    return {"$map": {"input": array, "in": expression}}


def well_formed_grants(field: str) -> Expression:
    """Return the well-formed grants in a field; only these give a right."""
    well_formed = [
        {"$in": ["$$this.principal_type", [kind.value for kind in PrincipalType]]},
        {"$eq": [{"$type": "$$this.principal_id"}, "string"]},
        {"$in": ["$$this.permission", [permission.value for permission in Permission]]},
    ]
    return filtered(list_or_none(field), {"$and": well_formed})


def first_existing(field: str) -> Expression:
    """Return the first of the looked-up users or groups that is not being deleted."""
    return {"$first": filtered(field, {"$ne": ["$$this.leaving", True]})}


def name_of(identifier: str, documents: str) -> Expression:
    """Return the name of the user or group with this id among those looked up; null unless it exists."""
    found = {"$and": [{"$eq": ["$$one._id", identifier]}, {"$ne": ["$$one.leaving", True]}]}
    named = {"$filter": {"input": documents, "as": "one", "cond": found}}
    return {"$let": {"vars": {"found": {"$first": named}}, "in": or_null("$$found.name")}}


def only(value: Any) -> dict[str, Any]:
    """Return the query condition that a field is exactly this value, and not an array that contains it."""
    return {"$eq": value, "$not": {"$type": "array"}}


def intersects(one: Expression, other: Expression) -> Expression:
    """Return whether two arrays have a common value."""
    return {"$ne": [{"$setIntersection": [one, other]}, []]}
