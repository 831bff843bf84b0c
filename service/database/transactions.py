"""Calls that take effect together, or see one moment."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pymongo
from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo.errors import OperationFailure, PyMongoError

from service.database.connection import BULK_TIMEOUT_FACTOR, Connection, current_session

T = TypeVar("T")

ABORT_SECONDS = 2.0
MAX_PAUSE_SECONDS = 0.25
_WRITE_CONFLICT = 112
_TRANSIENT, _UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"


class Transactions(Connection):
    """Calls that take effect together, or not at all."""

    @property
    def transacting(self) -> bool:
        """Whether the calls of this task take part in a transaction."""
        return current_session.get() is not None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Let all reads of a block see the database as it is at the first of them; nothing can be written in it.

        The server keeps such a state for five minutes, unless its `minSnapshotHistoryWindowInSeconds` is longer.
        """
        async with await self._client.start_session(snapshot=True) as session:
            token = current_session.set(session)
            try:
                yield
            finally:
                current_session.reset(token)

    async def in_transaction(self, work: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        """Run `work` so that all its calls on this database take effect, or none; return what it returns.

        It is run again when others got in its way, and must raise to give up. `bulk` gives it more time. Inside
        another transaction it is a part of that one.
        """
        if self.transacting:
            return await work()

        async with await self._client.start_session() as session:
            token = current_session.set(session)
            try:
                return await self._attempts(session, work, self._timeout * (BULK_TIMEOUT_FACTOR if bulk else 1))
            finally:
                current_session.reset(token)

    async def _attempts(
        self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]], seconds: float
    ) -> T:
        started, attempt = time.monotonic(), 0
        deadline, patient_until = started + seconds, started + max(seconds, self._patience)
        while True:
            try:
                with pymongo.timeout(max(deadline - time.monotonic(), 0.001)):
                    return await _committed(session, work)
            except BaseException as error:
                # With time of its own: what is left open keeps what it has locked until the server gives it up.
                with pymongo.timeout(ABORT_SECONDS):
                    await _abort(session)
                if not isinstance(error, PyMongoError) or not error.has_error_label(_TRANSIENT):
                    raise
                held_by_others = isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT
                if time.monotonic() >= (patient_until if held_by_others else deadline):
                    raise
                if held_by_others:
                    # Another attempt gets all the time that one may take.
                    deadline = max(deadline, min(time.monotonic() + seconds, patient_until))
            # At random, and longer each time: of many that want the same, one has to get through.
            await asyncio.sleep(random.uniform(0, min(0.005 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311
            attempt += 1


async def ended(call: Awaitable[T]) -> T:
    """Await a call and return what it returns; within a transaction, await its end also when cancelled.

    Its thread goes on all the same. What it sends after the transaction was given up would begin it anew, for nobody to
    end, or be written without it.
    """
    if current_session.get() is None:
        return await call
    running = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


async def _committed(session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]]) -> T:
    session.start_transaction()
    result = await work()
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            # The same commit can be sent again, and takes effect once.
            if error.timeout or not error.has_error_label(_UNKNOWN_COMMIT):
                raise
        else:
            return result


async def _abort(session: AsyncIOMotorClientSession) -> None:
    if session.delegate.in_transaction:
        await session.abort_transaction()
