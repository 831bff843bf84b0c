"""Listings without pages over REST: base models, exports, tags."""

from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from tests.conftest import Raw
from tests.support.directory import Directory, grant, model

BASE, EXPORT, TAGS = "/api/models/base", "/api/models/export", "/api/models/tags"


def _tagged(*names: str) -> dict[str, Any]:
    return {"tags": [{"name": name} for name in names]}


async def _filled(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("base/a", "ann", meta=_tagged("Chat", "vision"), access_grants=[grant("user:*")]),
        model("base/b", "ann", meta=_tagged("secret")),
        model("mine", "bob", base_model_id="base/a", meta=_tagged("chat"), params={"system": "bob's"}),
        model("shared", "ann", base_model_id="base/a", params={"system": "ann's"}, access_grants=[grant("user:bob")]),
    ]
    await directory.load({"models": models}, tmp_path)


async def _ids(directory: Directory, path: str, user: str, **parameters: Any) -> list[str]:
    answer = await directory.get(path, user, **parameters)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


async def test_base_models_are_those_without_a_base(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert await _ids(directory, BASE, "root") == ["base/a", "base/b"]
    assert await _ids(directory, BASE, "bob") == ["base/a"]
    assert await _ids(directory, BASE, "ann", tag="VISION") == ["base/a"]


async def test_an_export_holds_all_that_the_caller_may_read(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert await _ids(directory, EXPORT, "root") == ["base/a", "base/b", "mine", "shared"]
    exported = (await directory.get(EXPORT, "bob")).json()
    listed = (await directory.page("bob"))["items"]
    assert exported == sorted(listed, key=lambda item: item["id"])
    assert {item["id"]: item["params"] for item in exported} == {
        "base/a": {},
        "mine": {"system": "bob's"},
        "shared": {},
    }


async def test_an_export_of_some_models(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert await _ids(directory, EXPORT, "bob", id=["shared", "mine", "mine"]) == ["mine", "shared"]
    assert await _ids(directory, "/api/v1/models/export", "bob", ids=["mine"], id=["shared"]) == ["mine", "shared"]


async def test_an_export_of_hidden_models_is_one_of_absent_models(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    hidden = await directory.get(EXPORT, "bob", id=["mine", "base/b"])
    absent = await directory.get(EXPORT, "bob", id=["mine", "base/x"])
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace("base/b", "base/x") == absent.text


async def test_tags_are_those_of_readable_models(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert (await directory.get(TAGS, "root")).json() == ["Chat", "secret", "vision"]
    assert (await directory.get(TAGS, "bob")).json() == ["Chat", "vision"]


async def test_a_tag_is_named_as_most_of_the_readable_models_name_it(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    shared = {"access_grants": [grant("user:bob")]}
    models = [
        model("a", "ann", meta=_tagged("sql", "SQL", "SQL", "SQL"), **shared),
        model("b", "ann", meta=_tagged("sql", "Größe"), **shared),
        model("c", "ann", meta=_tagged("ＳＱＬ", "GRÖSSE"), **shared),
        *(model(f"hidden{number}", "ann", meta=_tagged("Sql")) for number in range(3)),
    ]
    await directory.load({"models": models}, tmp_path)
    assert (await directory.get(TAGS, "ann")).json() == ["GRÖSSE", "Sql"]
    assert (await directory.get(TAGS, "bob")).json() == ["GRÖSSE", "sql"]


@pytest.mark.parametrize("tags", [5, {"name": "x"}, [{"name": 5}, {"name": ["a"]}, "text", None, {"name": "good"}]])
async def test_malformed_tags_do_no_harm(directory: Directory, tmp_path: Path, raw: Raw, tags: Any) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("a", "ann", meta=_tagged("sql")), model("b", "ann")]}, tmp_path)
    raw.models.update_one({"_id": "b"}, {"$set": {"meta.tags": tags, "keys.tags": ["x"]}})
    answer = await directory.get(TAGS, "ann")
    assert answer.json() == (["good", "sql"] if isinstance(tags, list) else ["sql"])


@pytest.mark.parametrize("path", [BASE, EXPORT, TAGS])
async def test_of_an_empty_directory(directory: Directory, path: str) -> None:
    await directory.user("ann")
    answer = await directory.get(path, "ann")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("count", [99, 100, 101, 250])
async def test_no_model_is_lost_or_doubled_between_batches(directory: Directory, tmp_path: Path, count: int) -> None:
    await directory.user("ann")
    ids = [f"m{number:03}" for number in range(count)]
    await directory.load({"models": [model(model_id, "ann") for model_id in reversed(ids)]}, tmp_path)
    assert await _ids(directory, EXPORT, "ann") == ids


@pytest.mark.parametrize(
    ("query", "loc"), [("id=", ["query", "id", 0]), ("id=a%20b", ["query", "id", 0]), ("ids=a", ["query", "ids"])]
)
async def test_bad_parameters_of_an_export(directory: Directory, query: str, loc: list[Any]) -> None:
    await directory.user("ann")
    answer = await directory.get(f"{EXPORT}?{query}", "ann")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == loc
