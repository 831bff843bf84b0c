"""Generates a bundle of users, nested groups and models from a seed.

Users and groups are the same for every number of models, so that sizes can be compared: each user can read about the
same share of the models.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from benchmarks import vocabulary

Record = dict[str, Any]

SEED = 20260101
USERS, ADMINS = 1000, 3
ROOT_GROUPS, MIDDLE_GROUPS, GROUPS = 10, 40, 100
MEMBERSHIPS, MEMBERSHIP_WEIGHTS = (0, 1, 2, 3, 4), (5, 25, 40, 20, 10)

PUBLIC_SHARE = 0.01
GROUP_GRANT_SHARE = 0.4
USER_GRANT_SHARE = 0.1
WRITE_SHARE = 0.2
BASE_SHARE = 0.04
INACTIVE_SHARE = 0.03
NEWEST, SPAN = 1_767_225_600, 2 * 365 * 86_400


def user_id(number: int) -> str:
    """Return the id of the generated user with this number; the first three are admins."""
    return f"u{number:04}"


def group_id(number: int) -> str:
    """Return the id of the generated group with this number."""
    return f"g{number:03}"


def _ascii(text: str) -> str:
    return text.lower().translate(str.maketrans("éáèōü", "eaeou", "'"))


def _users(rng: Random) -> Iterator[Record]:
    for number in range(USERS):
        first, last = rng.choice(vocabulary.FIRST_NAMES), rng.choice(vocabulary.SURNAMES)
        domain = vocabulary.USUAL_DOMAIN if rng.random() < 0.97 else vocabulary.OTHER_DOMAIN
        yield {
            "kind": "user",
            "id": user_id(number),
            "name": f"{first} {last}",
            "email": f"{_ascii(first)}.{_ascii(last)}{number}@{domain}",
            "username": f"{_ascii(first)[0]}{_ascii(last)}{number}" if rng.random() < 0.7 else None,
            "role": "admin" if number < ADMINS else "user",
        }


def _parent(rng: Random, number: int) -> str | None:
    if number < ROOT_GROUPS:
        return None
    return group_id(rng.randrange(ROOT_GROUPS) if number < MIDDLE_GROUPS else rng.randrange(ROOT_GROUPS, MIDDLE_GROUPS))


def _groups(rng: Random) -> Iterator[Record]:
    members: list[list[str]] = [[] for _ in range(GROUPS)]
    for number in range(USERS):
        joined = rng.choices(MEMBERSHIPS, MEMBERSHIP_WEIGHTS)[0]
        for group in rng.sample(range(GROUPS), joined):
            members[group].append(user_id(number))
    for number in range(GROUPS):
        parent = _parent(rng, number)
        yield {
            "kind": "group",
            "id": group_id(number),
            "name": f"Group {number}",
            "parent_id": parent,
            "member_ids": members[number],
        }


def _grants(rng: Random, *, public: bool) -> list[Record]:
    principals: list[tuple[str, str]] = [("user", "*")] if public or rng.random() < PUBLIC_SHARE else []
    if rng.random() < GROUP_GRANT_SHARE:
        principals += [("group", group_id(number)) for number in rng.sample(range(GROUPS), rng.randint(1, 3))]
    if rng.random() < USER_GRANT_SHARE:
        principals.append(("user", user_id(rng.randrange(USERS))))
    return [
        {
            "id": str(UUID(int=rng.getrandbits(128), version=4)),
            "principal_type": kind,
            "principal_id": principal,
            "permission": "write" if principal != "*" and rng.random() < WRITE_SHARE else "read",
        }
        for kind, principal in principals
    ]


def _name(rng: Random, rare: str | None) -> str:
    parts = [rng.choice(vocabulary.ADJECTIVES), rng.choice(vocabulary.SUBJECTS), rng.choice(vocabulary.ROLES)]
    if rng.random() < 0.4:
        parts.append(rng.choice(vocabulary.SUFFIXES))
    if rng.random() < vocabulary.COMMON_SHARE:
        parts.insert(0, vocabulary.COMMON)
    if rare is not None:
        parts.insert(1, rare)
    return " ".join(parts)


def _meta(rng: Random, name: str, number: int) -> Record:
    tags = rng.sample(vocabulary.TAGS, rng.choice((0, 1, 1, 2, 3)))
    return {
        "profile_image_url": f"/static/images/{number % 50}.png",
        "description": f"{name}. {' '.join(rng.choices(vocabulary.SENTENCES, k=rng.randint(1, 3)))}",
        "capabilities": {"vision": rng.random() < 0.5, "citations": rng.random() < 0.5, "usage": rng.random() < 0.2},
        "tags": [{"name": tag} for tag in tags],
    }


def _model(rng: Random, number: int, rare: str | None, *, public: bool) -> Record:
    name = _name(rng, rare)
    base = rng.choice(vocabulary.BASE_MODELS)
    is_base = rng.random() < BASE_SHARE
    slug = f"{base}-{number}" if is_base else f"{_ascii(name).replace(' ', '-')}-{number}"
    created = NEWEST - rng.randrange(SPAN)
    return {
        "kind": "model",
        "id": slug,
        "user_id": user_id(rng.randrange(USERS)),
        "base_model_id": None if is_base else base,
        "name": name,
        "params": {
            "system": " ".join(rng.choices(vocabulary.SENTENCES, k=rng.randint(4, 16))),
            "temperature": round(rng.random(), 2),
            "max_tokens": rng.choice((1024, 4096, 8192)),
        },
        "meta": _meta(rng, name, number),
        "access_grants": _grants(rng, public=public),
        "is_active": rng.random() >= INACTIVE_SHARE,
        "created_at": created,
        "updated_at": rng.randrange(created, NEWEST),
    }


def _models(rng: Random, size: int) -> Iterator[Record]:
    # Each rare word is in the same number of records in a large directory as in a small one; the first half are public.
    places = rng.sample(range(size), len(vocabulary.RARE) * vocabulary.RARE_COPIES)
    rare = {place: divmod(at, vocabulary.RARE_COPIES) for at, place in enumerate(places)}
    for number in range(size):
        word, copy = rare.get(number, (None, vocabulary.RARE_COPIES))
        public = copy < vocabulary.RARE_COPIES // 2
        yield _model(rng, number, None if word is None else vocabulary.RARE[word], public=public)


def bundle(size: int, seed: int = SEED) -> Iterator[Record]:
    """Yield the records of a bundle with `size` models: users, then groups, then models."""
    yield from _users(Random(f"{seed} users"))
    yield from _groups(Random(f"{seed} groups"))
    yield from _models(Random(f"{seed} models"), size)


def write_bundle(path: Path, size: int) -> None:
    """Write a bundle as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for record in bundle(size):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
