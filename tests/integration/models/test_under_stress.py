"""Large, contended and malformed records: responses in bounded time, no 5xx, nothing lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.models.grants import GrantChanges
from tests.support.directory import Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]
MODELS = "/api/models"
MODEL = f"{MODELS}/model"


async def _people(directory: Directory) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)


async def test_changes_of_all_kinds_at_once_leave_every_version_recorded(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    await _people(directory)
    ids = [f"m{number}" for number in range(12)]
    await directory.load({"models": [model(one, "ann") for one in ids]}, tmp_path)
    states = [{"filter": {}, "is_active": number % 2 == 0} for number in range(4)]
    changes = [
        *(directory.post(f"{MODEL}/toggle", "ann", id=one) for one in ids * 3),
        *(directory.post(f"{MODELS}/bulk/state", "ann", state) for state in states),
        *(directory.post(f"{MODELS}/import", "ann", {"models": [{"id": one, "name": "N"}]}) for one in ids),
        *(directory.post(f"{MODELS}/sync", "root", {"models": [{"id": one} for one in ids]}) for _ in range(2)),
    ]
    answers = await asyncio.gather(*changes)
    assert {answer.status_code for answer in answers} == {200}
    for one in ids:
        version = (await directory.get(MODEL, "ann", id=one)).json()["version"]
        assert sorted(raw.revisions.distinct("version", {"model_id": one})) == list(range(1, version + 1))
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_an_answer_to_a_body_that_is_wrong_everywhere_is_bounded(directory: Directory) -> None:
    await _people(directory)
    wrong = {"id": "m", "name": "N", **{f"field {number}": 1 for number in range(90)}, "x" * 50_000: 1}
    answer = await directory.post(f"{MODELS}/import", "ann", {"models": [wrong] * 100})
    assert answer.status_code == 422
    assert len(answer.content) < 50_000
    assert len(answer.json()["errors"]) == 100
    assert answer.json()["detail"].endswith("; and more")


def test_an_amendment_looks_grants_up() -> None:
    kept = [{**grant(f"user:u{number}"), "id": str(number)} for number in range(5_000)]
    removed = [{**grant(f"user:u{number}"), "permission": None} for number in range(2_500, 10_000)]
    record = {"_id": "m", "access_grants": kept}
    # Comparing every removal with every grant would take minutes.
    for _ in range(20):
        assert GrantChanges(removed, []).apply(record) == kept[:2_500]


async def test_a_deleted_id_stays_its_owners(directory: Directory, tmp_path: Path) -> None:
    await _people(directory)
    await directory.load({"models": [model("m", "ann", access_grants=[grant("user:bob", "write")])]}, tmp_path)
    assert (await directory.post(f"{MODEL}/delete", "bob", {"id": "m"})).json() is True
    body = {"id": "m", "name": "Mine now"}
    assert (await directory.post(f"{MODELS}/create", "bob", body)).status_code == 409
    taken = await directory.post(f"{MODELS}/import", "bob", {"models": [body]})
    assert taken.json()["errors"][0]["msg"] == "This model id is taken."
    assert (await directory.post(f"{MODELS}/create", "ann", body)).status_code == 200
    assert (await directory.post(f"{MODEL}/delete", "ann", {"id": "m"})).json() is True
    assert (await directory.post(f"{MODELS}/create", "root", body)).status_code == 200


async def test_a_model_that_is_not_selected_any_more_is_left_alone(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _people(directory)
    tagged = {"tags": [{"name": "draft"}]}
    await directory.load({"models": [model(f"m{n}", "ann", meta=tagged) for n in range(3)]}, tmp_path)
    from service.models import bulk_change  # noqa: PLC0415

    together = bulk_change._change_together

    async def meanwhile(*arguments: Any) -> Any:
        await directory.post(f"{MODEL}/update", "ann", {"id": "m1", "meta": {"tags": ["live"]}})
        return await together(*arguments)

    monkeypatch.setattr(bulk_change, "_change_together", meanwhile)
    body = {"filter": {"tag": "draft"}, "is_active": False}
    answer = (await directory.post(f"{MODELS}/bulk/state", "ann", body)).json()
    assert [result["id"] for result in answer["results"]] == ["m0", "m2"]
    assert answer["complete"] is True


@pytest.mark.parametrize("foreign", [ObjectId("6b059cc40d5be542bd834e77"), 7, {"a": 1}], ids=repr)
async def test_a_record_whose_id_is_no_string_blocks_nobody(
    directory: Directory, raw: Raw, tmp_path: Path, foreign: Any
) -> None:
    await _people(directory)
    await directory.load({"models": [model(f"m{n:03}", "ann") for n in range(110)]}, tmp_path)
    raw.models.insert_one({**dict(raw.models.find_one({"_id": "m000"}) or {}), "_id": foreign})
    exported = (await directory.get(f"{MODELS}/export", "root")).json()
    assert len(exported) == 110
    shared = {"filter": {}, "add": [grant("user:bob")]}
    assert (await directory.post(f"{MODELS}/bulk/access", "root", shared)).json()["counts"]["changed"] == 110
    body = {"models": [{"id": "m000"}], "max_deletions": "100%"}
    assert (await directory.post(f"{MODELS}/sync", "root", body)).json()["counts"]["delete"] == 109
    assert any("id" in problem for problem in (await examine(directory.database, repair=False)).examples)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"keys.writers": [{"a": 1}, ["x"]]}},
        {"$set": {"version": "模\n型"}},
        {"$unset": {"is_active": 1}},
        {"$unset": {"version": 1}},
    ],
)
async def test_a_malformed_record_can_be_seen_and_deleted(
    directory: Directory, raw: Raw, tmp_path: Path, change: Any
) -> None:
    await _people(directory)
    await directory.load({"models": [model("m", "ann", access_grants=[grant("user:bob")])]}, tmp_path)
    raw.models.update_one({"_id": "m"}, change)
    for user in ("ann", "bob", "root"):
        for path in (f"{MODELS}/list", f"{MODELS}/export", f"{MODELS}/base"):
            assert (await directory.get(path, user)).status_code == 200
        assert (await directory.get(MODEL, user, id="m")).status_code == 200
    assert (await directory.post(f"{MODEL}/delete", "root", {"id": "m"})).json() is True


async def test_a_share_of_deletions_ends_with_its_sign(directory: Directory) -> None:
    await _people(directory)
    answer = await directory.post(f"{MODELS}/sync", "root", {"models": [{"id": "r"}], "max_deletions": "10%\n"})
    assert answer.status_code == 422
