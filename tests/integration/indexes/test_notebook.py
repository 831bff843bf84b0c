"""The notebook in the documentation runs on the demo catalogue, and its stored output is up to date."""

import ast
import json
from typing import Any

import polars
import pytest

from service.demo.catalogue import CATALOGUE, load_demo
from tests.conftest import DATABASE
from tests.support.directory import Directory
from tests.support.documentation import ROOT

NOTEBOOK = ROOT / "docs/notebooks/first-look.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
DRAWS = "plt.show()"


def run(cell: dict[str, Any], names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return the value that it displays."""
    *statements, last = ast.parse("".join(cell["source"])).body
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(statements, []), str(NOTEBOOK), "exec"), names)
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    exec(compile(ast.Module([*statements, last], []), str(NOTEBOOK), "exec"), names)
    return None


def catalogue() -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["models"]
    return models


async def test_it_runs_from_top_to_bottom(
    directory: Directory, mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Imported here, since it takes more than a second.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.use("agg")
    await load_demo(directory.database)
    monkeypatch.setenv("MODELDECK_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("MODELDECK_DATABASE", DATABASE)
    names: dict[str, Any] = {}
    shown = []
    for cell in CODE:
        shown.append(run(cell, names))
        assert bool(plt.get_fignums()) == (DRAWS in "".join(cell["source"]))
        plt.close("all")
    names["db"].client.close()
    [counts] = [
        frame.to_dicts() for frame in shown if isinstance(frame, polars.DataFrame) and "public" in frame.columns
    ]
    models = catalogue()
    assert counts[0]["models"] == len(models)
    assert counts[0]["base models"] == sum(not model.get("base_model_id") for model in models)


def test_it_is_kept_with_its_pictures_and_no_errors() -> None:
    for cell in CODE:
        outputs = cell["outputs"]
        assert cell["execution_count"]
        assert not [output for output in outputs if output["output_type"] in ("error", "stream")]
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == "".join(cell["source"]).count(DRAWS)
