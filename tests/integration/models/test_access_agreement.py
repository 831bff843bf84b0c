"""The explanation of access agrees with the list and with the oracle for any stored values."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.models.access.sharing import PathKind
from tests.support.access_explanation import (
    PEOPLE,
    add_people,
    add_shared_model,
    explanation,
    path_summaries,
    permissions,
    readers,
)
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.oracle import Oracle

Raw = SyncDatabase[dict[str, Any]]

USERS, GROUPS, MODELS = repetitions(14, 20), repetitions(10, 12), repetitions(8, 16)


async def _shown(directory: Directory, user: str) -> dict[str, str]:
    """Return the models in the list of a user, each with its permission; none for a user who is refused."""
    answer = await directory.get(LIST, user, page_size=100)
    assert answer.status_code in {200, 401}
    items = answer.json().get("items", ())
    return {item["id"]: "write" if item["write_access"] else "read" for item in items}


async def _assert_agreement(directory: Directory, users: list[str], models: list[str], manager: str) -> None:
    """Assert that the explanation for each user agrees with their list."""
    shown = {user: await _shown(directory, user) for user in users}

    async def compare(model_id: str) -> None:
        listed = {user: shown[user][model_id] for user in users if model_id in shown[user]}
        assert await permissions(directory, manager, model_id) == listed, model_id
        for user in users:
            found = await explanation(directory, user, manager, model_id)
            assert found["can_read"] is (user in listed), (model_id, user)
            assert found["can_write"] is (listed.get(user) == "write"), (model_id, user)

    await asyncio.gather(*map(compare, models))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "parents",
    [
        {"top": "low"},
        {"top": "top", "low": "low"},
        {"top": "mid"},
        {"mid": "gone"},
        {"mid": ["aside", "top", 5]},
        {"mid": 5, "low": {"top": 1}},
    ],
    ids=str,
)
async def test_foreign_parents_of_groups_neither_hang_nor_mislead(
    directory: Directory, raw: Raw, tmp_path: Path, parents: dict[str, Any]
) -> None:
    await add_people(directory)
    shared = {name: [grant(f"group:{name}")] for name in ("top", "mid", "low", "aside")}
    shared["gone"] = [grant("group:top"), grant("group:mid", "write")]
    for model_id, grants in shared.items():
        await add_shared_model(directory, tmp_path, *grants, model_id=model_id)
    for group, parent in parents.items():
        raw.groups.update_one({"_id": group}, {"$set": {"parent_id": parent}})
    await _assert_agreement(directory, PEOPLE, list(shared), "root")

    raw.groups.delete_one({"_id": "top"})
    await _assert_agreement(directory, PEOPLE, list(shared), "root")


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "change",
    [
        *({"$unset": {field: 1}} for field in ("is_active", "role", "group_ids")),
        *({"$set": {"is_active": value}} for value in ("yes", 1, [True], None)),
        *({"$set": {"role": value}} for value in (["admin"], 5, None)),
        *({"$set": {"group_ids": value}} for value in ("top", None, 5, {"0": "top"}, [["top"]], [5, "mid", None])),
    ],
    ids=str,
)
async def test_malformed_users_may_do_what_the_list_lets_them(
    directory: Directory, raw: Raw, tmp_path: Path, change: dict[str, Any]
) -> None:
    await add_people(directory)
    for number, grants in enumerate([[], [grant("group:top")], [grant("user:*")]]):
        await add_shared_model(directory, tmp_path, *grants, model_id=f"m{number}")
    for user in PEOPLE:
        await directory.key(user)
    await directory.user("admin", role=Role.ADMIN)
    raw.users.update_many({"_id": {"$ne": "admin"}}, change)
    await _assert_agreement(directory, [*PEOPLE, "admin"], ["m0", "m1", "m2"], "admin")


def _people_of(made: random.Random) -> list[dict[str, Any]]:
    # The first is an active admin, who can send requests.
    return [
        {
            "id": f"u{at:02}",
            "name": f"User {at}",
            "email": f"u{at}@example.com",
            "role": "admin" if at == 0 or made.random() < 0.1 else "user",
            "is_active": at == 0 or made.random() < 0.85,
        }
        for at in range(USERS)
    ]


def _groups_of(made: random.Random, users: list[str]) -> list[dict[str, Any]]:
    # Some groups have the id of a user; a grant to one must not apply to the other.
    ids = [made.choice([f"g{at:02}", users[at]]) for at in range(GROUPS)]
    return [
        {
            "id": group,
            "name": f"Group {at}",
            "parent_id": made.choice([None, *ids[:at], *ids[:at]]),
            "member_ids": made.sample(users, made.randint(0, 5)),
        }
        for at, group in enumerate(ids)
    ]


def _bundle(seed: int) -> dict[str, list[dict[str, Any]]]:
    made = random.Random(seed)
    users = _people_of(made)
    ids = [user["id"] for user in users]
    groups = _groups_of(made, ids)
    principals = [*(f"user:{user}" for user in ids), *2 * [f"group:{group['id']}" for group in groups], "user:*"]
    models = []
    for at in range(MODELS):
        chosen = made.sample(principals, made.choice([0, 1, 2, 3, 6]))
        grants = [grant(principal, made.choice(["read", "write"])) for principal in chosen]
        models.append(model(f"m{at:02}", made.choice([*ids, "nobody"]), access_grants=grants))
    return {"users": users, "groups": groups, "models": models}


@pytest.mark.parametrize("seed", range(repetitions(1, 3)))
async def test_in_random_directories_the_explanation_is_what_the_list_shows(
    directory: Directory, raw: Raw, tmp_path: Path, seed: int
) -> None:
    bundle = _bundle(seed)
    report = await directory.load(bundle, tmp_path)
    assert report.clean, "\n".join(map(str, report.faults()))
    users, models = ([one["id"] for one in bundle[kind]] for kind in ("users", "models"))
    oracle = Oracle(bundle["users"], bundle["groups"], bundle["models"])
    for user in users:
        await directory.key(user)

    kinds = set()
    for model_id in models:
        pages = [await readers(directory, "u00", model_id, page=page, page_size=10) for page in (1, 2, 3)]
        items = [item for page in pages for item in page["items"]]
        expected = oracle.readers(model_id)
        explained = {item["user"]["id"]: (item["permission"], set(path_summaries(item["paths"]))) for item in items}
        assert list(explained) == sorted(explained)
        assert (explained, {page["total"] for page in pages}) == (expected, {len(expected)}), model_id
        kinds |= {path["kind"] for item in items for path in item["paths"]}
    assert kinds == set(PathKind)
    await _assert_agreement(directory, users, models, "u00")

    # Written past the service, groups can be in a cycle or have an absent parent.
    groups, made = [group["id"] for group in bundle["groups"]], random.Random(seed)
    for group in groups:
        raw.groups.update_one({"_id": group}, {"$set": {"parent_id": made.choice([*groups, "gone"])}})
    raw.groups.delete_one({"_id": made.choice(groups)})
    await _assert_agreement(directory, users, models, "u00")
