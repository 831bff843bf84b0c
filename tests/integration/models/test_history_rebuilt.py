"""Each version that the history shows is what the model was then: compared with copies made at that time."""

import json
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.models.record import CONTENT_FIELDS
from tests.support.directory import Directory, grant
from tests.support.every_case import repetitions
from tests.support.images import PNG

Raw = SyncDatabase[dict[str, Any]]

MODELS = "/api/models"
MODEL, HISTORY = f"{MODELS}/model", f"{MODELS}/model/history"
IMAGES = [f"data:image/png;base64,{PNG}", f"data:image/png;base64,{PNG[:-4]}AAAA", "/static/a.png", "", None]
EDITS = 40


class Replay:
    """A model that is changed at random, with a copy of its content at each version since it was created."""

    def __init__(self, directory: Directory, raw: Raw, seed: int) -> None:
        self._directory = directory
        self._raw = raw
        self._random = Random(seed)
        self.copies: dict[int, dict[str, Any]] = {}

    async def run(self) -> None:
        await self._create()
        for _ in range(EDITS):
            await self._random.choice(self._edits)()
            self._copy()

    def _copy(self) -> None:
        record = self._raw.models.find_one({"_id": "m"}) or {}
        version, content = record["version"], {name: record[name] for name in CONTENT_FIELDS}
        before = self.copies.get(version - 1)
        if version not in self.copies and before is not None and self._random.random() < 0.3:
            whole = {"$set": {"before": before, "after": content}, "$unset": {"fields": 1, "image_kept": 1}}
            self._raw.revisions.update_one({"model_id": "m", "version": version}, whole)
        self.copies[version] = content

    @property
    def _edits(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        # Most often meta, in which an image may stay.
        return [self._toggle, self._update, self._meta, self._meta, self._share, self._transfer, self._restore] + (
            [self._recreate] if self._random.random() < 0.2 else []
        )

    async def _post(self, path: str, body: Any = None, **parameters: Any) -> None:
        answer = await self._directory.post(path, "root", body, **parameters)
        assert answer.status_code == 200, answer.text

    async def _create(self) -> None:
        await self._post(f"{MODELS}/create", {"id": "m", "name": "New", "meta": self._random_meta()})
        self.copies.clear()
        self._copy()

    async def _recreate(self) -> None:
        await self._post(f"{MODEL}/delete", {"id": "m"})
        await self._create()

    def _random_meta(self) -> dict[str, Any]:
        names = self._random.sample(["profile_image_url", "description", "x"], self._random.randint(0, 3))
        image = self._random.choice([*IMAGES[:1] * 5, *IMAGES])
        return {name: image if name == "profile_image_url" else self._random.randint(0, 2) for name in names}

    async def _toggle(self) -> None:
        await self._post(f"{MODEL}/toggle", id="m")

    async def _update(self) -> None:
        names = self._random.sample("ab", 2)
        params = {name: self._random.choice([1, 1.0, "$a", {"$id": 2}]) for name in names}
        name = self._random.choice(["One", "Two"])
        await self._post(f"{MODEL}/update", {"id": "m", "name": name, "params": params})

    async def _meta(self) -> None:
        await self._post(f"{MODEL}/update", {"id": "m", "meta": self._random_meta()})

    async def _share(self) -> None:
        grants = [grant(f"user:{user}") for user in ("ann", "bob") if self._random.random() < 0.5]
        await self._post(f"{MODEL}/access/update", {"id": "m", "access_grants": grants})

    async def _transfer(self) -> None:
        owner = (self._raw.models.find_one({"_id": "m"}) or {})["user_id"]
        other = self._random.choice([user for user in ("ann", "bob", "root") if user != owner])
        await self._post("/api/users/transfer", {"from_user_id": owner, "to_user_id": other, "ids": ["m"]})

    async def _restore(self) -> None:
        revisions = (await self._directory.get(HISTORY, "root", id="m")).json()["items"]
        await self._post(f"{HISTORY}/restore", {"id": "m", "revision": self._random.choice(revisions)["id"]})


def text(content: Any) -> str:
    """Return content in a form that tells types and the order of names apart."""
    return json.dumps(content)


@pytest.fixture
async def people(directory: Directory) -> Directory:
    await directory.user("root", role=Role.ADMIN)
    for user in ("ann", "bob"):
        await directory.user(user)
    return directory


async def _shown(directory: Directory, version: int) -> dict[str, Any] | None:
    """Return the content at a version as the differences between it and the current one tell it."""
    current = (await directory.get(MODEL, "root", id="m")).json()["version"]
    answer = await directory.get(f"{HISTORY}/diff", "root", id="m", earlier=version, later=current)
    assert answer.status_code in (200, 404)
    return None if answer.status_code == 404 else {"differences": answer.json()}


@pytest.mark.parametrize("seed", range(repetitions(2, 30)))
async def test_every_version_is_shown_as_it_was(people: Directory, raw: Raw, seed: int) -> None:
    replay = Replay(people, raw, seed)
    await replay.run()
    page = (await people.get(HISTORY, "root", id="m", page_size=100)).json()
    assert [item["version"] for item in page["items"]] == sorted(replay.copies, reverse=True)
    assert page["total"] == len(replay.copies)
    for item in page["items"]:
        shown = (await people.get(f"{HISTORY}/{item['id']}", "root")).json()
        before, after = replay.copies.get(item["version"] - 1), replay.copies[item["version"]]
        assert (text(shown["before"]), text(shown["after"])) == (text(before), text(after)), item
        assert item["fields"] == shown["fields"]
        differing = [name for name in CONTENT_FIELDS if text((before or {}).get(name)) != text(after[name])]
        assert item["fields"] == (differing if before else list(CONTENT_FIELDS))


async def test_what_was_removed_ends_what_can_be_shown(people: Directory, raw: Raw) -> None:
    replay = Replay(people, raw, 7)
    await replay.run()
    first, last = min(replay.copies), max(replay.copies)
    kept = first + 5
    raw.revisions.delete_many({"model_id": "m", "version": {"$lt": kept}})
    # The version before the oldest revision is what that revision undoes to.
    for version in range(first, last + 1):
        assert (await _shown(people, version) is not None) == (version >= kept - 1), version
    for item in (await people.get(HISTORY, "root", id="m", page_size=100)).json()["items"]:
        shown = (await people.get(f"{HISTORY}/{item['id']}", "root")).json()
        assert text(shown["after"]) == text(replay.copies[item["version"]])
    gone = await people.get(f"{HISTORY}/diff", "root", id="m", earlier=first, later=last)
    assert gone.json()["detail"] == f"Version {first} of this model is not recorded, or no longer."


async def test_a_version_before_a_gap_is_not_guessed(people: Directory, raw: Raw) -> None:
    await people.post(f"{MODELS}/create", "root", {"id": "m", "name": "1"})
    for name in "2345":
        await people.post(f"{MODEL}/update", "root", {"id": "m", "name": name})
    raw.revisions.delete_one({"model_id": "m", "version": 4})
    known = [version for version in range(1, 6) if await _shown(people, version) is not None]
    # The first is stored whole.
    assert known == [1, 4, 5]


@pytest.mark.parametrize("seed", range(repetitions(1, 10)))
async def test_the_last_content_of_a_lost_model_is_rebuilt(people: Directory, raw: Raw, seed: int) -> None:
    replay = Replay(people, raw, seed)
    await replay.run()
    last = max(replay.copies)
    raw.models.delete_one({"_id": "m"})
    assert (await examine(people.database, repair=True)).repaired == 1
    deletion = raw.revisions.find_one({"model_id": "m", "version": last + 1}) or {}
    assert (deletion["after"], text(deletion["before"])) == (None, text(replay.copies[last]))
