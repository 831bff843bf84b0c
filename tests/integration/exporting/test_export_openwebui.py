"""Exporting for Open WebUI what its import would refuse: it is left out, and the command line names it."""

import json
from pathlib import Path
from typing import Any

from tests.support.commands import CommandLine
from tests.support.directory import Directory, model

EXPORT = "/api/models/export"
ODD: dict[str, dict[str, Any]] = {
    "k1": {"meta": {"knowledge": {"a": 1}, "kept": 1}},
    "k2": {"meta": {"capabilities": ["vision"]}},
    "k3": {"meta": {"description": 5}},
    "k4": {"meta": {"voice": "alloy", "i18n": "x"}},
    "k5": {"params": {"model_controls": {"1x": {}}, "top_p": 1}},
    "k6": {"meta": {"profile_image_url": "/static/other.png"}},
    "plain": {"meta": {"description": "Plain.", "knowledge": []}, "params": {"top_p": 1}},
}
LEFT = {
    **{name: ({}, {}) for name in ("k2", "k3", "k4", "k6")},
    "k1": ({"kept": 1}, {}),
    "k5": ({}, {"model_controls": {}, "top_p": 1}),
    "plain": ({"description": "Plain.", "knowledge": []}, {"top_p": 1}),
}


def _bundle() -> dict[str, Any]:
    models = [model(name, "ann", **{"meta": {}, "params": {}, **content}) for name, content in ODD.items()]
    return {"users": [{"id": "ann", "name": "Ann", "email": "ann@x.org"}], "models": models}


def _shown(models: list[dict[str, Any]]) -> dict[str, Any]:
    return {shown["id"]: (shown["meta"], shown["params"]) for shown in models}


def test_what_it_would_refuse_is_left_out_and_named(shell: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(_bundle()))
    shell.ok("import", "bundle.json")
    done = shell.run("export", "--format", "openwebui", "--out", "models.json")
    assert done.status == 1
    for name, part in (
        *(("k1", "meta.knowledge"), ("k2", "meta.capabilities"), ("k3", "meta.description"), ("k4", "meta.voice")),
        *(("k4", "meta.i18n"), ("k5", "params.model_controls.'1x'"), ("k6", "meta.profile_image_url")),
    ):
        assert f"model '{name}': {part}: left out; Open WebUI accepts " in done.stderr
    assert "\n7 parts of models were left out\n" in done.stderr
    assert "plain" not in done.stderr
    assert _shown(json.loads((tmp_path / "models.json").read_text())) == LEFT
    # Nothing is left out for another format.
    assert shell.run("export", "--out", "all.json").status == 0


async def test_over_http_it_is_left_out_of_the_stream(directory: Directory, tmp_path: Path) -> None:
    await directory.load(_bundle(), tmp_path)
    answer = await directory.get(EXPORT, "ann", format="openwebui")
    assert answer.status_code == 200
    assert _shown(answer.json()) == LEFT
