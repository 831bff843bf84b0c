"""The table in which a LiteLLM proxy keeps its models, in a real PostgreSQL."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import psycopg

_TABLE = """
CREATE TABLE "LiteLLM_ProxyModelTable" (
    model_id TEXT PRIMARY KEY, model_name TEXT NOT NULL, litellm_params JSONB NOT NULL, model_info JSONB,
    created_at TIMESTAMP(3) NOT NULL DEFAULT '2026-01-02 03:04:05.678', created_by TEXT NOT NULL DEFAULT 'admin',
    updated_at TIMESTAMP(3) NOT NULL DEFAULT '2026-02-03 04:05:06', updated_by TEXT NOT NULL DEFAULT 'admin'
)
"""


def encrypted(text: str, *, for_urls: bool = False) -> str:
    """Return text of the length and the look that it has when the proxy has encrypted it."""
    # Any bytes will do, since nothing decrypts them.
    sealed = bytes(range(40)) + text.encode()[::-1]
    return (urlsafe_b64encode if for_urls else b64encode)(sealed).decode()


def make_litellm_database(address: str, name: str, rows: list[tuple[str, str, Any, Any]], *statements: str) -> str:
    """Make a database with these models (id, name, params and info); return its URL."""
    with psycopg.connect(f"{address}postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(f"{address}{name}") as target:
        target.execute(_TABLE)
        for model_id, model_name, *columns in rows:
            target.execute(
                'INSERT INTO "LiteLLM_ProxyModelTable" VALUES (%s, %s, %s, %s)',
                [model_id, model_name, *(None if column is None else json.dumps(column) for column in columns)],
            )
        for statement in statements:
            target.execute(statement)
    return f"{address}{name}"
