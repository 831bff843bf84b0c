"""The records that come after a given one in an order, as match fragments that are bounds of the index of that order.

MongoDB orders all types, but `$gt` compares only values of one type. Records that were written past the service with
a sort key or an id of another type, the strays, are therefore found by their types, after all others.
"""

from service.auth.access_rule import Match
from service.listing.position import AfterId

# In the order in which MongoDB sorts them. Arrays are missing: the indexes of the orders refuse them.
_TYPES = (
    *("minKey", "undefined", "null", "number", "string", "object", "binData", "objectId", "bool", "date", "timestamp"),
    *("regex", "dbPointer", "javascript", "javascriptWithScope", "maxKey"),
)
_TYPE_OF_TEXT, _TYPE_OF_TIME = "string", "date"


def after(field: str, value: object, after_id: AfterId, *, ascending: bool) -> Match:
    """Return the fragment of the proper records that come after the one with this sort key and id.

    Each branch is one range of the index of the order, so that the keys that are read do not depend on how many
    records come before. The first is a range too, not one sort key with a range of ids: only so are the scans merged.
    """
    beyond, from_there = ("$gt", "$gte") if ascending else ("$lt", "$lte")
    if after_id is None:
        return {field: {beyond: value}, "_id": {"$gte": ""}}
    rest = {"$type": _TYPE_OF_TEXT} if after_id is True else {beyond: after_id}
    return {"$or": [{field: {from_there: value}, "_id": rest}, {field: {beyond: value}}], "_id": {"$gte": ""}}


def from_key(field: str, value: object, *, ascending: bool) -> Match:
    """Return the fragment of the proper records with this sort key and those after them."""
    return {field: {"$gte" if ascending else "$lte": value}}


def strays(field: str, *, ascending: bool) -> Match:
    """Return the fragment of the records that no range of proper sort keys and ids reaches.

    Of those without a proper sort key, the ones that the order has at its end: a list begins with the others.
    """
    at = _TYPES.index(_TYPE_OF_TEXT if field == "keys.name" else _TYPE_OF_TIME)
    last = _TYPES[at + 1 :] if ascending else _TYPES[:at]
    # A missing sort key is ordered as null, which no type matches.
    missing: list[Match] = [] if ascending else [{field: None}]
    other_ids = [name for name in _TYPES if name != _TYPE_OF_TEXT]
    return {"$or": [{field: {"$type": list(last)}}, *missing, {"_id": {"$type": other_ids}}]}


def after_stray_id(record_id: object, *, ascending: bool) -> AfterId:
    """Return what to continue with after a record with a proper sort key and an id that is no text."""
    below_text = record_id is None or (isinstance(record_id, int | float) and not isinstance(record_id, bool))
    return True if below_text == ascending else None
