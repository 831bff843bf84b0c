"""Exports as Parquet: the columns of the view `models_flat`, with types."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import polars

from indexes.views.flat import MODELS_FLAT
from service.exporting.content import ExportedContent, ExportedModel
from service.exporting.parquet import OF_PROMPTS, write_parquet
from tests.conftest import Raw
from tests.support.commands import CommandLine
from tests.support.directory import model
from tests.support.export_samples import MODELS
from tests.support.import_samples import write_source

MORE = {"owner_is_active": "Boolean", "params": "String", "meta": "String"}
GRANTS = "List(Struct({'principal_type': String, 'principal_id': String, 'permission': String}))"
TYPES = {
    "string": "String",
    "array of string": "List(String)",
    "bool": "Boolean",
    "int": "Int32",
    "long": "Int64",
    "date": "Datetime(time_unit='ms', time_zone='UTC')",
}


def test_a_data_frame_has_the_columns_of_the_view_and_their_types(filled: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "models.parquet"
    filled.ok("export", "--out", str(path))
    frame = polars.read_parquet(path)
    # A filter of a file uses no index, so the columns that serve nothing else are not there.
    shown = [column for column in MODELS_FLAT.columns if not column.name.startswith("keys.")]
    assert {name: str(kind) for name, kind in frame.schema.items()} == {
        **{column.name: TYPES[column.bson_type.removesuffix(" or null")] for column in shown},
        **MORE,
        "access_grants": GRANTS,
    }
    base, custom = frame.to_dicts()
    assert (base["base_model_id"], base["is_active"], base["tags"]) == (None, True, [])
    assert (custom["owner_email"], custom["tags"], custom["version"]) == ("Ben@x.org", ["sql", "日本"], 7)
    assert json.loads(custom["params"]) == MODELS[1]["params"]
    assert "profile_image_url" not in json.loads(custom["meta"])
    assert [given["permission"] for given in custom["access_grants"]] == ["write", "read"]


def test_many_models_are_a_data_frame_too(shell: CommandLine, tmp_path: Path) -> None:
    many = [model(f"n{at:04}", "gone", name=f"N{at}") for at in range(350)]
    shell.ok("import", str(write_source(tmp_path, {"models": many})))
    for name in ("n.parquet", "none.parquet"):
        shell.ok("export", "--out", str(tmp_path / name), "--format", "parquet")
    assert polars.read_parquet(tmp_path / "n.parquet")["name"].to_list() == [f"N{at}" for at in range(350)]


async def test_whose_prompt_is_hidden_has_no_length_either() -> None:
    columns = {"prompt_length": 5, "params_bytes": 22, "size_bytes": 800, "meta_bytes": 5}

    async def batches() -> AsyncIterator[list[ExportedModel]]:
        stored: dict[str, Any] = {**MODELS[0], "created_at": 0, "updated_at": 0}
        hidden = {name: value for name, value in stored.items() if name != "params"}
        yield [ExportedModel(shown, None, (), columns) for shown in (stored, {**hidden, "id": "hidden"})]

    written = b"".join([part async for part in write_parquet(ExportedContent(batches()))])
    seen, hidden = polars.read_parquet(BytesIO(written)).to_dicts()
    assert [seen[name] for name in OF_PROMPTS] == [5, 22, 800]
    assert [hidden[name] for name in OF_PROMPTS] == [None, None, None]
    assert (hidden["params"], hidden["meta_bytes"]) == (None, 5)


def test_what_others_wrote_malformed_is_exported_as_far_as_it_fits(filled: CommandLine, store: Raw) -> None:
    for change in ({"version": "one", "name": 7}, {"keys": 1, "meta": [], "params": "text", "access_grants": [1]}):
        store["models"].update_one({"_id": "gpt-4o"}, {"$set": change}, bypass_document_validation=True)
        done = filled.run("export", "--out", "m.parquet")
        assert (done.status, "model 'gpt-4o' is malformed" in done.stderr) == (1, True), done
        odd, sound = polars.read_parquet(filled.folder / "m.parquet").to_dicts()
        assert (odd["_id"], odd["name"], odd["version"], sound["_id"]) == ("gpt-4o", "7", None, "team/ß")
