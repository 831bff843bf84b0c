"""Answering a request once: the dependency of the routes that take an idempotency key."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request, Response

from documents import ModelRecord
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.errors import DatabaseError
from service.database.work_context import BULK_TIMEOUT_FACTOR, within_deadline
from service.errors import ConflictError, RunningError
from service.http.dependencies import Context, context_of, get_caller
from service.http.problems import documented_header
from service.http.responses import JSON
from service.idempotency import store
from service.idempotency.key import SentKeys, key_hash, request_hash, sent_key

REPLAYED = "Idempotent-Replayed"
# For the OpenAPI document.
REPLAYED_HEADER = documented_header(REPLAYED, "Sent with an answer from an earlier request with the same key.", "true")
_GIVE_UP_SECONDS = 2.0
_NOT_KEPT = "This request was done before. Its answer was too large to be kept."
_NOT_SHOWN = (
    "This request was done before. Its answer is not shown again: it names what is gone, or what you may no longer see."
)

log = logging.getLogger("modeldeck")

T = TypeVar("T")
# Called with the result of the work, as the last part of the transaction that does it.
BeforeCommit = Callable[[T], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Once:
    """How a request is answered: once, if it has an idempotency key."""

    request: Request
    context: Context
    caller: Caller
    key: str | None

    async def answered(
        self,
        work: Callable[[BeforeCommit[T]], Awaitable[T]],
        answer: Callable[[T], Awaitable[Response]],
        names: Callable[[Any], Iterable[str]],
        is_kept: Callable[[T], bool] = lambda _: True,
    ) -> Response:
        """Do the work of a request and return its answer; or the stored one, if it was done before.

        Work that is one transaction calls what it gets at the end of that, so that work and answer are stored
        together. The answer of other work is stored when all of it is done: it must be such that doing it again does
        no harm. `names` returns the ids of the models that an answer names, and `is_kept` whether the answer to a
        result is kept: one that is due to what passes is not.

        Raises ConflictError when the answer can't be shown again, and as `store.claim` does.
        """
        if self.key is None:
            return await answer(await work(_keep_nothing))
        user_id, is_admin = self.caller.user_id, self.caller.is_admin
        claim = store.Claim(key_hash(user_id, self.key), request_hash(self.request), user_id, is_admin)
        try:
            kept = await store.claim(self._database, claim, within_deadline(self._longest))
            if kept is None:
                return await self._done(claim, work, answer, is_kept)
        except RunningError:
            raise
        except BaseException:
            await self._give_up(claim)
            raise
        return await self._shown_again(kept, names)

    @property
    def _database(self) -> Database:
        return self.context.database

    @property
    def _longest(self) -> float:
        return self._database.timeout * BULK_TIMEOUT_FACTOR

    async def _done(
        self,
        claim: store.Claim,
        work: Callable[[BeforeCommit[T]], Awaitable[T]],
        answer: Callable[[T], Awaitable[Response]],
        is_kept: Callable[[T], bool],
    ) -> Response:
        kept: list[Response] = []

        async def before_commit(result: T) -> None:
            # A transaction may be tried several times.
            kept[:] = [await answer(result)]
            await store.keep(self._database, claim, _stored(kept[0]))

        result = await work(before_commit)
        if kept:
            return kept[0]
        response = await answer(result)
        try:
            if is_kept(result):
                await store.keep(self._database, claim, _stored(response))
                return response
        except (DatabaseError, RunningError) as error:
            # The work is done, so the caller gets the answer.
            log.warning("the answer to an idempotent request could not be stored: %s", type(error).__name__)
        # Sent again, the request is carried out again.
        await self._give_up(claim)
        return response

    async def _give_up(self, claim: store.Claim) -> None:
        # In the background, so that it completes when the request was cancelled.
        giving_up = self.context.background.start(store.give_up(self._database, claim))
        await asyncio.wait({giving_up}, timeout=within_deadline(_GIVE_UP_SECONDS))

    async def _shown_again(self, kept: store.KeptAnswer, names: Callable[[Any], Iterable[str]]) -> Response:
        if kept.body is None:
            raise ConflictError(_NOT_KEPT)
        # The caller may have fewer rights than they had.
        if not self.caller.is_admin and (kept.for_admin or not await self._may_read(names(orjson.loads(kept.body)))):
            raise ConflictError(_NOT_SHOWN)
        headers = {REPLAYED: "true"} | ({} if kept.etag is None else {"ETag": kept.etag})
        return Response(kept.body, kept.status, headers, media_type=JSON)

    async def _may_read(self, model_ids: Iterable[str]) -> bool:
        named = sorted(set(model_ids))
        query = {"$and": [access_rule.readable(self.caller), {"_id": {"$in": named}}]}
        return not named or await self._database.count(ModelRecord, query) == len(named)


async def _keep_nothing(_: Any) -> None:
    pass


def _stored(response: Response) -> store.KeptAnswer:
    return store.KeptAnswer(response.status_code, response.headers.get("ETag"), bytes(response.body))


async def get_once(request: Request, sent: SentKeys = None) -> Once:
    """Return how a request is answered; raise InvalidInputError when its idempotency key is malformed."""
    caller = await get_caller(request)
    return Once(request, context_of(request), caller, sent_key(sent))


OnceDependency = Annotated[Once, Depends(get_once)]
