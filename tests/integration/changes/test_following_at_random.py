"""Random changes of models, grants, groups and roles, and followers who come and go, against a naive reader.

The reader lists all models of everybody after each step. What differs is what each follower must be shown: each once,
nothing else, and with the model as the list has it.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from documents.freeform import json_bytes
from documents.user import Role
from service.changes import missed
from tests.support.directory import Directory, grant
from tests.support.every_case import repetitions
from tests.support.following import Event, Following, begin

USERS, GROUPS = ("ann", "ben", "cat", "root"), ("org", "team", "side")
STEPS = repetitions(60, 500)
Items = Mapping[str, Mapping[str, Any]]


def key(name: str, data: Any) -> tuple[str, bytes]:
    return name, json_bytes(data)


def differences(before: Items, after: Items, existed: set[str], exists: set[str]) -> Counter[tuple[str, bytes]]:
    """Return what a follower must be shown between two lists of theirs."""
    found: Counter[tuple[str, bytes]] = Counter()
    for model_id in before.keys() | after.keys():
        if model_id not in after:
            found[key("removed" if model_id in exists else "deleted", {"id": model_id})] += 1
        elif model_id not in before:
            found[key("added" if model_id in existed else "created", after[model_id])] += 1
        elif before[model_id]["version"] != after[model_id]["version"]:
            found[key("updated", after[model_id])] += 1
    return found


class Reader:
    """A follower who comes and goes, and what they must be shown: the events of each step, in any order within it."""

    def __init__(self, directory: Directory, user: str) -> None:
        self.user = user
        self._directory = directory
        self._following: Following | None = None
        self._running: asyncio.Task[Any] | None = None
        self._token: str | None = None
        self._expected: list[Counter[tuple[str, bytes]]] = []
        self.compared = 0

    def expect(self, events: Counter[tuple[str, bytes]], *, rights: bool) -> None:
        resync = Counter({key("resync", {}): 1})
        if self._following is not None:
            self._expected.append(resync if rights else events)
        elif rights or self._expected[:1] == [resync]:
            # It is not known which rights they had between, so that until they come back nothing is shown.
            self._expected = [resync]
        else:
            self._expected.append(events)

    async def come(self) -> None:
        if self._following is None:
            if self._token is None:
                self._expected = []
            self._following, self._running = await begin(self._directory, self.user, last=self._token)
            assert self._following.status == 200, self._following.body

    async def check(self) -> None:
        """Wait for all that must be shown, and compare it."""
        if self._following is None:
            return
        try:
            await self._following.seen(sum(step.total() for step in self._expected))
        except TimeoutError:
            raise AssertionError((self.user, self._expected, self._following.events)) from None
        shown: list[Event] = list(self._following.events)
        for step in self._expected:
            now, shown = shown[: step.total()], shown[step.total() :]
            assert Counter(key(event.name, event.data) for event in now) == step, (self.user, now, step)
            self.compared += len(now)
        assert not shown, (self.user, shown)

    async def go(self) -> None:
        await self.check()
        if self._following is not None and self._running is not None:
            self._token = self._following.token
            self._following.disconnect()
            await self._running
            self._following = None
            self._expected = []


class World:
    """Random steps, and the naive reader's view of all that there is."""

    def __init__(self, directory: Directory, random: Random) -> None:
        self._directory = directory
        self._random = random
        self.members: dict[str, set[str]] = {user: set() for user in USERS} | {"ben": {"team"}}
        self.parents: dict[str, str | None] = {"org": None, "team": "org", "side": None}
        self.admins = {"root"}
        self.models: dict[str, str] = {}
        self._number = 0

    def groups_of(self, user: str) -> set[str]:
        found, left = set(), set(self.members[user])
        while left:
            group = left.pop()
            found.add(group)
            left |= {parent for parent in [self.parents[group]] if parent is not None} - found
        return found

    async def _done(self, path: str, user: str, **body: Any) -> None:
        answer = await self._directory.post(f"/api/{path}", user, body)
        assert answer.status_code == 200, answer.text

    def _grants(self) -> list[dict[str, str]]:
        principals = [f"group:{group}" for group in GROUPS] + [f"user:{user}" for user in USERS] + ["user:*"]
        chosen = self._random.sample(principals, self._random.randint(0, 2))
        return [grant(one, self._random.choice(["read", "write"])) for one in chosen]

    async def step(self) -> set[str]:
        """Do something; return whose rights it may have changed."""
        kinds = [self._create, self._update, self._share, self._delete, self._several, self._member, self._parent]
        kinds += [self._transfer, self._role]
        weights = [4, 6, 6, 1 if len(self.models) < 30 else 20, 2, 2, 1, 0.5, 0.5] if self.models else [1, *[0] * 8]
        return await self._random.choices(kinds, weights)[0]()

    async def _create(self) -> set[str]:
        self._number += 1
        model_id, owner = f"m{self._number}", self._random.choice(USERS)
        params = {"system": "s" * self._random.randint(0, 50)}
        await self._done("models/create", owner, id=model_id, name="N", params=params, access_grants=self._grants())
        self.models[model_id] = owner
        return set()

    def _chosen(self) -> str:
        return self._random.choice(sorted(self.models))

    async def _update(self) -> set[str]:
        model_id = self._chosen()
        self._number += 1
        field = self._random.choice(["name", "params", "meta"])
        value: Any = f"N{self._number}" if field == "name" else {"n": self._number}
        await self._done("models/model/update", self.models[model_id], id=model_id, **{field: value})
        return set()

    async def _share(self) -> set[str]:
        model_id = self._chosen()
        await self._done("models/model/access/update", self.models[model_id], id=model_id, access_grants=self._grants())
        return set()

    async def _delete(self) -> set[str]:
        model_id = self._chosen()
        await self._done("models/model/delete", self.models.pop(model_id), id=model_id)
        return set()

    async def _several(self) -> set[str]:
        """Change several models in one transaction, and others at the same time."""
        chosen = self._random.sample(sorted(self.models), min(4, len(self.models)))
        active = self._random.choice([True, False])
        await asyncio.gather(
            self._done("models/bulk/state", "root", ids=chosen[:2], is_active=active),
            *(self._done("models/model/update", self.models[one], id=one, name=f"{active}") for one in chosen[2:]),
        )
        return set()

    async def _transfer(self) -> set[str]:
        giver, taker = self._random.sample(USERS, 2)
        await self._done("users/transfer", "root", from_user_id=giver, to_user_id=taker)
        self.models = {one: taker if owner == giver else owner for one, owner in self.models.items()}
        return set()

    async def _member(self) -> set[str]:
        user, group = self._random.choice(USERS), self._random.choice(GROUPS)
        joins = group not in self.members[user]
        way = "add" if joins else "remove"
        await self._done(f"groups/members/{way}", "root", id=group, user_ids=[user])
        (self.members[user].add if joins else self.members[user].discard)(group)
        return {user}

    async def _parent(self) -> set[str]:
        self.parents["team"] = self._random.choice(
            [one for one in ("org", "side", None) if one != self.parents["team"]]
        )
        await self._done("groups/update", "root", id="team", parent_id=self.parents["team"])
        return {user for user in USERS if "team" in self.groups_of(user)}

    async def _role(self) -> set[str]:
        self.admins ^= {"cat"}
        await self._done("users/update", "root", id="cat", role="admin" if "cat" in self.admins else "user")
        return {"cat"}

    async def lists(self) -> dict[str, Items]:
        pages = await asyncio.gather(*(self._directory.page(user, page_size=100) for user in USERS))
        assert all(page["next_cursor"] is None for page in pages)
        return {user: {item["id"]: item for item in page["items"]} for user, page in zip(USERS, pages, strict=True)}


@pytest.mark.parametrize("seed", range(repetitions(1, 3)))
async def test_each_is_shown_what_they_may_see_once_and_nothing_else(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    if seed % 2:
        # So that what was missed is read from the database.
        monkeypatch.setattr(missed, "MAX_KEPT", 3)
    for group, parent in (("org", None), ("team", "org"), ("side", None)):
        await directory.group(group, parent)
    for user in USERS:
        await directory.user(user, role=Role.ADMIN if user == "root" else Role.USER, groups=["team"] * (user == "ben"))
    world, readers = World(directory, random), [Reader(directory, user) for user in USERS for _ in range(2)]
    for reader in readers:
        await reader.come()
    before, existed = await world.lists(), set(world.models)
    for _ in range(STEPS):
        concerned = await world.step()
        after = await world.lists()
        for reader in readers:
            shown = differences(before[reader.user], after[reader.user], existed, set(world.models))
            reader.expect(shown, rights=reader.user in concerned)
            if reader.user in concerned:
                await reader.check()
        before, existed = after, set(world.models)
        if random.random() < 0.3:
            await (random.choice(readers).go() if random.random() < 0.5 else random.choice(readers).come())
    for reader in readers:
        await reader.come()
        await reader.go()
    assert sum(reader.compared for reader in readers) > STEPS
