"""Small sources in several formats for the tests of imports, and short ways to import them and to read the result."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from bson.json_util import dumps
from pymongo.database import Database as SyncDatabase

from service.importing import ImportOptions, Report, import_source
from tests.support.directory import Directory, grant, model
from tests.support.openwebui_databases import LATE
from tests.support.raw_database import collection_names

Raw = SyncDatabase[dict[str, Any]]

NAME = "modeldeck_moving_in"
MODEL = "/api/models/model"
UPDATE, HISTORY = f"{MODEL}/update", f"{MODEL}/history"
RESTORE, DIFF = f"{HISTORY}/restore", f"{HISTORY}/diff"
OLD_KEY = "sk-00000000000000000000000000000002"
# Without the revision that can't be imported, so that the import is clean.
IMPORTABLE = (LATE, "DELETE FROM model_history WHERE id = 'h0'")
WRITES = {"insert", "update", "delete", "findAndModify", "bulkWrite", "create", "createIndexes", "commitTransaction"}

SECRETS = (
    "sk-planted0000000000000001",
    "planted-password-2",
    "planted-header-3",
    "planted-master-4",
    "planted-aws-5",
    "planted-in-url-6",
    "sk-ant-planted00000000007",
)
CONFIGURATION = f"""\
general_settings:
  master_key: {SECRETS[3]}
model_list:
  - model_name: Fast chat
    litellm_params:
      model: openai/gpt-4o
      api_key: {SECRETS[0]}
      aws_secret_access_key: {SECRETS[4]}
      api_base: https://proxy:{SECRETS[5]}@gateway.example/v1
      temperature: 0.2
      extra_headers: {{X-Auth-Token: {SECRETS[2]}}}
    model_info: {{id: fast, password: {SECRETS[1]}, access_groups: [beta], max_tokens: 5, notes: "use {SECRETS[6]}"}}
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_key: {SECRETS[0]}}}
  - model_name: {SECRETS[6]}
    litellm_params: {{api_key: {SECRETS[0]}}}
"""
PRICES = {
    "sample_spec": {"mode": "one of chat, embedding", "litellm_provider": "one of many", "max_tokens": "a number"},
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": 16384,
        "input_cost_per_token": 2.5e-06,
        "supports_vision": True,
    },
    "voyage-3": {"litellm_provider": "voyage", "mode": "embedding", "max_tokens": 32000},
}
EXPORT = [
    model("public", "ann", meta={}, params={}, access_control=None),
    model("absent", "ann", meta={}, params={}),
    model("private", "ann", meta={}, params={}, access_control={}),
]
NAMED = {"models": [model("m", "ann", access_grants=[grant("group:g"), grant("group:h", "write")])]}


@asynccontextmanager
async def imported(directory: Directory, where: Path, **options: Any) -> AsyncIterator[Report]:
    """Import a source of any format with `import_source`, as scripts do; yield its report, and close it in the end."""
    named = {name: options.pop(name) for name in ("wanted", "user_map") if name in options}
    report = await import_source(directory.database, str(where), ImportOptions(**options), **named)
    try:
        yield report
    finally:
        report.close()


async def ask(directory: Directory, key: str, path: str, body: Any = None, **parameters: Any) -> httpx.Response:
    """Send a request with an API key that another system generated."""
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Bearer {key}"}
    return await directory.client.request(method, path, json=body, params=parameters, headers=headers)


def dump(database: Raw, *left_out: str) -> str:
    """Return the content of a database as text, without the locks in `guards`, which are no content."""
    return "\n".join(
        dumps([name, *database[name].find().sort("_id")])
        for name in sorted(set(collection_names(database)) - {"guards", *left_out})
    )


def write_source(tmp_path: Path, content: Any, name: str = "source.json") -> Path:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
