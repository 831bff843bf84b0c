"""A random directory, the same for the same seed, in the service and in the oracle that computes expected responses."""

import asyncio
import os
import random
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from documents import ModelRecord, User
from service.clock import epoch_seconds
from service.doctor import examine
from tests.support.directory import LIST, Directory, grant
from tests.support.oracle import Oracle, Parameters, compared, difference

# `python -m faults S1` sends fifty times as many. More, and another directory:
# ORACLE_REQUESTS=50000 ORACLE_SEED=7 pytest tests/integration/auth/test_oracle*.py
SEED = int(os.environ.get("ORACLE_SEED", "20240229"))
REQUESTS = int(os.environ.get("ORACLE_REQUESTS", "60"))
USERS, GROUPS, MODELS, MAX_DEPTH = 40, 15, 400, 4
CLIENTS = 8
LISTS = (LIST, LIST.replace("/api/", "/api/v1/"))

METACHARACTERS = [
    *("%", "_", "%%", "\\", "\\\\", ".", ".*", ".+", "[", "]", "[^", "(", ")", "(?i)", "(?=", "^", "$", "|", "*", "?"),
    *("+", "{2}", "\\E", "\\Q", "\\Q.\\E", "\\d", "\\n", "/", "#", "@", "&", ";", "=", "$owner", "$$ROOT", "$where"),
    *("${x}", '{"$ne":1}', "'", '"', "--", "<b>"),
]
WORDS = [
    *("Straße", "STRASSE", "ẞ", "İstanbul", "istanbul", "ISTANBUL", "ısı", "ﬁnance", "FINANCE", "Oﬃce", "office"),
    *("Ｇｐｔ", "GPT", "gpt-4", "café", "cafe\u0301", "CAFÉ", "n\u0303", "ñ", "\u0301", "Σίσυφος", "ΣΊΣΥΦΟΣ", "σς"),
    *("🚀", "👩\u200d🚀", "🇩🇪", "模型", "モデル", "ﾓﾃﾞﾙ", "한국", "Å", "Å", "½", "①", "ǰ", "ŉ", "ﷺ", "Ǆ", "ﬅ", "ÅÄÖ"),
    *("Llama", "llama", "LLAMA", "Mixtral", "assistant", "100%", "a_b", "a.b", "C:\\temp", "[draft]", "f(x)", "a|b"),
    *("ﹼ", "\u00a8", "\ue000", "\uffff", "\U00010400", "\U0010ffff", *METACHARACTERS),
]
# Characters that might separate fields in a search text; no match may span two fields.
SEPARATORS = ["", " ", "-", "/", "\t", "\n", "\r\n", "\v", "\x01", "\x1e", "\x1f", "\x7f", "\u2028", "\u00a0", "\uffff"]
TAGS = [
    *("Straße", "STRASSE ", " ﬁne tuned", "FINE TUNED", "Ｃｏｄｅ", "code", "co", "coder", "cafe\u0301", "Café", "ΣΑΣ"),
    *("σας", "İ", "i\u0307", "🚀", "模型", "100%", "a_b", "a\\b", ".*", "[", "$owner", "$$ROOT", "\u00a0nbsp\u00a0"),
]
BASES = ["openai/gpt-4o", "OpenAI/GPT-4o"]
CAPABILITIES = ["vision", "Vision", "web.search", "$where", "a b", "function_calling"]
VARIANTS: list[Callable[[str], str]] = [
    *(str, str, str.upper, str.lower, str.title, str.casefold, str.swapcase),
    *(partial(unicodedata.normalize, form) for form in ("NFD", "NFC", "NFKC", "NFKD")),
]


class Generator:
    """Generates a directory and requests to it, the same for the same seed. Some of its users are deleted later."""

    def __init__(self, seed: int, models: int) -> None:
        self.random = random.Random(seed)
        self.users = [self._user(number) for number in range(USERS)]
        self.deleted = [user["id"] for user in self.users[::9]]
        self.groups = self._groups()
        names = [self._text() for _ in range(models // 4)]
        self.models = [self._model(number, names) for number in range(models)]
        self.before = Oracle(self.users, self.groups, self.models)

    def _text(self, longest: int = 4) -> str:
        words = self.random.choices(WORDS, k=self.random.randint(1, longest))
        joiner = self.random.choice([" ", " ", " ", *SEPARATORS])
        edges = self.random.choices(["", " "], weights=[9, 1], k=2)
        return edges[0] + joiner.join(words) + edges[1]

    def _id(self, start: str, number: int) -> str:
        word = "".join(c for c in self._text(2) if not c.isspace() and unicodedata.category(c) != "Cc")
        # Some ids differ only in case: they are different ids.
        plain = f"{start.upper() if number % 2 else start}{number // 2}"
        return self.random.choice([plain, plain, f"{word}/{start}:{number}"])

    def _user(self, number: int) -> dict[str, Any]:
        local, name = f"{self._id('mail', number)}.{number}", self._text()
        return {
            "id": self._id("u", number),
            "name": f"{name} {'x' * 300} {name}" if number == 7 else name,
            "email": f"{local}@{self.random.choice(['Example.COM', 'straße.example', 'ｅxample.org'])}",
            "username": self.random.choice([None, self._text(2), f"user_{number}"]),
            "role": "admin" if number % 10 in (0, 1) else "user",
        }

    def _groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = []
        depths: dict[str, int] = {}
        for number in range(GROUPS):
            # Some groups have the id of a user: a grant to one must not apply to the other.
            group_id = self.users[number]["id"] if number % 3 == 0 else self._id("g", number)
            shallow = [other for other, depth in depths.items() if depth < MAX_DEPTH]
            chained = groups[-1]["id"] if 0 < number < MAX_DEPTH else None
            parent = chained or self.random.choice([None, *shallow])
            depths[group_id] = depths[parent] + 1 if parent else 1
            members = self.random.sample([user["id"] for user in self.users], self.random.randint(0, 6))
            groups.append({"id": group_id, "name": self._text(), "parent_id": parent, "member_ids": members})
        assert max(depths.values()) == MAX_DEPTH
        return groups[::-1]

    def _grants(self) -> list[dict[str, str]]:
        principals = [f"user:{user['id']}" for user in self.users]
        principals += 2 * [f"group:{group['id']}" for group in self.groups]
        chosen = self.random.sample(principals, self.random.choice([0, 0, 1, 2, 4]))
        grants = [grant(principal, self.random.choice(["read", "write"])) for principal in chosen]
        for principal in chosen[:1]:
            grants += [grant(principal), grant(principal, "write")]
        return grants + self.random.choices([[], [grant("user:*")], [grant("user:*", "write")]], weights=[30, 3, 1])[0]

    def _model(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        nobody = self.random.choice(["nobody", self.groups[0]["id"]])
        owner = self.random.choice(self.users)["id"] if number % 20 else nobody
        name = self.random.choice(VARIANTS)(self.random.choice(names))
        if number % 25 == 0:
            name = f"{'Long ' * 80}{name}"
        tags = [{"name": tag} for tag in self.random.sample(TAGS, self.random.choice([0, 1, 2, 4]))]
        able = {name: self.random.choice([True, True, False, 1, "yes", None]) for name in CAPABILITIES}
        meta = {
            "tags": tags,
            "description": self._text(6),
            **self.random.choice([{"capabilities": able}, {"capabilities": able}, {}]),
        }
        return {
            "id": self._id("m", number),
            "user_id": owner,
            "base_model_id": self.random.choice([None, self._text(2), self._id("base", number), *BASES]),
            "name": name,
            "params": {"system": f"secret of {number}"},
            "meta": self.random.choice([meta, meta, {}]),
            "access_grants": self._grants(),
            "is_active": self.random.random() < 0.8,
            "created_at": self.random.choice([0, 1_700_000_000, 1_700_000_001, self.random.randint(-(10**9), 2**33)]),
            "updated_at": 1_700_000_000 + self.random.randint(0, 20),
        }

    def term(self) -> str:
        """Return something to search for, of 1 to 128 characters."""
        model = self.random.choice(self.models)
        text, other = self.random.choices(self.before.texts(model), k=2)
        length = self.random.choice([1, 2, 3, 4, 6, 10, self.random.randint(1, 30)])
        start = self.random.randrange(max(1, len(text) - length + 1))
        part = self.random.choice(VARIANTS)(text[start : start + length])
        across = text[-length:] + self.random.choice(SEPARATORS) + other[:3]
        words = self.before.texts(self.random.choice(self.models))[0].split()
        chosen = self.random.sample(words, min(2, len(words)))
        several = [self.random.choice([word[:3], word, f'"{word}"']) for word in chosen]
        phrase = f'"{part}"' if self.random.random() < 0.8 else f'"{part}'
        others = [part, across, self.random.choice(METACHARACTERS), f"absent{length}", f" {part}", " ", ""]
        return self.random.choices(
            [" ".join([*several, part[:2]]), phrase, *others],
            weights=[20, 8, 60, 8, 10, 3, 3, 1, 1],
        )[0][:128]

    def _several(self, pick: Callable[[], Any], most: int = 3) -> list[str]:
        return [str(pick()) for _ in range(self.random.randint(1, most))]

    def _since(self, field: str) -> str:
        seconds = self.random.choice(self.models)[field] + self.random.choice([-1, 0, 0, 1])
        zone = timezone(timedelta(hours=self.random.randint(-12, 12)))
        return self.random.choice([str(seconds), datetime.fromtimestamp(seconds, zone).isoformat()])

    def _owner(self) -> str:
        user = self.random.choice(self.users)
        return str(
            self.random.choice([user["id"], user["email"], user["email"].swapcase(), user["name"].strip()[:320] or "x"])
        )

    def parameters(self) -> dict[str, str | int | list[str]]:
        """Return a random combination of all parameters."""

        def tag() -> str:
            name = self.random.choice(VARIANTS)(self.random.choice([*TAGS, *TAGS, "absent", self._text(1)]))
            return str(self.random.choice(["", " "]) + name)

        def model(field: str) -> Any:
            return self.random.choice(self.models)[field] or "none"

        query = self.term()
        orders = ["name", "created_at", "updated_at", *(["relevance"] if query.strip() else [])]
        choices: dict[str, tuple[float, str | int | list[str]]] = {
            "query": (0.7, query),
            "in": (0.15, "description"),
            "view_option": (0.3, self.random.choice(["created", "shared"])),
            "tag": (0.15, self._several(tag, self.random.choice([1, 1, 2]))),
            "id": (0.04, self._several(lambda: model("id"), 100)),
            "base_model_id": (0.04, self._several(lambda: self.random.choice([*BASES, model("base_model_id")]))),
            "owner": (0.1, self._several(self._owner)),
            "capability": (0.1, self._several(lambda: self.random.choice([*CAPABILITIES, *CAPABILITIES, "x"]), 2)),
            "created_since": (0.06, self._since("created_at")),
            "updated_since": (0.06, self._since("updated_at")),
            "order_by": (0.7, self.random.choice(orders)),
            "direction": (0.7, self.random.choice(["asc", "desc"])),
            "page": (0.5, self.random.choice([1, 1, 2, 2, 3, 4, 7, 20, 1_000, 2**31])),
            "page_size": (0.6, self.random.choice([1, 2, 3, 10, 30, 100, self.random.randint(1, 100)])),
            "kind": (0.2, self.random.choice(["custom", "base"])),
            "is_active": (0.2, self.random.choice(["true", "false"])),
        }
        chosen = {name: value for name, (chance, value) in choices.items() if self.random.random() < chance}
        if chosen.get("order_by") == "relevance":
            chosen["query"] = query
        return chosen


@dataclass
class RandomDirectory:
    """A randomly filled directory, and the oracle that computes the expected responses."""

    directory: Directory
    generator: Generator
    oracle: Oracle
    callers: list[str]

    @classmethod
    async def fill(
        cls, directory: Directory, tmp_path: Path, models: int = MODELS, seed: int = SEED
    ) -> "RandomDirectory":
        made = Generator(seed, models)
        report = await directory.load({"users": made.users, "groups": made.groups, "models": made.models}, tmp_path)
        assert report.clean, "\n".join(map(str, report.faults()))
        assert (await examine(directory.database, repair=False)).problems == 0

        assert await directory.database.delete_many(User, {"_id": {"$in": made.deleted}}) == len(made.deleted)
        found = await examine(directory.database, repair=True)
        assert found.problems == found.repaired > 0
        assert (await examine(directory.database, repair=False)).problems == 0

        # The repair removed grants to deleted users, which updated those models.
        times = {record["_id"]: record["updated_at"] for record in await directory.database.find(ModelRecord, {})}
        for model in made.models:
            model["updated_at"] = epoch_seconds(times[model["id"]])

        left = [user for user in made.users if user["id"] not in made.deleted]
        for user in left:
            await directory.key(user["id"])
        # So that it is known what is rare, and the list is counted in each of its ways.
        await directory.app.state.search_statistics.renew()
        oracle = Oracle(left, made.groups, made.models)
        return cls(directory, made, oracle, [user["id"] for user in left])

    async def ask(self, user_id: str, parameters: Parameters, path: str = LIST) -> dict[str, Any]:
        """Return the response of the service, with the compared fields of its items."""
        answer = await self.directory.get(path, user_id, **parameters)
        if answer.status_code != 200:
            return {"status": answer.status_code, "text": answer.text}
        return compared(answer.json())

    async def compare(self, pairs: Iterable[tuple[str, Parameters]]) -> int:
        """Compare the responses to all requests, a few at a time; return how many pages had items."""
        waiting, differences, filled = iter(pairs), list[str](), 0

        async def client(path: str) -> None:
            nonlocal filled
            for user_id, parameters in waiting:
                compatible = "/v1/" in path
                meant = {"kind": "custom", **parameters} if compatible else parameters
                expected = self.oracle.answer(user_id, meant, literal=compatible)
                actual = await self.ask(user_id, parameters, path)
                filled += bool(expected["items"])
                if actual != expected:
                    differences.append(difference(user_id, parameters, expected, actual))

        await asyncio.gather(*(client(LISTS[number % len(LISTS)]) for number in range(CLIENTS)))
        assert not differences, f"{len(differences)} differences, such as\n" + "\n".join(differences[:3])
        return filled

    def pairs(self, count: int) -> list[tuple[str, Parameters]]:
        """Return requests of random callers."""
        made = self.generator
        return [(made.random.choice(self.callers), made.parameters()) for _ in range(count)]
