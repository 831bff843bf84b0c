"""A source and a directory that are edited at once, and a naive model of what an import makes of both."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.support.directory import Directory, grant

OWNER = "root"
PEOPLE = ("user:ann", "user:ben", "user:*", "group:team", "group:ops")
MEMBERS = ("temperature", "system", "stop", "top_p", "a.b", "$set")
VALUES: tuple[Any, ...] = (0, 1, 1.0, True, None, "text", [1, 2], {"a": 1}, {"b": {"c": []}}, "")
UPDATE, ACCESS = "/api/models/model/update", "/api/models/model/access/update"
TOGGLE, DELETE = "/api/models/model/toggle", "/api/models/model/delete"

# A record as its parts: a field, `params/temperature`, `meta/description`, `grant/group:team/read`.
Parts = dict[str, Any]


def parts_of(entry: dict[str, Any]) -> Parts:
    """Return a model, in the form of a bundle, as its parts."""
    parts: Parts = {name: entry[name] for name in ("name", "base_model_id", "is_active")}
    for container in ("params", "meta"):
        parts |= {f"{container}/{name}": value for name, value in entry[container].items()}
    for given in entry["access_grants"]:
        parts[f"grant/{given['principal_type']}:{given['principal_id']}/{given['permission']}"] = True
    return parts


def entry_of(parts: Parts) -> dict[str, Any]:
    """Return the model that consists of these parts."""
    entry: dict[str, Any] = {"params": {}, "meta": {}, "access_grants": []}
    for path, value in parts.items():
        kind, _, rest = path.partition("/")
        if kind == "grant":
            principal, _, permission = rest.rpartition("/")
            entry["access_grants"].append(grant(principal, permission))
        elif rest:
            entry[kind][rest] = value
        else:
            entry[kind] = value
    return entry


def same(one: Any, other: Any) -> bool:
    """Return whether two values, or two absent ones, are the same JSON."""
    return json.dumps(one) == json.dumps(other)


ABSENT = "(absent)"


@dataclass
class Kept:
    """What the naive model knows of one record: its parts, and all that the source said last."""

    now: Parts
    last: Parts
    gone: bool = False

    def changed_by_hand(self) -> bool:
        """Return whether anything is not as the source said last."""
        return not all(same(self.now.get(p, ABSENT), self.last.get(p, ABSENT)) for p in {*self.now, *self.last})


@dataclass
class NaiveImport:
    """The rules of an import with a source, on whole contents."""

    records: dict[str, Kept] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def run(self, file: dict[str, Parts], policy: str, prune: str | None, limit: int) -> set[tuple[str, str]]:
        """Import a file; return what is reported as not done: the ids, and the parts or `""`."""
        problems: set[tuple[str, str]] = set()
        for model_id, said in file.items():
            if model_id not in self.records:
                if policy == "update" or model_id not in self.deleted:
                    self.records[model_id] = Kept(dict(said), dict(said))
                    self.deleted.discard(model_id)
                continue
            problems |= {(model_id, part) for part in self._update(self.records[model_id], said, policy)}
        if prune is not None:
            problems |= self._prune(file, policy, prune, limit)
        return problems

    def _update(self, record: Kept, said: Parts, policy: str) -> list[str]:
        source_changed, differs = (Kept(said, parts).changed_by_hand() for parts in (record.last, record.now))
        if policy == "update":
            record.now = dict(said)
        elif policy in ("skip", "fail") and source_changed and record.changed_by_hand() and differs:
            return [] if policy == "skip" else [""]
        conflicts = []
        for part in {*record.now, *said}:
            last, file, now = (parts.get(part, ABSENT) for parts in (record.last, said, record.now))
            if same(file, now) or same(file, last):
                continue
            if not same(now, last):
                conflicts.append(part)
            elif file == ABSENT:
                del record.now[part]
            else:
                record.now[part] = file
        record.last, record.gone = dict(said), False
        return conflicts

    def _prune(self, file: dict[str, Parts], policy: str, prune: str, limit: int) -> set[tuple[str, str]]:
        gone = [model_id for model_id in self.records if model_id not in file]
        if prune == "delete":
            deletable = [one for one in gone if policy == "update" or not self.records[one].changed_by_hand()]
            if len(deletable) > limit:
                return {("", "")}
            for model_id in deletable:
                del self.records[model_id]
            return {(model_id, "") for model_id in gone if model_id not in deletable}
        for model_id in gone:
            record = self.records[model_id]
            if record.now["is_active"] and (policy == "update" or (record.last["is_active"] and not record.gone)):
                record.now["is_active"] = record.last["is_active"] = False
            record.gone = True
        return set()


class Editor:
    """Edits entries at random, those of a source and those here alike."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def new(self) -> Parts:
        """Return the parts of a new model."""
        parts: Parts = {"name": "Name", "base_model_id": "openai/gpt-4o", "is_active": self.chance.random() < 0.9}
        for _ in range(4):
            self.edit(parts)
        return parts

    def edit(self, parts: Parts) -> None:
        """Change, add or remove one part."""
        kind = self.chance.randrange(8)
        if kind == 0:
            parts["name"] = f"Name {self.chance.randrange(5)}"
        elif kind == 1:
            parts["base_model_id"] = self.chance.choice([None, "openai/gpt-4o", "base"])
        elif kind == 2:
            parts["is_active"] = not parts["is_active"]
        else:
            container = self.chance.choice(["params", "params", "meta", "grant", "grant"])
            member = f"{self.chance.choice(PEOPLE)}/{self.chance.choice(['read', 'write'])}"
            part = f"{container}/{member if container == 'grant' else self.chance.choice(MEMBERS)}"
            if part in parts and self.chance.random() < 0.5:
                del parts[part]
            else:
                parts[part] = True if container == "grant" else self.chance.choice(VALUES)


async def store_by_hand(directory: Directory, model_id: str, parts: Parts) -> None:
    """Change a model through the API so that it consists of these parts."""
    entry = entry_of(parts)
    grants = entry.pop("access_grants")
    for path, body in ((UPDATE, {"id": model_id, **entry}), (ACCESS, {"id": model_id, "access_grants": grants})):
        answer = await directory.post(path, OWNER, body)
        assert answer.status_code == 200, answer.text
