"""Sources that have the models of one service, and what each secret in them is: for tests that treat all alike."""

from pathlib import Path
from typing import Any

from tests.support.import_samples import write_source
from tests.support.model_answers import OLLAMA, OPENAI_MODELS

# By the name of the file.
MODELFILES = {
    "tutor.modelfile": 'FROM llama3.2\nPARAMETER temperature 0.7\nSYSTEM """You teach.\nSlowly."""\n',
    "Modelfile.short": "FROM llama3.2\n",
    "Modelfile": "# ours\nfrom llama3.2:3b\nsystem Answer in one word.\nTEMPLATE {{ .Prompt }}\nLICENSE MIT\n",
}
LIBRECHAT = {
    "everything": """\
version: 1.2.1
cache: true
interface: {modelSelect: true}
endpoints:
  agents: {recursionLimit: 50}
  azureOpenAI:
    titleModel: gpt-4o
    groups:
      - group: eu
        apiKey: "${AZURE_KEY}"
        instanceName: ours
        models:
          gpt-4o: {deploymentName: gpt-4o-eu, version: "2024-08-06"}
          gpt-4o-mini: true
  custom:
    - name: Mistral
      apiKey: "${MISTRAL_API_KEY}"
      baseURL: https://api.mistral.ai/v1
      headers: {x-team: "${TEAM}"}
      models: {default: [mistral-large-latest, {name: codestral, description: For code.}], fetch: true}
    - name: Gateway
      apiKey: user_provided
      models: {default: [mistral-large-latest]}
modelSpecs:
  enforce: true
  list:
    - name: sql-helper
      label: SQL Helper
      description: Writes queries.
      default: true
      group: Data
      iconURL: https://images.example/sql.png
      preset:
        endpoint: Mistral
        model: mistral-large-latest
        promptPrefix: You write SQL.
        temperature: 0.1
        topP: 0.9
        maxOutputTokens: 500
        greeting: Hello
    - name: agent
      preset: {endpoint: agents, agent_id: agent_1}
""",
    "models only": "modelSpecs:\n  list:\n    - {name: a, preset: {endpoint: openAI, model: gpt-4o}}\n",
    "endpoints only": "version: 1.0.5\nendpoints:\n  custom:\n    - {name: x, models: {default: [a, b]}}\n",
    "JSON": {"version": "1", "modelSpecs": {"list": [{"name": "a", "preset": {"model": "gpt-4o"}}]}},
    "nothing": "version: 1.2.1\nmodelSpecs: {list: []}\n",
}
_SPEC = {
    "id": "claude-sonnet-4",
    "name": "Claude Sonnet 4",
    "family": "claude-sonnet",
    "attachment": True,
    "reasoning": True,
    "tool_call": True,
    "temperature": True,
    "knowledge": "2025-03-31",
    "release_date": "2025-05-22",
    "last_updated": "2025-05-22",
    "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
    "open_weights": False,
    "cost": {
        "input": 3,
        "output": 15,
        "cache_read": 0.3,
        "cache_write": 3.75,
        "context_over_200k": {"input": 6, "output": 22.5},
    },
    "limit": {"context": 200000, "output": 64000},
}
_PROVIDER = {"env": ["ANTHROPIC_API_KEY"], "npm": "@ai-sdk/anthropic", "doc": "https://docs.example"}
MODELS_DEV: dict[str, Any] = {
    "two providers": {
        "anthropic": {"id": "anthropic", "name": "Anthropic", **_PROVIDER, "models": {"claude-sonnet-4": _SPEC}},
        "other": {
            "id": "other",
            **_PROVIDER,
            "models": {
                "anthropic/claude-sonnet-4": {**_SPEC, "provider": {"npm": "x"}, "status": "deprecated"},
                "image-1": {"name": "Image", "limit": {"context": 0, "output": 0}, "modalities": {"output": ["image"]}},
            },
        },
    },
    "a provider without models": {
        "anthropic": {**_PROVIDER, "models": {"claude-sonnet-4": _SPEC}},
        "empty": {**_PROVIDER, "models": {}},
    },
}
# By the format: samples by name, each the content of a file.
SAMPLES: dict[str, dict[str, Any]] = {
    "openai-models": OPENAI_MODELS,
    "ollama": OLLAMA,
    "modelfile": MODELFILES,
    "librechat": LIBRECHAT,
}


def write_sample(folder: Path, wanted: str, name: str) -> Path:
    """Write a sample of a format into a folder and return its path."""
    return write_source(folder, SAMPLES[wanted][name], name if wanted == "modelfile" else "source")
