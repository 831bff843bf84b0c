"""The notebook in the documentation runs on any directory without a warning, and its stored output is up to date."""

from pathlib import Path
from typing import Any

import pytest

from service.demo.catalogue import load_demo
from tests.conftest import DATABASE, Raw
from tests.support.directory import Directory, grant, model
from tests.support.notebook import code_cells, read_notebook, run_notebook

CELLS = code_cells(read_notebook())
DRAWS = "plt.show()"
MOST_BYTES = 150_000


def tables(outputs: list[list[Any]]) -> list[str]:
    return ["".join(one["data"]["text/plain"]) for cell in outputs for one in cell if "text/plain" in one["data"]]


def compare_reach(names: dict[str, Any], raw: Raw) -> None:
    """Check the models within reach of each person, which the notebook computes by itself, against the view."""
    counted = dict(names["reach"].select("_id", "models").iter_rows())
    active = [user["_id"] for user in raw.users.find({"is_active": True})]
    assert counted == {user: raw.effective_access.count_documents({"user_id": user}) for user in active}


async def test_it_shows_of_the_demo_what_is_stored(directory: Directory, raw: Raw, mongo_uri: str) -> None:
    await load_demo(directory.database)
    names, outputs = run_notebook(CELLS, mongo_uri, DATABASE)
    assert tables(outputs) == tables([cell["outputs"] for cell in CELLS]), "it is stale; run: make notebook"
    compare_reach(names, raw)
    assert len(names["reach"]) > 5
    assert names["models"]["is_public"].sum() == raw.models_flat.count_documents({"is_public": True})
    assert names["lengths"].max() == next(raw.models_flat.find().sort("prompt_length", -1))["prompt_length"]


async def test_it_runs_on_an_empty_directory(directory: Directory, mongo_uri: str) -> None:
    names, outputs = run_notebook(CELLS, mongo_uri, DATABASE)
    assert (len(names["models"]), len(names["reach"])) == (0, 0)
    assert [len(cell) for cell in outputs] == [len(cell["outputs"]) for cell in CELLS]


ODD = ["$owner$", "$$ROOT", "模型", "🚀", "a_{b", "l" * 200]


@pytest.mark.parametrize("permission", ["read", "write"])
async def test_it_runs_on_a_small_directory(
    directory: Directory, raw: Raw, mongo_uri: str, tmp_path: Path, permission: str
) -> None:
    await directory.group("top")
    await directory.group("low", "top")
    await directory.user("ann", groups=["low"])
    await directory.user("left")
    raw.users.update_one({"_id": "left"}, {"$set": {"is_active": False}})
    shared = [grant("group:top", permission), grant("user:ann", permission)]
    one = model("one", "nobody", access_grants=shared, meta={"tags": ODD}, is_active=False)
    assert (await directory.load({"models": [one]}, tmp_path)).clean
    names, _ = run_notebook(CELLS, mongo_uri, DATABASE)
    compare_reach(names, raw)
    assert sorted(names["tags"]["tag"]) == sorted(tag.lower() for tag in ODD)


def test_it_is_kept_with_its_pictures_and_no_errors() -> None:
    for cell in CELLS:
        outputs = cell["outputs"]
        assert cell["execution_count"]
        assert not [output for output in outputs if output["output_type"] in ("error", "stream")]
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == "".join(cell["source"]).count(DRAWS)
    assert len(str(CELLS)) < MOST_BYTES
