"""The stored side of idempotency keys: claiming one, and keeping what came of its request.

Whoever has claimed a key has an attempt, with a name and a time. What came of the request is stored only under the name
of the current attempt, so that an attempt that was taken over can neither store anything nor commit its work with it.
"""

import secrets
import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from documents import IdempotentRequest
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record, int64
from service.database.work_context import untracked
from service.errors import KeyReusedError, RunningError, TooManyKeysError

LIFETIME = timedelta(hours=24)
# Of one user at a time.
MAX_KEYS = 5_000
# A larger answer is not kept, nor one beyond what the answers of one user may take together, compressed.
MAX_ANSWER_BYTES, MAX_KEPT_BYTES = 2_000_000, 32_000_000
# An attempt counts as ended so long after its deadline.
GRACE = timedelta(seconds=5)
# Others can be faster in finding that an attempt has ended, and take over.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to a request that is done: for admins alone, if it was made for one.

    `body` is None where it was too large to keep.
    """

    status: int
    etag: str | None
    body: bytes | None
    for_admin: bool = False


@dataclass(slots=True)
class Claim:
    """A claim to a key by one attempt; `room` is the number of bytes that its answer may take."""

    key_hash: str
    request_hash: str
    user_id: str
    by_admin: bool
    attempt: str = field(default_factory=lambda: secrets.token_hex(16))
    room: int = 0


async def claim(database: Database, wanted: Claim, seconds: float) -> KeptAnswer | None:
    """Claim a key for an attempt that ends within `seconds`; or return the answer, if the request is done already.

    Raises KeyReusedError for a key that was used for another request, RunningError while another attempt runs, and
    TooManyKeysError when the user has too many keys.
    """
    with untracked():
        for _ in range(_TRIES):
            record = _new_record(wanted, seconds)
            if await database.insert_record(IdempotentRequest, record):
                await _require_room(database, wanted)
                return None
            # It may have expired, or its attempt may have been given up, since the insertion.
            for found in await database.find(IdempotentRequest, {"_id": wanted.key_hash}):
                existing = _well_formed(found)
                if existing is None or existing.expires_at <= now():
                    as_found = {"_id": wanted.key_hash, "attempt": found.get("attempt")}
                    await database.delete_many(IdempotentRequest, as_found)
                elif existing.request != wanted.request_hash:
                    raise KeyReusedError
                elif existing.status is not None:
                    if await _count_repetition(database, existing):
                        return _kept_answer(existing)
                elif existing.attempt_ends_at > now():
                    raise RunningError
                elif await _take_over(database, existing, record):
                    await _require_room(database, wanted)
                    return None
    raise RunningError


def _well_formed(found: Record) -> IdempotentRequest | None:
    """Return the record; None for one that was written past the service and is no such record."""
    try:
        existing: IdempotentRequest = IdempotentRequest.model_validate(found)
    except ValidationError:
        return None
    return existing


def _new_record(wanted: Claim, seconds: float) -> Record:
    moment = now()
    return {
        "_id": wanted.key_hash,
        "user_id": wanted.user_id,
        "request": wanted.request_hash,
        "by_admin": wanted.by_admin,
        "attempt": wanted.attempt,
        "attempt_ends_at": moment + timedelta(seconds=seconds) + GRACE,
        "expires_at": moment + LIFETIME,
        "status": None,
        "etag": None,
        "answer": None,
        "answer_bytes": int64(0),
        "repetitions": int64(0),
    }


async def _require_room(database: Database, claimed: Claim) -> None:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"user_id": claimed.user_id, "expires_at": {"$gt": now()}}},
        {
            "$group": {
                "_id": None,
                "keys": {"$sum": 1},
                "bytes": {"$sum": "$answer_bytes"},
                "next": {"$min": "$expires_at"},
            }
        },
    ]
    found = await database.aggregate(IdempotentRequest, pipeline, hint="user")
    if not found:
        # Deleted with its user, or by its expiry, since it was claimed.
        raise RunningError
    [used] = found
    if used["keys"] > MAX_KEYS:
        raise TooManyKeysError(MAX_KEYS, (used["next"] - now()).total_seconds())
    claimed.room = max(0, MAX_KEPT_BYTES - used["bytes"])


async def _count_repetition(database: Database, existing: IdempotentRequest) -> bool:
    # A write, which waits for a majority: so the answer is not given before its work is safe.
    query = {"_id": existing.id, "attempt": existing.attempt}
    return await database.update_one(IdempotentRequest, query, {"$inc": {"repetitions": int64(1)}})


async def _take_over(database: Database, existing: IdempotentRequest, record: Record) -> bool:
    """Take over from an attempt whose time is over, unless its work is committed at the same moment."""
    query = {"_id": existing.id, "attempt": existing.attempt, "status": None}
    return await database.update_one(IdempotentRequest, query, {"$set": record})


def _kept_answer(done: IdempotentRequest) -> KeptAnswer:
    assert done.status is not None  # noqa: S101  # it is done
    body = None if done.answer is None else zlib.decompress(done.answer)
    return KeptAnswer(done.status, done.etag, body, done.by_admin)


async def keep(database: Database, claimed: Claim, answer: KeptAnswer) -> None:
    """Store the answer to the request of a claim: in a transaction, together with its work.

    Raises RunningError when another attempt has taken over.
    """
    body = answer.body
    compressed = None if body is None or len(body) > MAX_ANSWER_BYTES else zlib.compress(body)
    if compressed is not None and len(compressed) > claimed.room:
        compressed = None
    done = {
        "status": int64(answer.status),
        "etag": answer.etag,
        "answer": compressed,
        "answer_bytes": int64(len(compressed or b"")),
    }
    with untracked():
        if not await database.update_one(IdempotentRequest, _own(claimed), {"$set": done}):
            raise RunningError


async def give_up(database: Database, claimed: Claim) -> None:
    """Free the key of a claim whose attempt has failed, unless its work was committed all the same."""
    await database.delete_many(IdempotentRequest, {**_own(claimed), "status": None})


def _own(claimed: Claim) -> Record:
    return {"_id": claimed.key_hash, "attempt": claimed.attempt}


async def forget_keys_of(database: Database, user_id: str) -> None:
    """Delete the keys of a user, and the answers to their requests."""
    await database.delete_many(IdempotentRequest, {"user_id": user_id})
