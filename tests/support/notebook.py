"""Runs the notebook of the documentation; `python -m tests.support.notebook` stores what it shows of the demo."""

import ast
import asyncio
import base64
import io
import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from indexes.ensure import ensure
from service.database.client import Database
from service.demo.catalogue import load_demo
from service.embedded_mongo.server import EmbeddedMongo

NOTEBOOK = Path(__file__).parents[2] / "docs/notebooks/first-look.ipynb"
NAME = "notebook"


def read_notebook() -> dict[str, Any]:
    """Return the notebook as it is stored."""
    notebook: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return notebook


def code_cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return its cells of code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_notebook(cells: Sequence[Mapping[str, Any]], uri: str, database: str) -> tuple[dict[str, Any], list[list[Any]]]:
    """Run cells from top to bottom; return the names that they define, and the outputs of each as a notebook has them.

    The address of the database is in the environment meanwhile, as it is for a reader.
    """
    # Imported here, since it takes more than a second.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("agg")
    given = {"MODELDECK_MONGODB_URI": uri, "MODELDECK_DATABASE": database}
    names: dict[str, Any] = {}
    try:
        with patch.dict(os.environ, given):
            return names, [_outputs(cell, number, names) for number, cell in enumerate(cells, 1)]
    finally:
        if "db" in names:
            names["db"].client.close()


def _outputs(cell: Mapping[str, Any], number: int, names: dict[str, Any]) -> list[Any]:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    shown = _value("".join(cell["source"]), names)
    found: list[Any] = [
        {"data": {"image/png": _picture(plt.figure(figure))}, "metadata": {}, "output_type": "display_data"}
        for figure in plt.get_fignums()
    ]
    plt.close("all")
    if shown is not None:
        data = {"text/html": _lines(shown._repr_html_()), "text/plain": _lines(str(shown))}
        found.append({"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"})
    return found


def _value(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return the value that it displays."""
    *statements, last = ast.parse(source).body
    if isinstance(last, ast.Expr) and not source.rstrip().endswith("plt.show()"):
        exec(compile(ast.Module(statements, []), str(NOTEBOOK), "exec"), names)
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    exec(compile(ast.Module([*statements, last], []), str(NOTEBOOK), "exec"), names)
    return None


def _picture(figure: Any) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", bbox_inches="tight")
    return base64.b64encode(content.getvalue()).decode()


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


async def _of_the_demo(embedded: EmbeddedMongo) -> None:
    database = Database.connect(embedded.uri(NAME), NAME, 60.0)
    await database.open()
    await ensure(database)
    await load_demo(database)
    database.close()


def _main() -> None:
    warnings.simplefilter("error")
    notebook = read_notebook()
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedMongo(Path(folder))
        with embedded.lease():
            asyncio.run(_of_the_demo(embedded))
            _, outputs = run_notebook(code_cells(notebook), embedded.uri(NAME), NAME)
    for number, (cell, found) in enumerate(zip(code_cells(notebook), outputs, strict=True), 1):
        cell |= {"execution_count": number, "outputs": found}
    NOTEBOOK.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _main()
