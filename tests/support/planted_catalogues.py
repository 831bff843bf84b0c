"""Sources that list the models of a service, with planted secrets in every kind of field, also in invalid records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.catalogue_sources import MODELS_DEV
from tests.support.import_samples import write_source
from tests.support.model_answers import MISTRAL, OLLAMA_SHOW, OLLAMA_TAGS, OPENROUTER
from tests.support.planted_secrets import KEY, URL, WORD, PlantedSource

_HELD: dict[str, Any] = {
    "api_key": WORD,
    "apiKey": KEY,
    "note": f"call it with {KEY}",
    "link": URL,
    "headers": {"Authorization": WORD, "x": [{"token": WORD}]},
    "list": [KEY, [URL]],
    KEY: 1,
}


def _file(content: Any, name: str = "source") -> Callable[[Path], Path]:
    return lambda folder: write_source(folder, content, name)


def _everywhere(entry: dict[str, Any], text: str) -> dict[str, Any]:
    """Return an entry with a secret in place of each text, but for what makes it such an entry."""
    kept = ("id", "object", "name", "model", "modified_at")
    return {name: text if isinstance(held, str) and name not in kept else held for name, held in entry.items()} | _HELD


_OPENROUTER, _MISTRAL, _TAG = OPENROUTER["data"][0], MISTRAL["data"][0], OLLAMA_TAGS["models"][0]
_SPEC: dict[str, Any] = MODELS_DEV["two providers"]["anthropic"]["models"]["claude-sonnet-4"]
OPENAI_MODELS = {
    "object": "list",
    "api_key": KEY,
    "data": [
        _everywhere(_OPENROUTER, KEY),
        {**_MISTRAL, "tags": [KEY, "plain"], "capabilities": {KEY: True, "vision": URL}, "parent": KEY, **_HELD},
        {"id": "state", "object": "model", "status": {"args": ["--api-key", WORD]}, "permission": [{"id": KEY}]},
        {"id": KEY, "object": "model"},
        {"id": "with a space", "object": "model", **_HELD},
        {"id": "file", "object": "file", **_HELD},
        KEY,
    ],
    "models": [{"name": KEY}],
    "nextPageToken": KEY,
}
OLLAMA = {
    "models": [
        {**_everywhere(_TAG, KEY), "details": {"family": KEY, "parent_model": KEY, **_HELD}},
        {"name": KEY, "digest": "a"},
        {"name": "with a space", "digest": "a", **_HELD},
        [KEY],
    ]
}
SHOWN = {
    **OLLAMA_SHOW,
    "system": f"Use {KEY}.",
    "license": KEY,
    "template": KEY,
    "modelfile": f"{OLLAMA_SHOW['modelfile']}PARAMETER api_key {WORD}\nLICENSE {KEY}\n",
    "model_info": {"general.architecture": KEY, **_HELD},
    "description": {"en": KEY},
    **_HELD,
}
MODELFILE = f'FROM llama3.2\n# {KEY}\nSYSTEM """Use {KEY}\nand {URL}."""\nPARAMETER api_key {WORD}\nLICENSE {KEY}\n'
_ENDPOINT = {
    "name": KEY,
    "apiKey": WORD,
    "baseURL": URL,
    "headers": {"x-api-key": WORD},
    "models": {"default": [KEY, "a", 5]},
}
LIBRECHAT = {
    "version": "1",
    KEY: 1,
    "endpoints": {
        "custom": [_ENDPOINT],
        "azureOpenAI": {"groups": [{"apiKey": WORD, "models": {KEY: True, "b": _HELD}}]},
    },
    "modelSpecs": {
        "list": [
            {
                "name": "m",
                "label": KEY,
                "iconURL": URL,
                "preset": {"model": "a", "promptPrefix": KEY, **_HELD},
                **_HELD,
            },
            {"name": KEY, "preset": {"model": "a"}},
            {"name": "n", "preset": {"model": KEY}},
            {"name": "o", "preset": [KEY]},
            KEY,
        ]
    },
}
CATALOGUE = {
    "p": {
        "env": [KEY],
        "api": URL,
        "models": {
            "m": {**_everywhere(_SPEC, KEY), "cost": {"input": 3, **_HELD}, "limit": {"context": 5, **_HELD}},
            KEY: _SPEC,
            "with a space": {**_SPEC, **_HELD},
            "n": KEY,
        },
    },
    KEY: {"models": {"m": _SPEC}},
    "q": KEY,
    **{f"provider-{number}": {"env": [KEY], "models": {"m": _SPEC}} for number in range(3)},
}


def _folder(folder: Path) -> Path:
    ours = folder / "source"
    ours.mkdir()
    for name in ("a.modelfile", f"{KEY}.modelfile"):
        write_source(ours, MODELFILE, name)
    write_source(ours, KEY, "other.txt")
    return ours


CATALOGUES = {
    "list of models": PlantedSource(_file(OPENAI_MODELS), 3),
    "Ollama": PlantedSource(_file(OLLAMA), 1),
    "model that is shown": PlantedSource(_file(SHOWN), 1),
    "LibreChat": PlantedSource(_file(LIBRECHAT), 3),
    "models.dev": PlantedSource(_file(CATALOGUE), 4),
}
FOLDER = PlantedSource(_folder, 1)
