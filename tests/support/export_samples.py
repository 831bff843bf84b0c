"""A small directory that shows every kind of value in an export."""

from typing import Any

from tests.support.directory import grant, model

EXPORT = "/api/models/export"
IMAGE = "data:image/png;base64,iVBORw0KGgo="
USERS = [
    {"id": "ann", "name": "Ann", "email": "ann@x.org", "username": None, "role": "admin", "is_active": True},
    {"id": "ben", "name": "Ben", "email": "Ben@x.org", "username": "benny", "role": "user", "is_active": True},
    {"id": "cy", "name": "Cy", "email": "cy@x.org", "username": None, "role": "user", "is_active": False},
]
GROUPS = [
    {"id": "all", "name": "All", "parent_id": None, "member_ids": []},
    {"id": "team", "name": "Team", "parent_id": "all", "member_ids": ["ben", "cy"]},
]
MODELS = [
    model(
        "gpt-4o",
        "ann",
        base_model_id=None,
        params={},
        meta={},
        access_grants=[{"id": "g1", **grant("user:*")}],
        is_active=True,
        version=1,
    ),
    model(
        "team/ß",
        "ben",
        base_model_id="gpt-4o",
        params={"b": 1, "a": 1.0, "$ref": "x", "$id": [2**63 - 1, -(2**63), 1e-7, "\0"]},
        meta={"tags": [{"name": "sql", "by": "hand"}, {"name": "日本"}], "profile_image_url": IMAGE, "x": None},
        access_grants=[{"id": "g2", **grant("group:team", "write")}, {"id": "g3", **grant("user:cy")}],
        is_active=False,
        version=7,
        created_at=-62135596800,
        updated_at=253402300799,
    ),
]
BUNDLE = {"users": USERS, "groups": GROUPS, "models": MODELS}


def ordered(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a bundle with the fields of its models in the order in which they are exported."""
    order = ["id", "user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active", "version"]
    order += ["created_at", "updated_at"]
    return {**bundle, "models": [{name: model[name] for name in order} for model in bundle["models"]]}
