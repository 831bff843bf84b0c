"""The list agrees with the oracle for hundreds of random requests in a random directory."""

import asyncio
from pathlib import Path

import pytest

from tests.support.backends import on_each_backend
from tests.support.directory import Directory
from tests.support.every_case import repetitions
from tests.support.oracle import Parameters
from tests.support.random_directory import MODELS, REQUESTS, RandomDirectory

# Fewer, because mongomock is slow for each record.
FEWER_MODELS, FEWER_PAIRS = 50, REQUESTS * 3 // 20


@pytest.mark.parametrize("apart", [False, True], ids=["counted with the page", "counted at the same time"])
async def test_many_random_requests_are_answered_as_the_contract_says(
    random_directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch, *, apart: bool
) -> None:
    if apart:
        monkeypatch.setattr("service.listing.counting.KEYS_OF_A_CALL", -1)
    filled = await random_directory.compare(random_directory.pairs(REQUESTS))
    # Most pages must have items, or the comparison would prove little.
    assert REQUESTS > filled > REQUESTS // 3


@on_each_backend
async def test_random_requests_are_answered_as_the_contract_says(directory: Directory, tmp_path: Path) -> None:
    random_directory = await RandomDirectory.fill(directory, tmp_path, FEWER_MODELS)
    await random_directory.compare(random_directory.pairs(FEWER_PAIRS))


async def test_deleted_owners_find_nothing_and_their_models_show_no_user(random_directory: RandomDirectory) -> None:
    made, admin = random_directory.generator, random_directory.callers[0]
    for owner in (user for user in made.users if user["id"] in made.deleted):
        assert (await random_directory.directory.page(admin, query=owner["email"]))["total"] == 0
        await random_directory.compare(
            (admin, {"query": owner[field]}) for field in ("name", "username") if owner[field]
        )
    models = [
        item
        for page in range(1, 6)
        for item in (await random_directory.ask(admin, {"page": page, "page_size": 100}))["items"]
    ]
    gone = {model["id"] for model in made.models if model["user_id"] in made.deleted}
    users = {user["id"] for user in made.users}
    nobody = {model["id"] for model in made.models if model["user_id"] not in users}
    assert gone
    assert nobody
    assert {item["id"] for item in models if item["user"] is None} == gone | nobody


@pytest.mark.parametrize("order_by", ["name", "created_at", "updated_at"])
async def test_all_pages_together_are_the_whole_list_once_and_in_order(
    random_directory: RandomDirectory, order_by: str
) -> None:
    async def walk(user_id: str, parameters: Parameters) -> None:
        expected, walked = random_directory.oracle.ordered(user_id, parameters), list[str]()
        for page in range(1, MODELS):
            answer = await random_directory.ask(user_id, {**parameters, "page": page})
            assert answer.get("total") == len(expected), (user_id, parameters, page, answer)
            if not answer["items"]:
                break
            walked += [item["id"] for item in answer["items"]]
        assert walked == expected, (user_id, parameters)

    walks = []
    for number, user_id in enumerate(random_directory.callers[: repetitions(3, 6)]):
        size: Parameters = {"page_size": 5 + 4 * number} if number else {}
        walks += [walk(user_id, {**size, "order_by": order_by, "direction": way}) for way in ("asc", "desc")]
    await asyncio.gather(*walks)
