"""Files as people really have them: secrets in odd places, old pictures, modelfiles, and a published price map."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import CommandLine
from tests.support.import_samples import Raw, dump

OWNED = ("--owner", "root@x.org")
KEY = "sk-undisclosed0000000000000001"
EXPORT: list[dict[str, Any]] = [
    {
        "id": "secret",
        "user_id": "root",
        "base_model_id": "llama3",
        "name": "Secret",
        "params": {"system": f"key {KEY}", "custom_params": {"api_key": "undisclosed-word"}},
        "meta": {"valves": {"token": "undisclosed-meta"}, "description": "Helps.", "profile_image_url": "/favicon.png"},
        "access_control": None,
    },
    {
        "tag_name": "terse:latest",
        "modelfile": {
            "title": "Terse",
            "content": 'from a\nPARAMETER temperature 0.7 # warm\nPARAMETER stop 1\nSYSTEM "Be terse.\nIn French."\n',
            "imageUrl": "",
        },
    },
]
CONFIGURATION = """\
model_list:
  - model_name: Chat
    litellm_params:
      model: bedrock/claude
      aws_region_name: eu-central-1
      aws_role_name: arn:aws:iam::123456789012:role/models
      masterkey: undisclosed-1
      extra_query: {code: undisclosed-2, v: "1"}
      proxy: "ann:undisclosed-3@proxy.internal:3128"
      callback_vars: [{name: LANGFUSE_SECRET, value: undisclosed-4}]
      webhook_url: https://hooks.slack.com/services/T/B/undisclosed-5
    model_info: {id: chat, notes: "login ann password=undisclosed-6"}
"""
PRICES = """\
{"sample_spec": {"mode": "one of chat"}, "a/b": {"max_tokens": 1, "mode": "chat"}, "fallback": {"rules": []},
 "a/b": {"max_tokens": "4096", "mode": "chat", "input_cost_per_token": "3e-06", "supports_vision": "true"}, "c": null}
"""


@pytest.fixture
def rooted(shell: CommandLine) -> CommandLine:
    shell.ok("user", "add", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    return shell


def test_secrets_in_an_export_are_named_and_those_that_all_readers_would_see_are_left_out(
    rooted: CommandLine, store: Raw, tmp_path: Path
) -> None:
    (tmp_path / "export.json").write_text(json.dumps(EXPORT))
    rehearsed = rooted.run("import", "export.json", *OWNED, "--dry-run").stdout
    done = rooted.run("import", "export.json", *OWNED).stdout
    kept = "looks like a secret; it was kept, and everybody who may write the model can read it"
    for said in (rehearsed, done):
        for path in ("params.system", "params.custom_params.api_key"):
            assert f"'secret': {path}: {kept}" in said
        assert "'secret': meta.valves.token: left out, since it is or may be a secret" in said
        assert "undisclosed" not in said
    stored = store["models"].find_one({"_id": "secret"}) or {}
    assert stored["params"] == EXPORT[0]["params"]
    assert stored["meta"] == {"valves": {}, "description": "Helps.", "profile_image_url": "/static/favicon.png"}
    terse = store["models"].find_one({"_id": "ollama-terse:latest"}) or {}
    assert terse["params"] == {"temperature": 0.7, "stop": ["1"], "system": "Be terse.\nIn French."}
    assert rooted.run("import", "export.json", *OWNED).stdout.endswith("\n0 changes\n")


def test_no_secret_of_a_configuration_is_kept_and_what_tells_entries_apart_is(
    rooted: CommandLine, store: Raw, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIGURATION)
    rooted.ok("import", "config.yaml", *OWNED)
    stored = store["models"].find_one({"_id": "chat"}) or {}
    assert stored["params"] == {
        "aws_region_name": "eu-central-1",
        "aws_role_name": "arn:aws:iam::123456789012:role/models",
        "extra_query": {"v": "1"},
        "callback_vars": [{"name": "LANGFUSE_SECRET"}],
    }
    assert "undisclosed" not in dump(store)


def test_a_price_map_is_imported_all_or_nothing_as_it_is_published(
    rooted: CommandLine, store: Raw, tmp_path: Path
) -> None:
    (tmp_path / "prices.json").write_text(PRICES)
    assert "rejected" not in rooted.ok("import", "prices.json", *OWNED, "--atomic", "--dry-run")
    done = rooted.ok("import", "prices.json", *OWNED, "--atomic")
    assert "note entry 2 model 'a/b': left out, since the name is given again in entry 4, which counts" in done
    assert done.endswith("\n1 changes")
    meta = (store["models"].find_one({"_id": "a/b"}) or {})["meta"]
    assert meta["limits"] == {"max_tokens": 4096}
    assert (meta["prices"], meta["capabilities"]) == ({"input_cost_per_token": 3e-06}, {"vision": True})
    assert rooted.ok("import", "prices.json", *OWNED, "--atomic").endswith("\n0 changes")
