"""All other routes that read or select models agree with the oracle about access."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from documents import Revision
from tests.support.every_case import sample
from tests.support.oracle import COMPARED_FIELDS, has_tag
from tests.support.random_directory import CLIENTS, REQUESTS, RandomDirectory

MODELS = "/api/models"
GETS, SUBSETS, EXPLANATIONS = REQUESTS, REQUESTS // 16, REQUESTS // 6
FORMATS = ("modeldeck", "openwebui", "jsonl", "csv")


async def _each(things: Iterable[Any], ask: Callable[[Any], Awaitable[None]]) -> None:
    """Call a function for each of these, a few at a time."""
    waiting = iter(things)

    async def client() -> None:
        for thing in waiting:
            await ask(thing)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def _pairs(random_directory: RandomDirectory, count: int) -> list[tuple[str, str]]:
    random, models = random_directory.generator.random, random_directory.generator.models
    return [(random.choice(random_directory.callers), random.choice(models)["id"]) for _ in range(count)]


def _compared(item: dict[str, Any]) -> dict[str, Any]:
    return {field: item[field] for field in COMPARED_FIELDS}


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
async def test_one_model(random_directory: RandomDirectory, prefix: str) -> None:
    seen = set()

    async def ask(pair: tuple[str, str]) -> None:
        user_id, model_id = pair
        answer = await random_directory.directory.get(f"{prefix}/models/model", user_id, id=model_id)
        expected = random_directory.oracle.item(user_id, model_id)
        found = _compared(answer.json()) if answer.status_code == 200 else None
        assert found == expected, pair
        assert answer.status_code in (200, 404)
        seen.add(answer.status_code)

    await _each(_pairs(random_directory, GETS // 2), ask)
    assert seen == {200, 404}


async def test_a_hidden_model_and_an_absent_one_are_answered_alike_everywhere(
    random_directory: RandomDirectory,
) -> None:
    reads = ("model", "model/access", "model/history", "model/profile/image", "export")

    async def ask(pair: tuple[str, str]) -> None:
        user_id, model_id = pair
        if random_directory.oracle.item(user_id, model_id) is not None:
            return
        for path in reads:
            hidden = await random_directory.directory.get(f"{MODELS}/{path}", user_id, id=model_id)
            absent = await random_directory.directory.get(f"{MODELS}/{path}", user_id, id="absent")
            assert hidden.status_code == absent.status_code == 404, (path, pair)
            # The error of an export contains the ids that were not found.
            reported = {**hidden.json(), "detail": hidden.json()["detail"].replace(model_id, "absent")}
            assert reported == absent.json()
            assert hidden.headers.keys() == absent.headers.keys()

    await _each(_pairs(random_directory, SUBSETS), ask)


async def test_whole_exports(random_directory: RandomDirectory) -> None:
    async def ask(user_id: str) -> None:
        expected = [
            random_directory.oracle.item(user_id, model["id"]) for model in random_directory.oracle.readable(user_id)
        ]
        found = [_compared(item) for item in (await random_directory.directory.get(f"{MODELS}/export", user_id)).json()]
        assert found == expected, user_id

    await _each(sample(random_directory.callers, 2), ask)


async def test_exports_of_some_models(random_directory: RandomDirectory) -> None:
    random, ids = random_directory.generator.random, [model["id"] for model in random_directory.generator.models]

    async def ask(user_id: str) -> None:
        readable = [model["id"] for model in random_directory.oracle.readable(user_id)]
        asked = random.sample(random.choice([ids, readable, readable]), 3)
        answer = await random_directory.directory.get(f"{MODELS}/export", user_id, id=asked)
        if set(asked) <= set(readable):
            assert [item["id"] for item in answer.json()] == sorted(asked), user_id
        else:
            assert answer.status_code == 404, user_id
            missing = [model_id for model_id in asked if model_id not in readable]
            assert answer.json()["detail"].endswith(f": {', '.join(missing)}")

    await _each(random.choices(random_directory.callers, k=SUBSETS), ask)


async def test_tags_and_base_models(random_directory: RandomDirectory) -> None:
    async def ask(user_id: str) -> None:
        readable = random_directory.oracle.readable(user_id)
        names = random_directory.oracle.tags(user_id)
        assert (await random_directory.directory.get(f"{MODELS}/tags", user_id)).json() == names, user_id
        bases = [model for model in readable if model["base_model_id"] is None]
        found = (await random_directory.directory.get(f"{MODELS}/base", user_id)).json()
        assert [item["id"] for item in found] == [model["id"] for model in bases], user_id
        tag = next(iter(names), "absent")
        tagged = [model["id"] for model in bases if has_tag(model, tag)]
        found = (await random_directory.directory.get(f"{MODELS}/base", user_id, tag=tag)).json()
        assert [item["id"] for item in found] == tagged, (user_id, tag)

    await _each(sample(random_directory.callers, 2), ask)


async def test_histories_are_for_those_who_may_write(random_directory: RandomDirectory) -> None:
    async def ask(pair: tuple[str, str]) -> None:
        user_id, model_id = pair
        item = random_directory.oracle.item(user_id, model_id)
        expected = 404 if item is None else 200 if item["write_access"] else 403
        answer = await random_directory.directory.get(f"{MODELS}/model/history", user_id, id=model_id)
        assert answer.status_code == expected, pair
        assert expected != 200 or answer.json()["total"] >= 1
        for revision in answer.json().get("items", ())[:1]:
            assert revision["model_id"] == model_id
            known.add(revision["id"])

    known: set[str] = set()
    await _each(_pairs(random_directory, EXPLANATIONS), ask)
    shown = {one["_id"]: one["model_id"] for one in await random_directory.directory.database.find(Revision, {})}
    assert known <= shown.keys()

    async def ask_for_one(pair: tuple[str, str]) -> None:
        user_id, revision_id = pair
        item = random_directory.oracle.item(user_id, shown[revision_id])
        expected = 404 if item is None else 200 if item["write_access"] else 403
        answer = await random_directory.directory.get(f"{MODELS}/model/history/{revision_id}", user_id)
        assert answer.status_code == expected, pair

    random = random_directory.generator.random
    await _each(
        [(random.choice(random_directory.callers), random.choice(sorted(known))) for _ in range(EXPLANATIONS)],
        ask_for_one,
    )


async def test_images_are_for_those_who_may_read(random_directory: RandomDirectory) -> None:
    async def ask(pair: tuple[str, str]) -> None:
        user_id, model_id = pair
        answer = await random_directory.directory.get(f"{MODELS}/model/profile/image", user_id, id=model_id)
        assert answer.status_code == (404 if random_directory.oracle.item(user_id, model_id) is None else 307), pair

    await _each(_pairs(random_directory, EXPLANATIONS), ask)


def _exported(kind: str, text: str) -> list[Any]:
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    if kind == "jsonl":
        lines = [json.loads(line) for line in text.split("\n") if line]
        return [line for line in lines if line["kind"] == "model"]
    found = json.loads(text)
    return list(found["models"] if kind == "modeldeck" else found)


@pytest.mark.parametrize("kind", FORMATS)
async def test_exports_as_files(random_directory: RandomDirectory, kind: str) -> None:
    async def ask(user_id: str) -> None:
        answer = await random_directory.directory.get(f"{MODELS}/export", user_id, format=kind)
        found = _exported(kind, answer.text)
        expected = [
            random_directory.oracle.item(user_id, model["id"]) or {}
            for model in random_directory.oracle.readable(user_id)
        ]
        # In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.
        ids = [[one["id"].lstrip("'") for one in items] for items in (found, expected)]
        assert ids[0] == ids[1], user_id
        # Only those who may write get the params.
        reported = [item["write_access"] for one, item in zip(found, expected, strict=True) if "secret of" in str(one)]
        assert all(reported), user_id
        people = answer.text.count('"kind":"user"') if kind == "jsonl" else answer.text.count('"member_ids"')
        assert bool(people) == (random_directory.oracle.is_admin(user_id) and kind in ("modeldeck", "jsonl")), user_id

    await _each(sample(random_directory.callers, 4), ask)


async def test_explanations_of_access(random_directory: RandomDirectory) -> None:
    async def ask(pair: tuple[str, str]) -> None:
        user_id, model_id = pair
        asker = random_directory.generator.random.choice(random_directory.callers)
        answer = await random_directory.directory.get(f"{MODELS}/model/access", asker, id=model_id, user_id=user_id)
        if random_directory.oracle.item(asker, model_id) is None:
            assert answer.status_code == 404, (asker, pair)
        elif asker != user_id and not random_directory.oracle.may_manage(asker, model_id):
            assert answer.status_code == 403, (asker, pair)
        else:
            item = random_directory.oracle.item(user_id, model_id)
            reported = (answer.json()["can_read"], answer.json()["can_write"])
            assert reported == (item is not None, item is not None and item["write_access"]), (asker, pair)

    await _each(_pairs(random_directory, EXPLANATIONS), ask)


@pytest.mark.parametrize("by_filter", [False, True])
async def test_bulk_changes_touch_what_the_caller_may_change_and_nothing_else(
    random_directory: RandomDirectory, by_filter: bool
) -> None:
    """Bulk changes without effect, so that the oracle stays correct; their results show who may change what."""
    ids = [model["id"] for model in random_directory.generator.models]

    async def ask(user_id: str) -> None:
        selected: dict[str, Any] = {"filter": {}} if by_filter else {"ids": ids}
        nobody = [{"principal_type": "user", "principal_id": "never-was"}]
        answer = await random_directory.directory.post(f"{MODELS}/bulk/access", user_id, {**selected, "remove": nobody})
        statuses = {result["id"]: result["status"] for result in answer.json()["results"]}
        managed = {model_id for model_id in ids if random_directory.oracle.may_manage(user_id, model_id)}
        assert {model_id for model_id, status in statuses.items() if status == "unchanged"} == managed, user_id
        assert set(statuses.values()) <= {"unchanged"} | (set() if by_filter else {"not_found"})
        for state in (True, False):
            chosen = [m["id"] for m in random_directory.generator.models if m["is_active"] is state]
            selected = {"filter": {"is_active": state}} if by_filter else {"ids": chosen}
            answer = await random_directory.directory.post(
                f"{MODELS}/bulk/state", user_id, {**selected, "is_active": state}
            )
            items = [(model_id, random_directory.oracle.item(user_id, model_id)) for model_id in chosen]
            writable = {model_id for model_id, item in items if item and item["write_access"]}
            unchanged = {r["id"] for r in answer.json()["results"] if r["status"] == "unchanged"}
            assert unchanged == writable, (user_id, state)

    await _each(sample(random_directory.callers, 6), ask)
