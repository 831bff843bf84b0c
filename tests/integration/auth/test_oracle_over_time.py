"""A changing directory against the oracle: after every change, the lists of all users are correct at once."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import Response

from documents.user import Role
from service.doctor import examine
from tests.support.directory import Directory, grant
from tests.support.every_case import repetitions
from tests.support.oracle import Oracle, compared, difference

USERS, GROUPS, STEPS = 8, 5, repetitions(25, 150)
MODELS = "/api/models"
WORDS = ["Alpha", "beta", "Gamma", "STRASSE", "straße", "ﬁsh", "delta"]


class Life:
    """The service and a model of the directory in plain values; random changes are made to both."""

    def __init__(self, directory: Directory, seed: int) -> None:
        self.random = random.Random(seed)
        self.directory = directory
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.made = 0

    async def begin(self) -> None:
        for number in range(GROUPS):
            group_id = f"g{number}"
            await self.directory.group(group_id)
            self.groups[group_id] = {"id": group_id, "parent_id": None, "member_ids": []}
        for number in range(USERS):
            role = Role.ADMIN if number == 0 else Role.USER
            await self._arrive(f"u{number}", role)

    async def _arrive(self, user_id: str, role: Role = Role.USER) -> None:
        await self.directory.user(user_id, role=role, username=None)
        fields = {"name": f"Name of {user_id}", "email": f"{user_id}@example.com", "username": None}
        self.users[user_id] = {"id": user_id, "role": role.value, **fields}

    async def check(self, step: str) -> None:
        """Compare the lists of three users with the expected ones."""
        shown = (await self.directory.get(f"{MODELS}/export", "u0")).json()
        assert {item["id"] for item in shown} == self.models.keys(), step
        for item in shown:
            self.models[item["id"]] |= {field: item[field] for field in ("created_at", "updated_at")}
        oracle = Oracle(self.users.values(), self.groups.values(), self.models.values())
        for user_id in self.random.sample(sorted(self.users), 3):
            parameters: dict[str, Any] = {"order_by": self.random.choice(["name", "created_at"]), "page_size": 100}
            if self.random.random() < 0.5:
                parameters["query"] = self.random.choice([*WORDS, "name of", "u1@", "renamed"])
            actual = compared(await self.directory.page(user_id, **parameters))
            expected = oracle.answer(user_id, parameters)
            assert actual == expected, f"{step}\n{difference(user_id, parameters, expected, actual)}"

    def anybody(self) -> str:
        return self.random.choice(sorted(self.users))

    def may(self, user_id: str, model_id: str) -> tuple[bool, bool, bool]:
        """Return whether a user may read, write and manage a model."""
        oracle = Oracle(self.users.values(), self.groups.values(), self.models.values())
        item = oracle.item(user_id, model_id)
        return item is not None, bool(item and item["write_access"]), oracle.may_manage(user_id, model_id)

    def grants(self) -> list[dict[str, str]]:
        everyone = [f"user:{user}" for user in self.users] + [f"group:{group}" for group in self.groups] + ["user:*"]
        chosen = self.random.sample(everyone, self.random.choice([0, 1, 2]))
        return [grant(principal, self.random.choice(["read", "write"])) for principal in chosen]

    def name(self) -> str:
        return " ".join(self.random.choices(WORDS, k=2))

    async def post(self, path: str, user_id: str, body: Any, **parameters: Any) -> Response:
        return await self.directory.post(path, user_id, body, **parameters)

    def expect(self, answer: Response, model_id: str, user_id: str, *, manages: bool = False) -> bool:
        """Check a status against the rights of the caller; return whether the change was made."""
        reads, writes, owns = self.may(user_id, model_id)
        allowed = owns if manages else writes
        assert answer.status_code == (200 if allowed else 403 if reads else 404), (user_id, model_id, answer.text)
        return allowed

    async def create(self) -> None:
        self.made += 1
        owner, model_id = self.anybody(), f"m/{self.made}"
        content = {"base_model_id": self.random.choice([None, "base"]), "name": self.name(), "params": {"n": self.made}}
        body = {"id": model_id, **content, "access_grants": self.grants()}
        assert (await self.post(f"{MODELS}/create", owner, body)).status_code == 200
        times = {"created_at": 0, "updated_at": 0}
        self.models[model_id] = {**body, **times, "user_id": owner, "meta": {}, "is_active": True}

    async def update(self) -> None:
        model_id, user_id, name = self.random.choice(sorted(self.models)), self.anybody(), self.name()
        answer = await self.post(f"{MODELS}/model/update", user_id, {"id": model_id, "name": name})
        if self.expect(answer, model_id, user_id):
            self.models[model_id]["name"] = name

    async def toggle(self) -> None:
        model_id, user_id = self.random.choice(sorted(self.models)), self.anybody()
        answer = await self.post(f"{MODELS}/model/toggle", user_id, None, id=model_id)
        if self.expect(answer, model_id, user_id):
            self.models[model_id]["is_active"] ^= True

    async def share(self) -> None:
        model_id, user_id, grants = self.random.choice(sorted(self.models)), self.anybody(), self.grants()
        answer = await self.post(f"{MODELS}/model/access/update", user_id, {"id": model_id, "access_grants": grants})
        if self.expect(answer, model_id, user_id, manages=True):
            self.models[model_id]["access_grants"] = grants

    async def delete(self) -> None:
        model_id, user_id = self.random.choice(sorted(self.models)), self.anybody()
        answer = await self.post(f"{MODELS}/model/delete", user_id, {"id": model_id})
        if self.expect(answer, model_id, user_id):
            del self.models[model_id]

    async def bulk_state(self) -> None:
        user_id, state = self.anybody(), self.random.random() < 0.5
        writable = {model_id for model_id in self.models if self.may(user_id, model_id)[1]}
        answer = await self.post(f"{MODELS}/bulk/state", user_id, {"filter": {}, "is_active": state})
        assert {result["id"] for result in answer.json()["results"]} == writable
        for model_id in writable:
            self.models[model_id]["is_active"] = state

    async def bulk_share(self) -> None:
        user_id, added = self.anybody(), grant(f"group:{self.random.choice(sorted(self.groups))}")
        body = {"ids": sorted(self.models), "add": [added]}
        results = (await self.post(f"{MODELS}/bulk/access", user_id, body)).json()["results"]
        managed = {model_id for model_id in self.models if self.may(user_id, model_id)[2]}
        assert {result["id"] for result in results if result["status"] != "not_found"} == managed
        for model_id in managed:
            grants = self.models[model_id]["access_grants"]
            self.models[model_id]["access_grants"] = grants if added in grants else [*grants, added]

    async def sync(self) -> None:
        kept = self.random.sample(sorted(self.models), len(self.models) - 1)
        name = self.name()
        body = {"models": [{"id": model_id, "name": name} for model_id in kept], "max_deletions": 1}
        assert (await self.post(f"{MODELS}/sync", "u0", body)).status_code == 200
        self.models = {model_id: {**self.models[model_id], "name": name} for model_id in kept}

    async def rename(self) -> None:
        user_id, name = self.anybody(), f"Renamed {self.random.randint(0, 9)}"
        answer = await self.post("/api/users/update", "u0", {"id": user_id, "name": name})
        assert answer.status_code == 200, answer.text
        self.users[user_id]["name"] = name

    async def leave(self) -> None:
        user_id = self.anybody()
        if user_id == "u0" or len(self.users) < 5:
            return
        assert (await self.post("/api/users/delete", "u0", {"id": user_id})).status_code == 200
        del self.users[user_id]
        for group in self.groups.values():
            group["member_ids"] = [one for one in group["member_ids"] if one != user_id]
        self._forget("user", user_id)
        if self.random.random() < 0.5:
            heir = self.anybody()
            await self.post("/api/users/transfer", "u0", {"from_user_id": user_id, "to_user_id": heir})
            for model in self.models.values():
                model["user_id"] = heir if model["user_id"] == user_id else model["user_id"]

    def _forget(self, kind: str, principal_id: str) -> None:
        for model in self.models.values():
            model["access_grants"] = [
                one
                for one in model["access_grants"]
                if (one["principal_type"], one["principal_id"]) != (kind, principal_id)
            ]

    async def join(self) -> None:
        group_id, user_id = self.random.choice(sorted(self.groups)), self.anybody()
        members = self.groups[group_id]["member_ids"]
        verb = "remove" if user_id in members else "add"
        answer = await self.post(f"/api/groups/members/{verb}", "u0", {"id": group_id, "user_ids": [user_id]})
        assert answer.json() == {"changed": 1}
        members.remove(user_id) if user_id in members else members.append(user_id)

    async def nest(self) -> None:
        group_id, parent = self.random.choice(sorted(self.groups)), self.random.choice([None, *sorted(self.groups)])
        line, above = {group_id}, parent
        while above is not None and above not in line:
            above = self.groups[above]["parent_id"]
        answer = await self.post("/api/groups/update", "u0", {"id": group_id, "parent_id": parent})
        assert answer.status_code == (200 if above is None else 422), answer.text
        if above is None:
            self.groups[group_id]["parent_id"] = parent

    async def dissolve(self) -> None:
        if len(self.groups) < 3:
            return
        group_id = self.random.choice(sorted(self.groups))
        assert (await self.post("/api/groups/delete", "u0", {"id": group_id})).status_code == 200
        parent = self.groups.pop(group_id)["parent_id"]
        for group in self.groups.values():
            group["parent_id"] = parent if group["parent_id"] == group_id else group["parent_id"]
        self._forget("group", group_id)


CHANGES: list[tuple[Callable[[Life], Awaitable[None]], int]] = [
    *((Life.create, 12), (Life.update, 10), (Life.toggle, 5), (Life.share, 12), (Life.delete, 3)),
    *((Life.bulk_state, 4), (Life.bulk_share, 4), (Life.sync, 2), (Life.rename, 5), (Life.leave, 3)),
    *((Life.join, 10), (Life.nest, 8), (Life.dissolve, 1)),
]


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_list_is_right_after_every_change(directory: Directory, seed: int) -> None:
    life = Life(directory, seed)
    await life.begin()
    for _ in range(6):
        await life.create()
    changes, weights = [change for change, _ in CHANGES], [weight for _, weight in CHANGES]
    for number in range(STEPS):
        change = life.random.choices(changes, weights)[0] if len(life.models) > 3 else Life.create
        await change(life)
        await life.check(f"seed {seed}, step {number}: {change.__qualname__}")
    diagnosis = await examine(directory.database, repair=False)
    assert diagnosis.problems == 0, diagnosis.examples
