"""Small SQLite databases with records of every kind, as an early, a middle and a late Open WebUI stored them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

# With access_control, and with API keys and members of groups in columns.
MIDDLE = """
CREATE TABLE "user" (id VARCHAR NOT NULL, name VARCHAR, email VARCHAR, role VARCHAR, api_key VARCHAR, settings JSON);
INSERT INTO "user" VALUES ('ann', 'Ann', 'ann@x.org', 'admin', 'sk-00000000000000000000000000000001', '{}');
INSERT INTO "user" VALUES ('ben', 'Ben', 'ben@x.org', 'user', NULL, NULL);
INSERT INTO "user" VALUES ('cy', 'Cy', 'cy@x.org', 'pending', '', NULL);
CREATE TABLE "group" (id TEXT NOT NULL, user_id TEXT, name TEXT, description TEXT, user_ids JSON);
INSERT INTO "group" VALUES ('team', 'ann', 'Team', 'd', '["ann", "ben"]');
INSERT INTO "group" VALUES ('void', 'ann', 'Void', 'd', NULL);
CREATE TABLE model (id TEXT NOT NULL, user_id TEXT, base_model_id TEXT, name TEXT, params TEXT, meta TEXT,
  access_control JSON, is_active BOOLEAN, updated_at BIGINT, created_at BIGINT);
INSERT INTO model VALUES ('gpt-4o', 'ann', NULL, 'GPT', '{}', '{}', NULL, 1, 2, 1);
INSERT INTO model VALUES ('m-null', 'ann', 'gpt-4o', 'N', '{"b": 1, "a": 2}', 'null', 'null', 1, 2, 1);
INSERT INTO model VALUES ('m-own', 'ben', 'gpt-4o', 'O', '{}', '{"tags": [{"name": "t"}]}', '{}', 0, 2, 1);
INSERT INTO model VALUES ('m-team', 'ben', 'gpt-4o', 'T', '{}', '{}',
  '{"read": {"group_ids": ["team"], "user_ids": []}, "write": {"group_ids": [], "user_ids": ["ann"]}}', 1, 2, 1);
"""
# From before models had access settings.
EARLY = """
CREATE TABLE "user" (id VARCHAR, name VARCHAR, email VARCHAR, role VARCHAR);
CREATE TABLE model (id TEXT, user_id TEXT, base_model_id TEXT, name TEXT, meta TEXT, params TEXT, created_at BIGINT,
  updated_at BIGINT);
INSERT INTO "user" VALUES ('ann', 'Ann', 'ann@x.org', 'admin');
INSERT INTO model VALUES ('m', 'ann', 'gpt-4o', 'M', '{}', '{}', 1, 2);
"""
LATE = """
CREATE TABLE "user" (id VARCHAR NOT NULL, name VARCHAR, email VARCHAR, role VARCHAR, username VARCHAR(50),
  PRIMARY KEY (id));
CREATE TABLE auth (id VARCHAR NOT NULL, email VARCHAR, password TEXT, active BOOLEAN);
CREATE TABLE "group" (id TEXT NOT NULL, name TEXT, parent_group_id TEXT, PRIMARY KEY (id));
CREATE TABLE group_member (id TEXT, group_id TEXT NOT NULL, user_id TEXT NOT NULL);
CREATE TABLE model (id TEXT NOT NULL, user_id TEXT, base_model_id TEXT, name TEXT, params TEXT, meta TEXT,
  updated_at BIGINT, created_at BIGINT, is_active BOOLEAN DEFAULT 1 NOT NULL, version_id TEXT, PRIMARY KEY (id));
CREATE TABLE access_grant (id TEXT NOT NULL, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL,
  principal_type TEXT NOT NULL, principal_id TEXT NOT NULL, permission TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE api_key (id TEXT NOT NULL, user_id TEXT, "key" TEXT NOT NULL, expires_at BIGINT, created_at BIGINT);
CREATE TABLE model_history (id TEXT NOT NULL, model_id TEXT NOT NULL, parent_id TEXT, snapshot JSON NOT NULL,
  user_id TEXT NOT NULL, commit_message TEXT, created_at BIGINT NOT NULL);
INSERT INTO "user" VALUES ('ann', 'Ann', 'ann@x.org', 'admin', NULL), ('ben', 'Ben', 'ben@x.org', 'user', 'benny');
INSERT INTO auth VALUES ('ann', 'ann@x.org', '$2b$12$hash', 1);
INSERT INTO "group" VALUES ('all', 'All', NULL), ('team', 'Team', 'all');
INSERT INTO group_member VALUES ('1', 'team', 'ben'), ('2', 'team', 'ann'), ('3', 'gone', 'ann');
INSERT INTO model VALUES ('gpt-4o', 'ann', NULL, 'GPT', '{}', '{}', 2, 1, 1, 'h0');
INSERT INTO model VALUES ('m', 'ben', 'gpt-4o', 'M', '{"temperature": 0.5}', '{"description": "d"}', 2, 1, 0, 'h3');
INSERT INTO access_grant VALUES ('a1', 'model', 'm', 'group', 'team', 'write', 1);
INSERT INTO access_grant VALUES ('a2', 'model', 'gpt-4o', 'user', '*', 'read', 1);
INSERT INTO access_grant VALUES ('a3', 'knowledge', 'm', 'user', '*', 'read', 1);
INSERT INTO access_grant VALUES ('a4', 'model', 'm', 'user', '*', 'own', 1);
INSERT INTO api_key VALUES ('k1', 'ben', 'sk-00000000000000000000000000000002', 1900000000, 5);
INSERT INTO model_history VALUES ('h3', 'm', 'h1', '{"name": "M", "params": null, "access_grants": []}', 'ben', 'c', 7);
INSERT INTO model_history VALUES ('h1', 'm', 'h2', '{"name": "M1"}', 'ben', NULL, 7);
INSERT INTO model_history VALUES ('h2', 'm', NULL, '{"name": "M0"}', 'ann', NULL, 7);
INSERT INTO model_history VALUES ('h0', 'gpt-4o', NULL, 'null', 'ann', NULL, 6);
"""


def make_database(path: Path, *statements: str) -> Path:
    """Execute SQL statements on a new or existing SQLite database; return its path."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.executescript(statement)
        connection.commit()
    return path


def insert(path: Path, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Add rows to a table of a database."""
    with closing(sqlite3.connect(path)) as connection:
        for row in rows:
            connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)
        connection.commit()
