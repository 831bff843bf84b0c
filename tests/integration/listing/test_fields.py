"""Lists of some fields of the models only."""

import random
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from tests.conftest import Commands
from tests.support.backends import on_each_backend
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions

META = {"description": "Reads.", "tags": [{"name": "sql"}], "a.b": 1, "$c": 2, "extra": {"deep": [1]}}


async def _filled(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob", "wil"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    grants = [grant("user:bob"), grant("user:wil", "write")]
    secret = {"system": "A secret prompt.", "temperature": 0.1}
    models = [
        model("m", "ann", params=secret, meta=META, access_grants=grants, base_model_id="base"),
        model("plain", "gone", access_grants=grants),
    ]
    await directory.load({"models": models}, tmp_path)


@on_each_backend
async def test_items_hold_what_was_asked_for(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)

    async def shown(user: str, fields: str) -> dict[str, Any]:
        page = await directory.page(user, fields=fields, id="m")
        [item] = page["items"]
        return dict(item)

    assert await shown("bob", "id") == {"id": "m"}
    assert await shown("bob", " name , version ,name") == {"id": "m", "name": "Name of m", "version": 1}
    assert await shown("bob", "user") == {
        "id": "m",
        "user": {"id": "ann", "name": "Name of ann", "email": "ann@example.com"},
    }
    assert await shown("bob", "meta.description,meta.absent") == {"id": "m", "meta": {"description": "Reads."}}
    assert await shown("bob", "meta.a.b,meta.$c,meta.extra") == {
        "id": "m",
        "meta": {"a.b": 1, "$c": 2, "extra": {"deep": [1]}},
    }
    assert await shown("bob", "meta.capabilities") == {"id": "m", "meta": {"capabilities": {}}}
    assert (await shown("bob", "meta,meta.extra"))["meta"].keys() >= META.keys()
    assert await shown("bob", "write_access,params") == {"id": "m", "write_access": False, "params": {}}
    assert await shown("bob", "params.system") == {"id": "m", "params": {}}
    assert await shown("wil", "params.system") == {"id": "m", "params": {"system": "A secret prompt."}}
    assert await shown("wil", "write_access") == {"id": "m", "write_access": True}


async def test_every_choice_of_fields_shows_the_same_values_as_all(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    chance = random.Random(3)
    for user in ("ann", "bob", "wil", "root"):
        whole = (await directory.page(user, order_by="name"))["items"]
        for _ in range(repetitions(4, 200)):
            names = chance.sample(sorted(whole[0]), chance.randint(1, 6))
            page = await directory.page(user, order_by="name", fields=",".join(names), page_size=1)
            page["items"] += (await directory.page(user, order_by="name", fields=",".join(names), page=2, page_size=1))[
                "items"
            ]
            expected = [{name: item[name] for name in item if name in {*names, "id"}} for item in whole]
            assert page["items"] == expected, (user, names)


async def test_nothing_is_read_that_was_not_asked_for(directory: Directory, tmp_path: Path, commands: Commands) -> None:
    await _filled(directory, tmp_path)
    await directory.page("bob")
    commands.clear()
    await directory.page("bob", fields="name,meta.description", order_by="name")
    [(_, command)] = commands.on("models")
    assert "$lookup" not in str(command)
    [project] = [stage["$project"] for stage in command["pipeline"] if "$project" in stage]
    assert set(project) == {"name", "meta.description", "keys.name", "__part", "__large_bytes"}


async def test_large_parts_of_models_are_read_part_by_part(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    filler = "x" * 300_000
    models = [
        model(f"m{at}", "ann", params={"system": filler, "top": at}, meta={"big": filler[:150_000]}) for at in range(8)
    ]
    await directory.load({"models": models}, tmp_path)
    page = await directory.page("ann", fields="params,name", direction="asc")
    assert [item["params"]["top"] for item in page["items"]] == [*range(8)]
    assert all(item["params"]["system"] == filler and item.keys() == {"id", "name", "params"} for item in page["items"])
    page = await directory.page("ann", fields="meta.big,params.top", direction="asc", page_size=3)
    assert [(item["params"], len(item["meta"]["big"])) for item in page["items"]] == [
        ({"top": at}, 150_000) for at in range(3)
    ]
    assert page["next_cursor"]


UNKNOWN = ["", ",", "name,", "surprise", "Name", "meta.", ".description", "user.name", "keys", "keys.name", "$name"]


@pytest.mark.parametrize("fields", UNKNOWN)
async def test_unknown_fields_are_refused_with_those_that_exist(directory: Directory, fields: str) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", fields=fields)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["loc"][:2] == ["query", "fields"]
    assert "write_access" in error["msg"]
    assert "meta.<name>" in error["msg"]
