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

from service.database.calls import Calls
from service.database.connection import BULK_TIMEOUT_FACTOR, current_session
from service.database.deadline import current_deadline, within_deadline
from service.database.write_tracker import write_tracker

T = TypeVar("T")

ABORT_SECONDS = 2.0
MAX_PAUSE_SECONDS = 0.25
_WRITE_CONFLICT = 112
_TRANSIENT, _UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"


class Transactions(Calls):
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

        session = self._new_session()
        token = current_session.set(session)
        try:
            result = await self._attempts(session, work, self._timeout * (BULK_TIMEOUT_FACTOR if bulk else 1))
        except BaseException as error:
            # One in which something is killed is not used again, or that could hit what comes next.
            await self._give_up(session, reusable=not isinstance(error, asyncio.CancelledError))
            raise
        finally:
            current_session.reset(token)
        # The driver's own would ask a thread for what is done in memory: it is kept for the next call.
        session.delegate.end_session()
        return result

    async def _attempts(
        self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]], seconds: float
    ) -> T:
        started, attempt = time.monotonic(), 0
        deadline, patient_until = started + seconds, started + max(seconds, self._patience)
        while True:
            try:
                with pymongo.timeout(within_deadline(max(deadline - time.monotonic(), 0.001))):
                    return await self._committed(session, work)
            except PyMongoError as error:
                if not error.has_error_label(_TRANSIENT):
                    raise
                held_by_others = isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT
                if _is_over() or time.monotonic() >= (patient_until if held_by_others else deadline):
                    raise
                if held_by_others:
                    # Another attempt gets all the time that one may take.
                    deadline = max(deadline, min(time.monotonic() + seconds, patient_until))
            await self._abort(session)
            # At random, and longer each time: of many that want the same, one has to get through.
            await asyncio.sleep(random.uniform(0, min(0.005 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311
            attempt += 1

    async def _committed(self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]]) -> T:
        session.start_transaction()
        result = await work()
        write_tracker().commit()
        while True:
            try:
                await self._call(lambda _: session.commit_transaction(), self._timeout * BULK_TIMEOUT_FACTOR)
            except PyMongoError as error:
                # The same commit can be sent again, and takes effect once.
                if error.timeout or not error.has_error_label(_UNKNOWN_COMMIT):
                    raise
            else:
                return result

    async def _give_up(self, session: AsyncIOMotorClientSession, *, reusable: bool) -> None:
        """Abort what is open, and let go of the session; whoever has no time left does not wait for that."""

        async def work() -> None:
            await self._abort(session)
            if reusable:
                await session.end_session()

        # Not a part of the request: what is left open keeps what it has locked until the server gives it up.
        giving_up = self._run_beside(work())
        await asyncio.wait({giving_up}, timeout=within_deadline(ABORT_SECONDS))

    async def _abort(self, session: AsyncIOMotorClientSession) -> None:
        if session.delegate.in_transaction:
            with pymongo.timeout(within_deadline(ABORT_SECONDS)):
                await session.abort_transaction()


def _is_over() -> bool:
    deadline = current_deadline.get()
    return deadline is not None and deadline.remaining <= 0
