"""Realistic files that hold no models: none is recognised, also when somebody quotes a configuration in it."""

import json
from typing import Any

import pytest

from service.importing.formats import recognise
from service.importing.source import SourceError
from tests.support.memory_sources import source_of

CONFIGURATION = "model_list:\n- model_name: pasted\n  litellm_params:\n    model: openai/pasted\n"
ENTRIES = [{"model_name": "pasted", "litellm_params": {"model": "openai/pasted"}}]
OWNED = {"id": "x", "user_id": "u", "created_at": 1, "updated_at": 1}


def indented(by: int) -> str:
    return "".join(f"{' ' * by}{line}" for line in CONFIGURATION.splitlines(keepends=True))


QUOTED: dict[str, Any] = {
    "a chat": [{**OWNED, "title": "Help", "chat": {"messages": [{"role": "user", "content": CONFIGURATION}]}}],
    "a prompt": [{"command": "/x", "user_id": "u", "title": "X", "content": CONFIGURATION, "timestamp": 1}],
    "a note": [{**OWNED, "title": "N", "data": {"content": {"md": CONFIGURATION}}, "meta": {}}],
    "a request": {"model": "gpt-4o", "messages": [{"role": "user", "content": CONFIGURATION}], "temperature": 0},
    "a request as YAML": f"model: gpt-4o\nmessages:\n- role: user\n  content: |\n{indented(4)}",
    "a notebook": {"cells": [{"cell_type": "raw", "source": CONFIGURATION}], "nbformat": 4, "metadata": {}},
    "lines of a notebook": {"cells": [{"cell_type": "code", "source": ["model_list:\n"]}], "nbformat": 4},
    "an example in text": {"openapi": "3.1.0", "paths": {"/x": {"post": {"example": CONFIGURATION}}}},
    "an example in OpenAPI": {"openapi": "3.1.0", "paths": {"/x": {"post": {"example": {"model_list": ENTRIES}}}}},
    "examples in OpenAPI": {"openapi": "3.1.0", "paths": {"/x": {"examples": {"one": {"model_list": ENTRIES}}}}},
    "a schema": {"openapi": "3.1.0", "components": {"M": {"properties": {"model_list": {"type": "array"}}}}},
    "a workflow": f"on: push\njobs:\n  t:\n    steps:\n    - run: |\n{indented(8)}",
    "an environment": f"services:\n  a:\n    environment:\n      CONFIG: |\n{indented(8)}",
    "an annotation": {"kind": "ConfigMap", "metadata": {"annotations": {"last": CONFIGURATION}}, "data": {"a": "b"}},
    "a Deployment": {"kind": "Deployment", "spec": {"containers": [{"args": [CONFIGURATION]}]}, "data": {}},
    "the values of a Secret, which are encoded": {"kind": "Secret", "data": {"config.yaml": CONFIGURATION}},
    "data of no manifest": {"data": {"config.yaml": CONFIGURATION}},
    "a JSON text": json.dumps(CONFIGURATION),
    "Markdown": f"# Setup\n\nCreate `config.yaml`:\n\n```yaml\n{CONFIGURATION}```\n",
    "Markdown with a head": f"---\nlicense: mit\n---\n\nSee below.\n\n```yaml\n{CONFIGURATION}```\n",
    "a program": f'import yaml\n\nconfig = yaml.safe_load("""\n{CONFIGURATION}""")\n',
}
ALIKE: dict[str, Any] = {
    "runs of experiments": [
        {"id": "run-1", "name": "baseline", "params": {"lr": 0.1}, "metrics": {"acc": 0.9}, "created_at": 1},
        {"id": "run-2", "name": "big", "params": {"lr": 0.2}, "metrics": {"acc": 0.9}},
    ],
    "one run": {"id": "r", "name": "R", "params": {}, "meta": {}, "base_model_id": "b", "metrics": {}, "created_at": 1},
    "runs with versions": [{"id": "r", "name": "R", "params": {}, "version_id": "v", "metrics": {}}],
    "routes": [{"id": "home", "name": "Home", "path": "/", "params": {}, "meta": {"auth": False}}],
    "a workflow": {"id": "w", "name": "Daily", "params": {"to": "a"}, "meta": {}, "nodes": [], "connections": {}},
    "workflows with versions": [{"id": "w", "name": "W", "params": {}, "access_control": {}, "nodes": []}],
    "settings of pictures": [{"id": "i", "name": "Landscape", "base_model_id": "sd15", "params": {"steps": 20}}],
    "package.json": {"id": "x", "name": "x", "version": "1.0.0", "scripts": {}, "files": [], "params": {}},
    "info of other things": [{"id": "a", "name": "A", "info": {"title": "x"}}],
    "a server of tools": [{"url": "https://x", "key": "k", "config": {}, "info": {"id": "t", "name": "T"}}],
    "presets": {
        "summarise": {"mode": "chat", "max_tokens": 200, "prompt": "Summarise"},
        "translate": {"mode": "chat", "max_tokens": 400, "prompt": "Translate"},
    },
    "prices": {"a": {"cost_per_unit": 3, "mode": "x"}, "b": {"cost_per_unit": 4, "mode": "y"}},
    "cars": [{"model_name": "corolla", "price": 3}],
    "cars by name": {"models": [{"name": "corolla", "price": 3}]},
    "makers of cars": {"toyota": {"models": {"corolla": {"price": 3}}}},
    "cars as data": {"data": [{"model_name": "corolla", "price": 3}]},
    "a call": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}},
    "jobs": {"object": "list", "data": [{"id": "ftjob-1", "object": "fine_tuning.job", "model": "m", "params": {}}]},
}
PLAIN: dict[str, Any] = {
    "GitLab CI": "stages: [test]\ninclude:\n- local: ci/x.yml\ntest:\n  script: [make]\n",
    "GitLab CI that includes one file": "include: ci/x.yml\n",
    "GitLab CI that includes files": "include: [ci/x.yml, ci/y.yml]\n",
    "tasks": "version: '3'\ninclude: [a.yml]\ntasks: {}\n",
    "a manifest": "apiVersion: v1\nkind: Service\nmetadata: {name: litellm}\nspec: {ports: [{port: 4000}]}\n",
    "a script alone": "kind: ConfigMap\ndata:\n  a.sh: |\n    cat > c.yaml <<EOT\n    models: []\n    EOT\n",
    "a server's configuration": "kind: ConfigMap\ndata:\n  nginx.conf: |\n    http { include mime.types; }\n",
    "HTML": "<!doctype html>\n<html><body><pre>model_list:\n</pre></body></html>\n",
    "an error": {"detail": "Unauthorized"},
    "an error of OpenAI's": {"error": {"message": "no", "type": "auth_error", "code": "401"}},
    "a problem": {"type": "about:blank", "title": "Forbidden", "status": 403},
    "faults": {"detail": [{"loc": ["query"], "msg": "x", "type": "missing"}]},
    "CSV": "id,name\nm,M\n",
    "settings": "MODEL=gpt-4o\nLITELLM_LOG=DEBUG\n",
    "a model's configuration": {"architectures": ["Llama"], "model_type": "llama", "hidden_size": 4096},
}
FILES = {
    f"{name} ({kind})": content
    for kind, files in (("quoted", QUOTED), ("alike", ALIKE), ("plain", PLAIN))
    for name, content in files.items()
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_models_is_not_recognised(name: str) -> None:
    content = FILES[name]
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(SourceError, match="not recognised"):
        recognise(source_of(text))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("runs of experiments (alike)", "openwebui: JSON with name, params, but without all that a model"),
        ("presets (alike)", "litellm-prices: a JSON object whose values have mode, max_tokens, but neither"),
        ("cars (alike)", "litellm: JSON with model_names, but without litellm_params"),
        ("cars by name (alike)", "ollama: JSON with models that have a name, but neither a digest nor details"),
        ("makers of cars (alike)", "models-dev: a JSON object whose values have models, but not how to reach them"),
        ("GitLab CI that includes one file (plain)", "litellm: YAML with an include alone"),
    ],
)
def test_what_it_comes_nearest_to_is_named_with_the_reason(name: str, nearest: str) -> None:
    content = FILES[name]
    with pytest.raises(SourceError) as refusal:
        recognise(source_of(content if isinstance(content, str) else json.dumps(content)))
    assert f"It comes nearest to {nearest}" in refusal.value.detail
