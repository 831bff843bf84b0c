"""Listings without pages over REST: base models, exports, tags."""

from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
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


async def test_base_models_are_those_without_a_base(real_directory: Directory, tmp_path: Path) -> None:
    await _filled(real_directory, tmp_path)
    assert await _ids(real_directory, BASE, "root") == ["base/a", "base/b"]
    assert await _ids(real_directory, BASE, "bob") == ["base/a"]
    assert await _ids(real_directory, BASE, "ann", tag="VISION") == ["base/a"]


async def test_an_export_holds_all_that_the_caller_may_read(real_directory: Directory, tmp_path: Path) -> None:
    await _filled(real_directory, tmp_path)
    assert await _ids(real_directory, EXPORT, "root") == ["base/a", "base/b", "mine", "shared"]
    exported = (await real_directory.get(EXPORT, "bob")).json()
    listed = (await real_directory.page("bob"))["items"]
    assert exported == sorted(listed, key=lambda item: item["id"])
    assert {item["id"]: item["params"] for item in exported} == {
        "base/a": {},
        "mine": {"system": "bob's"},
        "shared": {},
    }


async def test_an_export_of_some_models(real_directory: Directory, tmp_path: Path) -> None:
    await _filled(real_directory, tmp_path)
    assert await _ids(real_directory, EXPORT, "bob", id=["shared", "mine", "mine"]) == ["mine", "shared"]
    assert await _ids(real_directory, "/api/v1/models/export", "bob", ids=["mine"], id=["shared"]) == ["mine", "shared"]


async def test_an_export_of_hidden_models_is_one_of_absent_models(real_directory: Directory, tmp_path: Path) -> None:
    await _filled(real_directory, tmp_path)
    hidden = await real_directory.get(EXPORT, "bob", id=["mine", "base/b"])
    absent = await real_directory.get(EXPORT, "bob", id=["mine", "base/x"])
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace("base/b", "base/x") == absent.text


async def test_tags_are_those_of_readable_models(real_directory: Directory, tmp_path: Path) -> None:
    await _filled(real_directory, tmp_path)
    assert (await real_directory.get(TAGS, "root")).json() == ["Chat", "chat", "secret", "vision"]
    assert (await real_directory.get(TAGS, "bob")).json() == ["Chat", "chat", "vision"]


@pytest.mark.parametrize("path", [BASE, EXPORT, TAGS])
async def test_of_an_empty_directory(real_directory: Directory, path: str) -> None:
    await real_directory.user("ann")
    answer = await real_directory.get(path, "ann")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("count", [99, 100, 101, 250])
async def test_no_model_is_lost_or_doubled_between_batches(
    real_directory: Directory, tmp_path: Path, count: int
) -> None:
    await real_directory.user("ann")
    ids = [f"m{number:03}" for number in range(count)]
    await real_directory.load({"models": [model(model_id, "ann") for model_id in reversed(ids)]}, tmp_path)
    assert await _ids(real_directory, EXPORT, "ann") == ids


@pytest.mark.parametrize(
    ("query", "loc"), [("id=", ["query", "id", 0]), ("id=a%20b", ["query", "id", 0]), ("ids=a", ["query", "ids"])]
)
async def test_bad_parameters_of_an_export(real_directory: Directory, query: str, loc: list[Any]) -> None:
    await real_directory.user("ann")
    answer = await real_directory.get(f"{EXPORT}?{query}", "ann")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == loc
