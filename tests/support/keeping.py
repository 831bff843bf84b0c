"""A source and a directory that are edited at once, and a naive model of what an import makes of both."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.support.directory import Directory, grant
from tests.support.import_samples import MODEL

OWNER = "root"
PEOPLE = ("user:ann", "user:ben", "user:*", "group:team", "group:ops")
MEMBERS = ("temperature", "system", "stop", "top_p", "a.b", "$set")
VALUES: tuple[Any, ...] = (0, 1, 1.0, True, None, "text", [1, 2], {"a": 1}, {"b": {"c": []}, "a": 1}, "")
# Of the source only: its name of a user who is known where users are mapped, an owner who never is, and params that it
# does not mention.
UNKNOWN = ("user:ext-ben",)
NOBODY, SILENT = "ghost", "params (not mentioned)"
UPDATE, ACCESS = "/api/models/model/update", "/api/models/model/access/update"
TRANSFER = "/api/users/transfer"
TOGGLE, DELETE = "/api/models/model/toggle", "/api/models/model/delete"

# A record as its parts: a field, `params/temperature`, `meta/description`, `grant/group:team/read`.
Parts = dict[str, Any]


def parts_of(entry: dict[str, Any]) -> Parts:
    """Return a model, in the form of a bundle, as its parts."""
    parts: Parts = {name: entry[name] for name in ("user_id", "name", "base_model_id", "is_active")}
    for container in ("params", "meta"):
        parts |= {f"{container}/{name}": value for name, value in entry[container].items()}
    for given in entry["access_grants"]:
        parts[f"grant/{given['principal_type']}:{given['principal_id']}/{given['permission']}"] = True
    return parts


def entry_of(parts: Parts) -> dict[str, Any]:
    """Return the model that consists of these parts."""
    entry: dict[str, Any] = {"params": {}, "meta": {}, "access_grants": []}
    if parts.get(SILENT):
        del entry["params"]
    for path, value in parts.items():
        kind, _, rest = path.partition("/")
        if kind == "grant":
            principal, _, permission = rest.rpartition("/")
            entry["access_grants"].append(grant(principal, permission))
        elif rest:
            entry.get(kind, {})[rest] = value
        elif kind != SILENT:
            entry[kind] = value
    return entry


def same(one: Any, other: Any) -> bool:
    """Return whether two values, or two absent ones, are the same JSON in whatever order of names."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


ABSENT = "(absent)"


@dataclass
class Kept:
    """What the naive model knows of one record: its parts, and all that the source, or the import, gave last.

    `there` has, for each grant that the source gave, what the source calls it.
    """

    now: Parts
    last: Parts
    there: dict[str, set[str]]
    gone: bool = False
    # Retiring it did, and the source had it active.
    made_inactive: bool = False

    def changed_by_hand(self) -> bool:
        """Return whether anything is not as the source said last."""
        return differ(self.now, self.last)


def differ(one: Parts, other: Parts) -> bool:
    """Return whether any part is not the same."""
    return not all(same(one.get(part, ABSENT), other.get(part, ABSENT)) for part in {*one, *other})


@dataclass
class Circumstances:
    """What of the source can be understood in a run: groups that are not here, and who its users are here."""

    absent: frozenset[str] = frozenset()
    users: dict[str, str] = field(default_factory=dict)

    def here(self, part: str) -> str | None:
        """Return the grant that one of the source is here, None if it can't be given."""
        _, principal, permission = part.split("/")
        user = self.users.get(principal.removeprefix("user:"))
        named = principal if user is None else f"user:{user}"
        return None if named in self.absent or named in UNKNOWN else f"grant/{named}/{permission}"


@dataclass
class Heard:
    """What a source says of a model, as it is understood: its parts, and which it leaves open."""

    parts: Parts
    there: dict[str, set[str]]
    unbrought: set[str]
    open: tuple[str, ...]

    @classmethod
    def of(cls, said: Parts, circumstances: Circumstances, record: Kept | None) -> "Heard":
        """Understand what is said, given the record that exists."""
        parts, there, unbrought = Parts(), dict[str, set[str]](), set[str]()
        for part, value in said.items():
            if not part.startswith("grant/"):
                parts[part] = value
            elif (here := circumstances.here(part)) is None:
                unbrought.add(part)
            else:
                parts[here] = True
                there.setdefault(here, set()).add(part)
        silent: tuple[str, ...] = ("params/",) if parts.pop(SILENT, False) else ()
        if silent:
            parts = {part: value for part, value in parts.items() if not part.startswith(silent)}
        nobody = parts.get("user_id") == NOBODY and record is not None and record.now["user_id"] != NOBODY
        if nobody or "user_id" not in parts:
            parts.pop("user_id", None)
            silent += ("user_id",)
        if record is not None:
            # What the source still says, but nobody knows who that is now.
            for here, names in record.there.items():
                if names & unbrought:
                    there.setdefault(here, set()).update(names & unbrought)
                    if here in record.now:
                        parts[here] = True
        return cls(parts, there, unbrought, silent)

    def said_last(self, record: Kept) -> Parts:
        """Return all that counts as said from now on."""
        unsaid = {part: value for part, value in record.last.items() if self.open and part.startswith(self.open)}
        return {**self.parts, **unsaid, **dict.fromkeys(self.there, True)}


@dataclass
class NaiveImport:
    """The rules of an import with a source, on whole contents."""

    records: dict[str, Kept] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def run(
        self, file: dict[str, Parts], policy: str, prune: str | None, limit: int, circumstances: Circumstances
    ) -> set[tuple[str, str]]:
        """Import a file; return what is reported as not done: the ids, and the parts or `""`."""
        problems: set[tuple[str, str]] = set()
        for model_id, said in file.items():
            record = self.records.get(model_id)
            heard = Heard.of(said, circumstances, record)
            if heard.unbrought:
                problems.add((model_id, ""))
            if record is None:
                if policy == "update" or model_id not in self.deleted:
                    made = {"user_id": OWNER, **heard.parts}
                    self.records[model_id] = Kept(dict(made), dict(made), heard.there)
                    self.deleted.discard(model_id)
                continue
            problems |= {(model_id, part) for part in self._update(record, heard, policy)}
        if prune is not None:
            problems |= self._prune(file, policy, prune, limit)
        return problems

    def _update(self, record: Kept, heard: Heard, policy: str) -> list[str]:
        said = heard.said_last(record)
        left_open = {part: value for part, value in record.now.items() if heard.open and part.startswith(heard.open)}
        wanted = {**heard.parts, **left_open}
        if policy == "update":
            record.now = dict(wanted)
        elif policy in ("skip", "fail") and all(
            (differ(said, record.last), record.changed_by_hand(), differ(wanted, record.now))
        ):
            return [] if policy == "skip" else [""]
        conflicts = []
        for part in {*record.now, *wanted}:
            last, file, now = (parts.get(part, ABSENT) for parts in (record.last, wanted, record.now))
            if same(file, now) or same(file, last):
                continue
            if not same(now, last):
                conflicts.append(part)
            elif file == ABSENT:
                del record.now[part]
            else:
                record.now[part] = file
        record.last, record.there, record.gone = said, heard.there, False
        record.made_inactive = False
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
                record.made_inactive = record.last["is_active"]
                record.now["is_active"] = record.last["is_active"] = False
            elif record.now["is_active"] and record.made_inactive:
                record.last["is_active"], record.made_inactive = True, False
            record.gone = True
        return set()


class Editor:
    """Edits entries at random, those of a source and those here; a source also says what can't always be understood."""

    def __init__(self, chance: random.Random, *, source: bool = False) -> None:
        self.chance = chance
        self.source = source

    def new(self) -> Parts:
        """Return the parts of a new model."""
        parts: Parts = {"name": "Name", "base_model_id": "openai/gpt-4o", "is_active": self.chance.random() < 0.9}
        for _ in range(4):
            self.edit(parts)
        return parts

    def edit(self, parts: Parts) -> None:
        """Change, add or remove one part, or put them in another order."""
        kind = self.chance.randrange(11)
        if kind == 0:
            parts["name"] = f"Name {self.chance.randrange(5)}"
        elif kind == 1:
            parts["base_model_id"] = self.chance.choice([None, "openai/gpt-4o", "base"])
        elif kind == 2:
            parts["is_active"] = not parts["is_active"]
        elif kind == 3:
            turned = {
                part: dict(reversed(value.items())) if isinstance(value, dict) else value
                for part, value in parts.items()
            }
            parts.clear()
            parts.update(sorted(turned.items(), key=lambda _: self.chance.random()))
        elif kind == 4:
            self._edit_owner(parts)
        else:
            self._edit_member(parts)

    def _edit_owner(self, parts: Parts) -> None:
        if not self.source:
            parts["user_id"] = self.chance.choice([OWNER, "ann", "ben"])
        elif self.chance.random() < 0.5:
            parts[SILENT] = not parts.get(SILENT, False)
        elif (owner := self.chance.choice([None, OWNER, "ann", NOBODY])) is None:
            parts.pop("user_id", None)
        else:
            parts["user_id"] = owner

    def _edit_member(self, parts: Parts) -> None:
        container = self.chance.choice(["params", "params", "meta", "grant", "grant"])
        people = (*PEOPLE, *UNKNOWN) if self.source else PEOPLE
        member = f"{self.chance.choice(people)}/{self.chance.choice(['read', 'write'])}"
        part = f"{container}/{member if container == 'grant' else self.chance.choice(MEMBERS)}"
        if part in parts and self.chance.random() < 0.5:
            del parts[part]
        else:
            parts[part] = True if container == "grant" else self.chance.choice(VALUES)


async def store_by_hand(directory: Directory, model_id: str, parts: Parts) -> None:
    """Change a model through the API so that it consists of these parts."""
    entry = entry_of(parts)
    grants, owner = entry.pop("access_grants"), entry.pop("user_id")
    stored = (await directory.get(MODEL, OWNER, id=model_id)).json()["user_id"]
    if stored != owner:
        body = {"from_user_id": stored, "to_user_id": owner, "ids": [model_id]}
        assert (await directory.post(TRANSFER, OWNER, body)).status_code == 200
    for path, change in ((UPDATE, {"id": model_id, **entry}), (ACCESS, {"id": model_id, "access_grants": grants})):
        answer = await directory.post(path, OWNER, change)
        assert answer.status_code == 200, answer.text
