"""Sources of every format with planted secrets, also in invalid records. Each secret contains the mark."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.directory import grant, model
from tests.support.import_samples import write_source
from tests.support.openwebui_databases import EARLY, LATE, MIDDLE, make_database

MARK = "undisclosed"
# The mark, and its base64 forms at each of the three alignments.
MARKS = (MARK.encode(), b"dW5kaXNjbG9zZW", b"VuZGlzY2xvc2Vk", b"bmRpc2Nsb3NlZ")
WORD = f"{MARK}-word"
KEY = f"sk-{MARK}00000000000000000001"
URL = f"https://ann:{WORD}@gateway.example/v1"
PEM = f"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----"
PASSWORD_HASH = f"$2b$12${MARK}"
# The first byte of a two-byte character in UTF-8.
BROKEN_OFF = b"\xc3"
TOO_LONG = "i" * 300


@dataclass(frozen=True, slots=True)
class PlantedSource:
    """A function that makes the source in a folder, and how many of its models are imported."""

    make: Callable[[Path], Path]
    models: int


def _file(content: Any, name: str = "source") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return write_source(folder, content, name)

    return make


def _database(*statements: str) -> Callable[[Path], Path]:
    return lambda folder: make_database(folder / "webui.db", *statements)


# --- Bundles

_ACCOUNT = {"password": WORD, "api_key": KEY, "settings": {"ui": {"token": WORD}}, "oauth": {"access_token": WORD}}
_ANN = {"id": "ann", "name": "Ann", "email": "ann@x.org"}
# Fields that only responses have, which an import ignores.
_ANSWERED = {"user": {**_ANN, **_ACCOUNT}, "write_access": WORD}
BUNDLE = {
    "users": [_ANN, {**_ANN, "id": "ben", "email": "ben@x.org", **_ACCOUNT}, WORD, [KEY], {"id": 5, **_ACCOUNT}],
    "groups": [{"id": "g", "name": "G"}, {"id": "h", "name": "H", "webhook": URL}, {"id": TOO_LONG, **_ACCOUNT}],
    "models": [
        model("m", "ann", access_grants=[grant("user:gone")], **_ANSWERED),
        model("with a key", "ann", api_key=KEY),
        model("n", "ann", api_key=KEY, litellm_params={"api_key": WORD}),
        model(TOO_LONG, "ann", is_active=WORD, **_ANSWERED),
        model("o", "ann", created_at=WORD, version=KEY, access_grants=[{"principal_type": WORD, "key": KEY}]),
    ],
    "keys": [{"user_id": "ann", "key": KEY}],
}
LINES = "\n".join(
    [
        json.dumps({"kind": "user", **_ANN}),
        json.dumps({"kind": "key", "user_id": "ann", "key": KEY}),
        json.dumps({"kind": "user", "id": "ben", "name": "B", "email": "b@x.org", **_ACCOUNT}),
        f'{{"kind": "user", "id": "cy", "password": "{WORD}}}',
        f'{{"kind": "user", "id": "cy", "password": {WORD}}}',
        json.dumps(KEY),
        json.dumps({"kind": "model", **model("m", "ann"), **_ANSWERED}),
    ]
)

# --- Exports

# The owner as an export of models contains it.
_OWNER = {"user": {**_ANN, "role": "admin", **_ACCOUNT, "oauth_sub": f"google@{MARK}"}}
_CONNECTION = {"urlIdx": 0, "connection": {"url": URL, "key": KEY}, "openai": {"api_key": KEY, "headers": {"X": WORD}}}
MODELFILES = [
    {"tag_name": "old", "modelfile": {"title": "Old", "content": "FROM llama3", **_OWNER}, "user_id": "root", **_OWNER},
    {"tagName": 5, "modelfile": {"content": "FROM llama3", **_OWNER}, **_OWNER},
    {"tag_name": "none", "modelfile": {"content": 5, **_OWNER}},
    {"tag_name": "bad", "modelfile": WORD, **_OWNER},
]
_SECOND = {"user_id": "root", "meta": {}, "params": {}}
RUNTIME = [
    {
        "id": "run",
        "name": "Run",
        "object": "model",
        "owned_by": "openai",
        **_CONNECTION,
        "info": {"id": "run", **_SECOND},
    },
    {"id": "bad", "name": "Bad", **_CONNECTION, "info": WORD},
    {"id": TOO_LONG, "name": "Long", **_CONNECTION, "info": {"params": [], **_SECOND, **_OWNER}},
    KEY,
]
CONTROLLED = [
    {**model("c", "root", **_SECOND), "access_control": None, **_OWNER},
    {**model("d", "root", **_SECOND), "access_control": {"read": {"user_ids": [5]}}, **_OWNER, **_CONNECTION},
    {**model(TOO_LONG, "root"), "access_control": [KEY], "is_active": "yes", **_OWNER},
]
GRANTED = {
    "models": [
        {**model("g", "root", **_SECOND), "access_grants": [], "version_id": "v", **_OWNER},
        {**model("h", "root"), "access_grants": [{"resource_type": "tool", "token": WORD}, KEY], **_OWNER},
        {**model("i", "root"), "meta": 5, "access_grants": [], **_OWNER},
    ],
    "config": _CONNECTION,
}
_CUT_OFF = json.dumps([CONTROLLED[0], CONTROLLED[0]])

# --- Databases

_SETTINGS = json.dumps({"ui": {"directConnections": {"OPENAI_API_KEYS": [KEY]}}})
_SESSIONS = f"""
CREATE TABLE oauth_session (id TEXT, user_id TEXT, provider TEXT, token TEXT);
INSERT INTO oauth_session VALUES ('s', 'ann', 'google', '{{"access_token": "{WORD}"}}');
CREATE TABLE config (id INTEGER, data JSON);
INSERT INTO config VALUES (1, '{{"openai": {{"api_keys": ["{KEY}"], "url": "{URL}"}}}}');
"""
_COLUMNS = f"""
ALTER TABLE "user" ADD COLUMN oauth_sub TEXT; ALTER TABLE "user" ADD COLUMN oauth JSON;
ALTER TABLE "user" ADD COLUMN info JSON; ALTER TABLE "user" ADD COLUMN valves JSON;
UPDATE "user" SET oauth_sub = 'google@{MARK}', oauth = '{{"token": "{WORD}', info = '{_SETTINGS}', valves = '{URL}';
"""
_AUTH = f"""
CREATE TABLE IF NOT EXISTS auth (id VARCHAR NOT NULL, email VARCHAR, password TEXT, active BOOLEAN);
INSERT INTO auth VALUES ('ann', 'ann@x.org', '{PASSWORD_HASH}', 1), ('ben', 'ben@x.org', X'{MARK.encode().hex()}', 0);
"""
_BROKEN_PEOPLE = """
INSERT INTO "user" (id, name, email, role) VALUES ('w', NULL, 'w', 'wizard'), (5, X'00', 6, 7);
"""
EARLY_STATEMENTS = (EARLY, _AUTH, _SESSIONS, _COLUMNS, _BROKEN_PEOPLE, "INSERT INTO \"user\" (name) VALUES (X'00');")
MIDDLE_STATEMENTS = (
    MIDDLE,
    _AUTH,
    _SESSIONS,
    _COLUMNS,
    f"""
UPDATE "user" SET settings = '{_SETTINGS}';
UPDATE "user" SET api_key = '{KEY}' WHERE id = 'ben';
UPDATE "user" SET api_key = '{MARK}', settings = '{{"broken": "{WORD}' WHERE id = 'cy';
""",
    _BROKEN_PEOPLE,
    f"""
INSERT INTO "user" (id, name, email, role, api_key) VALUES
  ('d', 'D', 'd@x.org', 'user', X'{MARK.encode().hex()}'), ('e', NULL, 'e@x.org', 'user', '{KEY}1'),
  ('f', 'F', 'f@x.org', 'user', 'sk- {MARK} 000000000000000000'), ('g', 'G', 'g@x.org', 'user', '{KEY}');
UPDATE "group" SET user_ids = '["ann", ' WHERE id = 'team';
""",
)
LATE_STATEMENTS = (
    LATE,
    _AUTH,
    _SESSIONS,
    _COLUMNS,
    _BROKEN_PEOPLE,
    f"""
ALTER TABLE "user" ADD COLUMN settings JSON; UPDATE "user" SET settings = '{_SETTINGS}';
ALTER TABLE "user" ADD COLUMN api_key TEXT; UPDATE "user" SET api_key = '{KEY}0';
ALTER TABLE api_key ADD COLUMN data JSON;
INSERT INTO api_key VALUES ('{KEY}', 'ben', '{KEY}', NULL, 5, '{{"key": "{KEY}"}}'),
  ('{KEY}2', 'ann', '{KEY}', NULL, 5, NULL), ('{KEY}3', 'gone', '{KEY}3', NULL, 5, NULL),
  ('{KEY}4', 'ann', '{MARK}', NULL, 5, NULL), ('{KEY}5', NULL, '{KEY}5', NULL, 5, NULL),
  ('{KEY}6', 'ann', X'{KEY.encode().hex()}', 'soon', 'then', NULL), ('{KEY}7', 'ann', '{KEY}7', '{WORD}', 5, NULL),
  ('{KEY}8', 'ann', '{KEY}8' || hex(zeroblob(300)), 1e300, 5, NULL);
ALTER TABLE model ADD COLUMN valves JSON; UPDATE model SET valves = '{URL}';
INSERT INTO model_history VALUES ('h4', 'm', 'h3', '{{"name": "M", "user": {{"api_key": "{KEY}"}}}}', 'ben', NULL, 8),
  ('h5', 'm', 'h4', '["{KEY}"]', 'ben', NULL, 9), ('h6', 'm', 'h5', '{{"user": "{WORD}', 'ben', NULL, 10);
""",
)

# --- LiteLLM

_INDENTED_PEM = PEM.replace("\n", "\n        ")
CONFIGURATION = f"""\
# api_key: {KEY}
general_settings: {{master_key: {KEY}, database_url: "postgresql://ann:{WORD}@db/l", alerting_args: {{a: {WORD}}}}}
litellm_settings: {{cache_params: {{type: redis, password: {WORD}}}, success_callback: [{KEY}]}}
environment_variables: {{LANGFUSE_SECRET_KEY: {WORD}, OTHER: {WORD}}}
credential_list:
  - {{credential_name: c, credential_values: {{api_key: {WORD}}}}}
{KEY}: 1
anchors:
  - &secret {WORD}
  - &account {{api_key: *secret, aws_access_key_id: {WORD}, aws_secret_access_key: {WORD}, aws_session_token: {WORD}}}
model_list:
  - model_name: Chat
    litellm_params: &chat
      model: openai/gpt-4o
      api_key: &key {WORD}
      api_base: {URL}
      temperature: 0.5
      client_secret: *key
      azure_ad_token: "{WORD}"
      vertex_credentials:
        type: service_account
        private_key: |
          {MARK}
        nested: [[{{token_uri: {WORD}}}]]
      extra_headers: {{Authorization: "Bearer {WORD}", X-Gateway-Key: {WORD}, Cookie: "s={WORD}"}}
    model_info: {{id: chat, access_groups: [beta], max_tokens: 5}}
  - model_name: Merged
    litellm_params: {{<<: [*chat, *account], model: azure/gpt-4o, aws_web_identity_token: {WORD}, apiKey: *secret}}
    model_info: {{id: merged, <<: *account, owner: {{client-secret: *secret}}}}
  - model_name: Odd
    litellm_params:
      model: openai/gpt-4o
      vertex_credentials: '{{"private_key": "{WORD}", "client_email": "{MARK}@x.org"}}'
      certificate: |
        {_INDENTED_PEM}
      headers: [[X-Api-Key, {WORD}], ["Authorization: {WORD}"]]
      stop: [[[{KEY}]], {{a: [{{b: "{URL}"}}]}}]
      fallbacks: [{{name: api-key, value: {WORD}}}, {{password: [{WORD}]}}, "https://x.example/?sig={WORD}"]
      api_key_2: {WORD}
      extra_body: {{auth: {{user: ann, pass: {WORD}}}}}
      proxies: {{https: "ann:{WORD}@proxy.example:8080", http: "ann:{WORD}@localhost"}}
      masterkey: {WORD}
      azure_pat: {WORD}
      session: {{id: {WORD}}}
      extra_query: {{code: {WORD}, key: {WORD}}}
      callback_vars: [{{name: LANGFUSE_SECRET, value: {WORD}}}, {{webhook_url: "https://x.example/{WORD}"}}]
      alert: "https://hooks.slack.com/services/T1/B1/{WORD}"
      ? {KEY}
      : 5
    model_info: {{id: odd, notes: "call it with {KEY}", dsn: "redis://:{WORD}@cache:6379/0", tags: [{KEY}, plain]}}
  - model_name: {KEY}
    litellm_params: {{model: openai/gpt-4o, api_key: {WORD}}}
  - model_name: Long
    litellm_params: {{model: openai/gpt-4o, api_key: {WORD}}}
    model_info: {{id: {TOO_LONG}, api_key: {WORD}}}
  - model_name: Wrong
    litellm_params: [model, {KEY}]
  - model_name: Twice
    litellm_params: {{model: openai/gpt-4o, api_key: {WORD}, api_key: {WORD}}}
  - model_name: Tagged
    litellm_params: {{model: openai/gpt-4o, api_key: !{MARK} {WORD}, client_secret: !!binary dW5kaXNjbG9zZWQ=}}
  - model_name: Number
    litellm_params: {{model: openai/gpt-4o, api_key: {WORD}, rpm: 99999999999999999999}}
  - {KEY}
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_key: {WORD}}}
"""
_ENTRY = "model_list:\n  - model_name: Chat\n    litellm_params:\n      model: openai/gpt-4o\n      api_key: "
MALFORMED_YAML: dict[str, str | bytes] = {
    "open quote": f"{_ENTRY}'{WORD}\n",
    "bad escape": f'{_ENTRY}"{WORD}\\q"\n',
    "colon": f"{_ENTRY}{WORD}: {WORD}: x\n",
    "no such alias": f"{_ENTRY}*{MARK}\n",
    "reserved": f"{_ENTRY}@{MARK}\n",
    "flow": f"{_ENTRY}[{WORD}\n      x: {{\n",
    "tab": f"{_ENTRY}\n\t{WORD}\n",
    "section twice": f"{_ENTRY}{WORD}\n{KEY}: 1\n{KEY}: 2\n",
    "not UTF-8": f"{_ENTRY}{WORD}".encode() + BROKEN_OFF,
    "no list": f"model_list: {WORD}\n",
}
PRICES = {
    "sample_spec": {"litellm_provider": "one of many", "api_key": KEY},
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": 16384,
        "api_key": WORD,
        "source": URL,
        "metadata": {"notes": [f"call it with {KEY}"], "headers": {"Authorization": WORD}},
    },
    "voyage-3": {"litellm_provider": "voyage", "mode": "embedding", "max_tokens": 32000, "aws_secret_access_key": WORD},
    "number": {"litellm_provider": "voyage", "mode": "embedding", "max_tokens": 2**70, "client_secret": WORD},
    TOO_LONG: {"litellm_provider": "voyage", "mode": "embedding", "api_key": WORD},
    "wrong": [KEY],
}

SOURCES = {
    "bundle": PlantedSource(_file(BUNDLE), 1),
    "bundle as lines": PlantedSource(_file(LINES), 1),
    "modelfiles": PlantedSource(_file(MODELFILES), 1),
    "models that ran": PlantedSource(_file(RUNTIME), 1),
    "models with access_control": PlantedSource(_file(CONTROLLED), 2),
    "models with access_grants": PlantedSource(_file(GRANTED), 2),
    "early database": PlantedSource(_database(*EARLY_STATEMENTS), 1),
    "middle database": PlantedSource(_database(*MIDDLE_STATEMENTS), 4),
    "late database": PlantedSource(_database(*LATE_STATEMENTS), 2),
    "configuration": PlantedSource(_file(CONFIGURATION), 3),
    "price map": PlantedSource(_file(PRICES), 2),
}
BROKEN = {
    "bundle cut off": json.dumps(BUNDLE)[:-5].encode(),
    "bundle not UTF-8": f'{{"users": [{{"password": "{WORD}'.encode() + BROKEN_OFF,
    "models cut off": _CUT_OFF[: _CUT_OFF.rindex(MARK) + len(MARK)].encode(),
    "models of bad JSON": WORD.join(_CUT_OFF.rsplit(f'"{WORD}"', 1)).encode(),
    "price map cut off": json.dumps(PRICES)[:-20].encode(),
    **{f"YAML, {name}": text if isinstance(text, bytes) else text.encode() for name, text in MALFORMED_YAML.items()},
}
