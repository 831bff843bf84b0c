"""The examples of joins in docs/data.md, executed as printed there."""

from typing import Any

from pymongo.database import Database as SyncDatabase

from service.database.client import Database
from service.demo.catalogue import load_demo
from tests.support.documentation import ROOT, blocks

Raw = SyncDatabase[dict[str, Any]]


def _rows(raw: Raw, variable: str) -> list[dict[str, Any]]:
    [printed] = [block for block in blocks(ROOT / "docs/data.md", "python") if f"{variable} =" in block]
    around: dict[str, Any] = {"db": raw}
    exec(printed, around)
    return list(around["rows"])


async def test_the_examples_of_joins_give_what_the_views_hold(mongod: Database, raw: Raw) -> None:
    await load_demo(mongod)
    models = {row["_id"]: row for row in raw.models_flat.find()}
    grants = list(raw.model_grants.find())

    of_one = {"principal_type": "group", "principal_id": "g-engineering", "is_active": True}
    expected = [
        {name: grant[name] for name in ("model_id", "permission")}
        | {"size_bytes": models[grant["model_id"]]["size_bytes"]}
        for grant in grants
        if of_one.items() <= grant.items()
    ]
    assert expected
    assert sorted(map(str, _rows(raw, "model"))) == sorted(map(str, expected))

    shared: dict[str, set[str]] = {model_id: set() for model_id in models}
    for grant in grants:
        shared[grant["model_id"]].add(grant["principal_name"])
    together = {row["_id"]: (row["size_bytes"], set(row["shared_with"])) for row in _rows(raw, "together")}
    assert any(shared.values())
    assert together == {model_id: (models[model_id]["size_bytes"], shared[model_id]) for model_id in models}
