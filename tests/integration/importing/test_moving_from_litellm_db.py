"""A LiteLLM proxy's models are read from its PostgreSQL. Skipped if PostgreSQL is missing."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from service.errors import ConfigurationError
from service.importing.formats import SourceFormat
from service.importing.open_source import open_named_source
from service.importing.readers.litellm import read_litellm
from service.importing.readers.litellm_db import read_litellm_db
from service.importing.source import Item, SourceError
from tests.support import postgres
from tests.support.commands import CommandLine
from tests.support.import_samples import Raw, dump
from tests.support.litellm_databases import encrypted, make_litellm_database
from tests.support.memory_sources import source_of

PROGRAMS = postgres.program_folder()

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="there is no PostgreSQL on this machine")

INFO = {"db_model": True, "access_groups": ["beta"], "mode": "chat", "input_cost_per_token": 2.5e-06}
PARAMS = {
    "model": encrypted("azure/gpt-4o"),
    "api_base": encrypted("https://eu.example.com", for_urls=True),
    "api_key": encrypted("sk-0123456789"),
    "rpm": 100,
    "use_in_pass_through": False,
}
ENCRYPTED = (
    "litellm_params: encrypted, so left out: model, api_key, api_base; "
    "GET /model/info of the proxy shows those that are no secrets"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert PROGRAMS is not None
    with postgres.running(PROGRAMS) as address:
        yield address


def items(url: str) -> list[Item]:
    with read_litellm_db(url) as whole:
        first = list(whole())
        # An import reads it twice.
        assert list(whole()) == first
        return first


def only(address: str, name: str, params: Any, info: Any = None, *statements: str) -> Item:
    [item] = items(make_litellm_database(address, name, [("m1", "gpt-4o", params, info)], *statements))
    return item


def test_a_model_has_its_id_its_times_and_what_is_not_encrypted(address: str) -> None:
    item = only(address, "one", PARAMS, {**INFO, "base_model": "azure/gpt-4o"})
    assert item.value == {
        "id": "m1",
        "base_model_id": "azure/gpt-4o",
        "name": "gpt-4o",
        "params": {"rpm": 100, "use_in_pass_through": False},
        "meta": {
            "db_model": True,
            "mode": "chat",
            "base_model": "azure/gpt-4o",
            "prices": {"input_cost_per_token": 2.5e-06},
        },
        "access_grants": [{"principal_type": "group", "principal_id": "beta", "permission": "read"}],
        "created_at": 1767323045,
        "updated_at": 1770091506,
    }
    assert item.notes == ("columns left out: created_by, updated_by", ENCRYPTED)


def test_a_model_without_a_readable_base_has_none(address: str) -> None:
    item = only(address, "baseless", PARAMS)
    assert (item.problem, item.value["base_model_id"]) == (None, None)


def test_the_table_and_the_answer_of_the_proxy_give_the_same_model(address: str) -> None:
    item = only(address, "same", PARAMS, INFO)
    entry = {
        "model_name": "gpt-4o",
        "litellm_params": {"model": "azure/gpt-4o", "rpm": 100, "use_in_pass_through": False},
        "model_info": {**INFO, "id": "m1"},
    }
    [answered] = read_litellm(source_of(json.dumps({"data": [entry]})))
    assert {**item.value, "base_model_id": "azure/gpt-4o"} == {
        **answered.value,
        "created_at": item.value["created_at"],
        "updated_at": item.value["updated_at"],
    }


def test_what_is_not_encrypted_is_searched_for_secrets(address: str) -> None:
    params = {"model": "openai/gpt-4o", "api_key": "planted-key", "extra_headers": {"Authorization": "planted-header"}}
    item = only(address, "plain", params, {"notes": "sk-planted0000000000000001", "team_id": None})
    assert item.value["base_model_id"] == "openai/gpt-4o"
    assert "planted" not in str(item)
    assert "litellm_params.api_key: left out, since it is or may be a secret" in item.notes


def test_json_that_was_written_as_text_is_read(address: str) -> None:
    item = only(address, "text", json.dumps({"model": "openai/gpt-4o", "rpm": 5}), json.dumps(INFO))
    assert (item.value["params"], item.value["meta"]["mode"]) == ({"rpm": 5}, "chat")


def test_a_blocked_model_is_not_active(address: str) -> None:
    blocked = 'ALTER TABLE "LiteLLM_ProxyModelTable" ADD COLUMN blocked BOOLEAN DEFAULT true'
    assert only(address, "blocked", PARAMS, INFO, blocked).value["is_active"] is False


def test_rows_that_are_no_models_are_rejected_and_the_rest_is_read(address: str) -> None:
    rows: list[tuple[str, str, Any, Any]] = [
        ("a", "list", [1], None),
        ("b", "text", "no JSON", None),
        ("c", "info", {"model": "m"}, [5]),
        ("d", "route/*", PARAMS, None),
        ("e", "odd", {"model": ["m"]}, None),
        ("f", "good", PARAMS, None),
    ]
    found = items(make_litellm_database(address, "rejected", rows))
    assert [item.problem for item in found] == [
        "column litellm_params: must be a JSON object",
        "column litellm_params: not valid JSON, or too long",
        "column model_info: must be a JSON object",
        "is a route to any number of models, not one model",
        "litellm_params: must be a mapping with a model",
        None,
    ]


def test_the_tables_say_whose_database_it_is(address: str) -> None:
    url = make_litellm_database(address, "whose", [("m1", "gpt-4o", PARAMS, INFO)])
    with open_named_source(url, None) as source:
        assert (source.format, len(list(source.items()))) == (SourceFormat.LITELLM_DB, 1)
    with pytest.raises(SourceError, match="has neither a table model"), open_named_source(f"{address}postgres", None):
        pass
    with pytest.raises(SourceError, match="no table LiteLLM_ProxyModelTable"), read_litellm_db(f"{address}postgres"):
        pass
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE model (id TEXT)")
    named = pytest.raises(ConfigurationError, match="name one with --format openwebui-db or litellm-db")
    with named, open_named_source(url, None):
        pass
    with open_named_source(url, SourceFormat.LITELLM_DB) as source:
        assert len(list(source.items())) == 1
    refused = pytest.raises(ConfigurationError, match="can't be read as openwebui")
    with refused, open_named_source(url, SourceFormat.OPENWEBUI):
        pass


def test_a_proxy_is_imported_by_the_command(shell: CommandLine, store: Raw, address: str) -> None:
    url = make_litellm_database(address, "command", [("m1", "gpt-4o", PARAMS, INFO), ("m2", "gpt-4o", PARAMS, None)])
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    import_it = ("import", url, "--owner", "root", "--create-groups")
    rehearsed = shell.ok(*import_it, "--dry-run")
    assert rehearsed.startswith("read as litellm-db, since it is the URL of a database")
    assert rehearsed.endswith("3 changes, had this not been a dry run")
    assert shell.ok(*import_it).endswith("\n3 changes")
    assert shell.ok(*import_it).endswith("\n0 changes")
    assert store["models"].distinct("_id") == ["m1", "m2"]
    assert encrypted("sk-0123456789") not in dump(store) + rehearsed
    assert "planted-password" not in dump(store) + rehearsed


def test_a_file_is_no_such_database(shell: CommandLine) -> None:
    done = shell.run("import", __file__, "--format", "litellm-db")
    assert (done.status, "opened by its URL" in done.stderr) == (2, True)
