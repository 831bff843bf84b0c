"""Each earlier state of users and groups follows from their history: compared with copies made at that time."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.every_case import repetitions

Raw = SyncDatabase[dict[str, Any]]
# A user or group, as collection and id, with what is said of it; absent where there is none.
States = dict[tuple[str, str], dict[str, Any]]

FIELDS = {"users": ["name", "email", "username", "role", "is_active", "group_ids"], "groups": ["name", "parent_id"]}
PEOPLE, GROUPS = ["ann", "bob", "eve", "kim"], ["a", "b", "c", "d"]
STEPS = 120


class People:
    """Users and groups that are changed at random, with a copy of all of them after each change."""

    def __init__(self, directory: Directory, raw: Raw, shell: CommandLine, seed: int) -> None:
        self._directory, self._raw, self._shell = directory, raw, shell
        self._random = Random(seed)
        # With each copy, how many changes of each were recorded then.
        self.copies: list[tuple[States, dict[tuple[str, str], int]]] = []

    async def run(self) -> None:
        """Make the changes."""
        self._copy()
        for _ in range(STEPS):
            await self._change()
            self._copy()

    def _copy(self) -> None:
        self.copies.append((self.stored(), {key: len(changes) for key, changes in self.changes().items()}))

    def stored(self) -> States:
        """Return all users and groups as they are."""
        return {
            (kind, one["_id"]): {field: one[field] for field in fields}
            for kind, fields in FIELDS.items()
            for one in self._raw[kind].find()
        }

    def changes(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return the recorded changes of each user and group, in order."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for change in self._raw.people_changes.find().sort("number"):
            found.setdefault((f"{change['principal_type']}s", change["principal_id"]), []).append(change)
        return found

    async def _change(self) -> None:
        pick, user, group = self._random.choice, self._random.choice(PEOPLE), self._random.choice(GROUPS)
        name, others = f"N{self._random.randint(0, 3)}", self._random.sample(PEOPLE, self._random.randint(1, 3))
        email = f"{pick([user, user, *PEOPLE])}@x.org"
        parent = pick([*GROUPS, None])
        bundle = {
            "users": [{"id": one, "name": name, "email": f"{one}@x.org", "role": pick(list(Role))} for one in others],
            "groups": [{"id": group, "name": name, "parent_id": parent, "member_ids": others}],
        }
        requests: list[tuple[str, dict[str, Any]]] = [
            ("users/create", {"id": user, "email": email, "name": name, "group_ids": [group]}),
            *[("users/create", {"id": one, "email": f"{one}@x.org", "name": name}) for one in others],
            ("users/update", {"id": user, "name": name, "role": pick(list(Role)), "is_active": pick([True, False])}),
            ("users/update", {"id": user, "email": email, "username": pick([name, None])}),
            ("users/delete", {"id": user}),
            ("groups/create", {"id": group, "name": name, "parent_id": parent}),
            *[("groups/create", {"id": one, "name": name}) for one in self._random.sample(GROUPS, 2)],
            ("groups/update", {"id": group, "name": name}),
            ("groups/update", {"id": group, "parent_id": parent}),
            ("groups/delete", {"id": group}),
            ("groups/members/add", {"id": group, "user_ids": others}),
            ("groups/members/remove", {"id": group, "user_ids": others}),
            ("models/import?format=modeldeck", bundle),
        ]
        chosen = self._random.randint(0, len(requests))
        if chosen == len(requests):
            self._import(bundle)
            return
        path, body = requests[chosen]
        answer = await self._directory.post(f"/api/{path}", "root", body)
        assert answer.status_code in (200, 404, 409, 422), answer.text

    def _import(self, bundle: dict[str, Any]) -> None:
        (self._shell.folder / "people.json").write_text(json.dumps(bundle), encoding="utf-8")
        self._shell.run("import", "people.json", *self._random.choice([(), ("--atomic",), ("--on-conflict", "skip")]))


@pytest.mark.parametrize("seed", range(repetitions(1, 8)))
async def test_every_earlier_state_is_found_by_undoing(
    directory: Directory, raw: Raw, mongo_uri: str, tmp_path: Path, seed: int
) -> None:
    await directory.user("root", role=Role.ADMIN)
    people = People(directory, raw, CommandLine(tmp_path, mongodb_uri=mongo_uri, database=raw.name), seed)
    await people.run()

    states, changes = people.stored(), people.changes()
    assert sum(map(len, changes.values())) > STEPS // 4
    for copy, counts in reversed(people.copies):
        for key, recorded in changes.items():
            while len(recorded) > counts.get(key, 0):
                _undo(states, key, recorded.pop())
        assert states == copy
    assert (await examine(directory.database, repair=False)).problems == 0


def _undo(states: States, key: tuple[str, str], change: dict[str, Any]) -> None:
    before, after = change["before"], change["after"]
    current = states.pop(key, None)
    assert (current is None) == (after is None), change
    assert after is None or after == {field: (current or {})[field] for field in after}, change
    if before is not None:
        states[key] = {**(current or {}), **before}
