"""Configurations of a LiteLLM proxy, and short ways to read them."""

import json
from typing import Any

from service.importing.readers.litellm import read_litellm
from service.importing.source import Item
from tests.support.memory_sources import source_of

CONFIGURATION = """\
model_list:
  - model_name: Fast chat
    litellm_params: &fast
      model: azure/gpt-4o-eu
      api_base: https://gateway.example/
      api_key: os.environ/AZURE_KEY
      api_version: 2025-04-01
      rpm: 480
      temperature: 0.2
    model_info:
      id: azure-gpt4o
      mode: chat
      base_model: azure/gpt-4o
      team_id: 6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a
      access_groups: [legal, research, legal]
      max_input_tokens: 128000
      input_cost_per_token: 0.0000025
      supports_vision: true
      supports_reasoning: false
  - model_name: Fast chat
    litellm_params:
      <<: *fast
      model: openai/gpt-4o
"""
A_MODEL = {"model_name": "chat", "litellm_params": {"model": "openai/gpt-4o", "rpm": 5}}


def read(content: Any) -> list[Item]:
    written = content if isinstance(content, str | bytes) else json.dumps({"model_list": content})
    return list(read_litellm(source_of(written)))


def only(content: Any) -> Item:
    (item,) = read(content)
    return item


def with_params(**params: Any) -> dict[str, Any]:
    return {**A_MODEL, "litellm_params": {"model": "openai/gpt-4o", **params}}


def with_info(**info: Any) -> dict[str, Any]:
    return {**A_MODEL, "model_info": info}


def derived_id(entry: dict[str, Any]) -> str:
    item = only([entry])
    assert item.problem is None
    return str(item.value["id"])
