"""Databases of three versions: everything that has a field here is read, and no message contains a secret."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from service.errors import ConfigurationError
from service.importing.readers.openwebui_db import read_openwebui_db
from service.importing.records import ImportedGroup, ImportedModel, ImportedUser
from service.importing.source import Item, SourceError
from tests.support.directory import grant
from tests.support.openwebui_databases import EARLY, LATE, MIDDLE, insert, make_database

BUNDLE: dict[str, type[BaseModel]] = {"user": ImportedUser, "group": ImportedGroup, "model": ImportedModel}

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda *statements: make_database(tmp_path / "webui.db", *statements)


def read(path: Path | str) -> list[Item]:
    with read_openwebui_db(str(path)) as items:
        found = list(items())
        assert repr(list(items())) == repr(found)
    return found


def values(items: list[Item], kind: str) -> list[dict[str, Any]]:
    chosen = [item for item in items if item.kind == kind]
    assert [item.problem for item in chosen] == [None] * len(chosen)
    for item in chosen:
        if kind in BUNDLE:
            BUNDLE[kind].model_validate(item.value)
    return [item.value for item in chosen]


def notes(items: list[Item]) -> dict[str, tuple[str, ...]]:
    return {item.position: item.notes for item in items if item.notes}


def test_the_people_of_a_late_instance(make: Make) -> None:
    items = read(make(LATE))
    assert [item.kind for item in items[:4]] == ["user", "user", "group", "group"]
    assert values(items, "user") == [
        {"id": "ann", "name": "Ann", "email": "ann@x.org", "role": "admin", "is_active": True},
        {
            "id": "ben",
            "name": "Ben",
            "email": "ben@x.org",
            "role": "user",
            "is_active": True,
            "username": "benny",
        },
    ]
    assert values(items, "group") == [
        {"id": "all", "name": "All", "parent_id": None, "member_ids": []},
        {"id": "team", "name": "Team", "parent_id": "all", "member_ids": ["ann", "ben"]},
    ]


def test_the_models_of_a_late_instance_have_the_grants_that_are_for_models(make: Make) -> None:
    items = read(make(LATE))
    base, custom = values(items, "model")
    assert base["access_grants"] == [{"id": "a2", **grant("user:*")}]
    assert custom == {
        "id": "m",
        "user_id": "ben",
        "base_model_id": "gpt-4o",
        "name": "M",
        "params": {"temperature": 0.5},
        "meta": {"description": "d"},
        "is_active": False,
        "created_at": 1,
        "updated_at": 2,
        "access_grants": [{"id": "a1", **grant("group:team", "write")}],
    }
    assert notes(items)["row 'm' of model"] == (
        "access_grants.1.permission: Input should be 'read' or 'write'; left out",
    )


def test_what_is_left_out_is_noted_once_for_each_table(make: Make) -> None:
    found = notes(read(make(LATE, 'ALTER TABLE "user" ADD COLUMN bio TEXT')))
    assert found["row 'ann' of user"] == ("the table user: columns left out: bio",)
    assert found["row 'gpt-4o' of model"] == ("the table model: columns left out: version_id",)


def test_a_middle_instance_keeps_access_members_and_keys_in_columns(make: Make) -> None:
    items = read(make(MIDDLE))
    assert [(group["id"], group["member_ids"]) for group in values(items, "group")] == [
        ("team", ["ann", "ben"]),
        ("void", []),
    ]
    models = {model["id"]: model for model in values(items, "model")}
    assert {model_id: model["access_grants"] for model_id, model in models.items()} == {
        "gpt-4o": [grant("user:*")],
        "m-null": [grant("user:*")],
        "m-own": [],
        "m-team": [grant("group:team"), grant("user:ann", "write")],
    }
    assert list(models["m-null"]["params"]) == ["b", "a"]
    assert "meta" not in models["m-null"]
    assert [key["user_id"] for key in values(items, "api_key")] == ["ann"]
    assert values(items, "revision") == []


def test_who_waits_for_approval_comes_as_a_user_who_is_not_active(make: Make) -> None:
    items = read(make(MIDDLE))
    assert values(items, "user")[2] == {
        "id": "cy",
        "name": "Cy",
        "email": "cy@x.org",
        "role": "user",
        "is_active": False,
    }
    assert "approval" in notes(items)["row 'cy' of user"][0]


def test_an_early_instance_knew_no_access_so_its_models_are_their_owners(make: Make) -> None:
    [model] = values(read(make(EARLY)), "model")
    assert model["access_grants"] == []
    assert "is_active" not in model


def test_once_there_are_grants_what_columns_say_of_access_does_not_count(make: Make) -> None:
    late = make(LATE, "ALTER TABLE model ADD COLUMN access_control JSON")
    assert [grant["id"] for model in values(read(late), "model") for grant in model["access_grants"]] == ["a2", "a1"]


def test_once_there_is_a_table_of_keys_the_column_does_not_count(make: Make) -> None:
    withdrawn = 'ALTER TABLE "user" ADD COLUMN api_key VARCHAR; UPDATE "user" SET api_key = \'sk-withdrawn\''
    assert [key["user_id"] for key in values(read(make(LATE, withdrawn)), "api_key")] == ["ben"]


@pytest.mark.parametrize(
    ("version", "secret", "times"),
    [(MIDDLE, "sk-00000000000000000000000000000001", (None, None)), (LATE, "sk-" + "2".zfill(32), (1_900_000_000, 5))],
    ids=["middle", "late"],
)
def test_a_key_comes_with_its_secret_which_nothing_shows(make: Make, version: str, secret: str, times: Any) -> None:
    items = read(make(version))
    [key] = values(items, "api_key")
    assert isinstance(key["key"], SecretStr)
    assert key["key"].get_secret_value() == secret
    assert (key["name"], key["expires_at"], key["created_at"]) == ("Open WebUI", *times)
    assert secret not in f"{items!r} {items}"
    assert "$2b$" not in repr(items)


def test_a_key_that_is_no_text_does_not_show_either(make: Make) -> None:
    late = make(LATE)
    insert(late, "api_key", [("k2", "ann", b"sk-blob", None, 1)])
    [item] = [item for item in read(late) if item.problem]
    assert (item.kind, item.position, item.problem) == ("api_key", "api_key[1]", "column key: must be text")
    assert "blob" not in repr(item)


def test_the_history_says_what_each_change_left_behind_the_oldest_first(make: Make) -> None:
    items = read(make(LATE))
    base, first, second, third = values(items, "revision")
    assert base["content"] is None
    assert [revision["content"]["name"] for revision in (first, second, third)] == ["M0", "M1", "M"]
    assert first == {**first, "model_id": "m", "at": 7, "by": "ann", "message": None}
    assert third == {**third, "content": {"name": "M", "params": {}}, "message": "c"}
    assert all(len(bytes.fromhex(revision["id"])) == 16 for revision in (base, first, second, third))
    assert notes(items)["row 'h3' of model_history"] == ("access_grants: left out",)


def test_changes_that_name_each_other_as_the_one_before_all_come(make: Make) -> None:
    late = make(LATE)
    rows = [(f"c{number}", "m", f"c{(number + 1) % 3}", '{"name": "C"}', "ben", None, 9) for number in range(3)]
    insert(late, "model_history", rows)
    assert len(values(read(late), "revision")) == 7


@pytest.mark.parametrize("column", ["params", "meta", "access_control"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{bad", "not valid JSON: Expecting"),
        ("", "not valid JSON: Expecting"),
        ("[" * 50_000, "nested too deeply"),
        (b"\x00{}", "must be JSON as text"),
    ],
    ids=["broken", "empty", "deep", "blob"],
)
def test_a_malformed_column_is_named_with_its_row_and_table_and_gives_nobody_anything(
    make: Make, column: str, content: object, problem: str
) -> None:
    middle = make(MIDDLE)
    row = {"params": "{}", "meta": "{}", "access_control": None, column: content}
    insert(middle, "model", [("bad", "ben", "gpt-4o", "B", *row.values(), 1, 2, 1)])
    [item] = [item for item in read(middle) if item.problem]
    assert (item.kind, item.position, item.value) == ("model", "row 'bad' of model", {"id": "bad"})
    assert item.problem is not None
    assert item.problem.startswith(f"column {column}: {problem}")


def test_malformed_members_and_snapshots_are_named(make: Make) -> None:
    middle = make(MIDDLE)
    late = make_database(middle.with_name("late.db"), LATE)
    insert(middle, "group", [("bad", "ann", "Bad", "d", "[")])
    insert(late, "model_history", [("bad", "m", None, "[]", "ben", None, 8)])
    problems = [(item.position, item.problem) for path in (middle, late) for item in read(path) if item.problem]
    assert [position for position, _ in problems] == ["row 'bad' of group", "row 'bad' of model_history"]
    assert [str(problem).partition(":")[0] for _, problem in problems] == ["column user_ids", "column snapshot"]


def test_rows_that_hold_anything_are_left_to_the_engine_to_refuse(make: Make) -> None:
    late = make(LATE)
    odd: list[object] = [None, 2**63 - 1, 1.5, b"\xff", "", "a\0b", "*", "x" * 100_000]
    for number, value in enumerate(odd):
        insert(late, "group", [(f"g{number}", value, value)])
        insert(late, "access_grant", [(value or "", "model", value or "", value or "", value or "", value or "", 1)])
        insert(late, "model", [(f"o{number}", value, value, value, "5", '"m"', value, value, value or 2, None)])
        insert(late, "model_history", [(value or "?", value or "?", value, "5", value or "?", value, value or 1)])
    make_database(late, "INSERT INTO \"group\" VALUES (CAST(x'ff' AS TEXT), 'latin', NULL)")
    items = read(late)
    assert len([item for item in items if item.kind == "model"]) == 2 + len(odd)
    for item in items:
        if item.kind == "model" and item.value["id"].startswith("o"):
            with pytest.raises(ValueError, match="params"):
                BUNDLE["model"].model_validate(item.value)
    [latin] = [item for item in items if item.kind == "group" and item.value["name"] == "latin"]
    with pytest.raises(ValueError, match="id"):
        BUNDLE["group"].model_validate(latin.value)


def test_more_rows_than_are_looked_up_at_once_find_what_is_theirs(make: Make) -> None:
    late = make(LATE)
    insert(late, "group", [(f"g{number}", "G", None) for number in range(450)])
    insert(late, "group_member", [(f"g{number}", f"g{number}", f"u{number}") for number in range(450)])
    members = {group["id"]: group["member_ids"] for group in values(read(late), "group")}
    assert [members[f"g{number}"] for number in range(450)] == [[f"u{number}"] for number in range(450)]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["CREATE TABLE other (id TEXT)"], "has no table model"),
        ([LATE, "DROP TABLE model", "CREATE VIEW model AS SELECT 1 AS id"], "has no table model"),
        ([LATE, "ALTER TABLE access_grant DROP COLUMN principal_type"], "access_grant has no column principal_type"),
    ],
    ids=["another database", "a view", "a missing column"],
)
def test_a_database_of_another_kind_is_refused_with_a_reason(make: Make, statements: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(make(*statements))


def test_a_url_of_sqlite_is_a_path(make: Make) -> None:
    assert len(read(f"sqlite:///{make(EARLY)}")) == 2


def test_without_its_driver_postgresql_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"modeldeck\[postgres\]"):
        read("postgresql+psycopg2://me:secret@localhost/webui")


@pytest.mark.parametrize("url", ["mysql://me:secret@localhost/webui", "postgresql://me:secret@[x/webui"])
def test_an_address_that_cannot_be_used_does_not_show_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(url)
    assert "secret" not in str(caught.value)
