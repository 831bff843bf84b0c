"""Calls that take effect together, and reads that see one moment."""

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
from service.database.work_context import (
    BULK_TIMEOUT_FACTOR,
    current_deadline,
    current_follow_ups,
    current_session,
    within_deadline,
    write_tracker,
)

T = TypeVar("T")

ABORT_SECONDS = 2.0
MAX_PAUSE_SECONDS = 0.25
_WRITE_CONFLICT = 112
_TRANSIENT, _UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"


class Transactions:
    """Runs work in transactions and snapshots.

    For at least `conflict_retry_seconds`, a transaction is tried again while others have locked what it changes.
    """

    def __init__(self, calls: Calls, *, conflict_retry_seconds: float = 0.0) -> None:
        self._calls = calls
        self._timeout = calls.connection.timeout
        self._conflict_retry_seconds = conflict_retry_seconds

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Let all reads of a block see the database as it is at the first of them; the block can't write.

        The server keeps such a state for five minutes, unless its `minSnapshotHistoryWindowInSeconds` is longer.
        """
        async with await self._calls.connection.client.start_session(snapshot=True) as session:
            token = current_session.set(session)
            try:
                yield
            finally:
                current_session.reset(token)

    async def in_transaction(self, work: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        """Run `work` so that all its calls on this database take effect, or none; return what it returns.

        It is run again after a conflict with other transactions, and must raise to abort. `bulk` allows it more time.
        Inside another transaction it becomes a part of that one.
        """
        if self._calls.transacting:
            return await work()

        session = self._calls.new_session()
        assert session is not None  # noqa: S101  # transactions need a server with sessions
        follow_ups: list[Callable[[], Awaitable[object]]] = []
        token, follow_ups_token = current_session.set(session), current_follow_ups.set(follow_ups)
        try:
            result = await self._attempts(session, work, self._timeout * (BULK_TIMEOUT_FACTOR if bulk else 1))
        except BaseException as error:
            # A session that is being killed is not used again: the kill could hit its next call.
            await self._give_up(session, reusable=not isinstance(error, asyncio.CancelledError))
            raise
        finally:
            current_session.reset(token)
            current_follow_ups.reset(follow_ups_token)
        # The driver's own end_session would use a thread for what happens in memory: the session is kept for reuse.
        session.delegate.end_session()
        for follow_up in follow_ups:
            await follow_up()
        return result

    async def after_commit(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` after the commit of the current transaction, which can't see what others change meanwhile.

        Outside of a transaction, it is run at once.
        """
        follow_ups = current_follow_ups.get()
        if follow_ups is None:
            await work()
        else:
            follow_ups.append(work)

    async def _attempts(
        self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]], seconds: float
    ) -> T:
        started, attempt = time.monotonic(), 0
        deadline, conflict_deadline = started + seconds, started + max(seconds, self._conflict_retry_seconds)
        while True:
            try:
                with pymongo.timeout(within_deadline(max(deadline - time.monotonic(), 0.001))):
                    return await self._committed(session, work)
            except PyMongoError as error:
                if not error.has_error_label(_TRANSIENT):
                    raise
                conflict = isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT
                if _is_overdue() or time.monotonic() >= (conflict_deadline if conflict else deadline):
                    raise
                if conflict:
                    # The next attempt gets the full time of one attempt.
                    deadline = max(deadline, min(time.monotonic() + seconds, conflict_deadline))
            await self._abort(session)
            # A random pause, longer each time, so that one of many that conflict gets through.
            await asyncio.sleep(random.uniform(0, min(0.005 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311
            attempt += 1

    async def _committed(self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]]) -> T:
        session.start_transaction()
        if (follow_ups := current_follow_ups.get()) is not None:
            # Those of an earlier attempt.
            follow_ups.clear()
        result = await work()
        write_tracker().commit()
        while True:
            try:
                await self._calls.call(lambda _: session.commit_transaction(), self._timeout * BULK_TIMEOUT_FACTOR)
            except PyMongoError as error:
                # Sending the same commit again is safe: it takes effect once.
                if error.timeout or not error.has_error_label(_UNKNOWN_COMMIT):
                    raise
            else:
                return result

    async def _give_up(self, session: AsyncIOMotorClientSession, *, reusable: bool) -> None:
        """Abort the open transaction and end its session; wait for that only within the current deadline."""

        async def work() -> None:
            await self._abort(session)
            if reusable:
                await session.end_session()

        # In the background, so that it completes when the request ends: a transaction left open would hold its locks
        # until the server aborts it.
        giving_up = self._calls.background.start(work())
        await asyncio.wait({giving_up}, timeout=within_deadline(ABORT_SECONDS))

    async def _abort(self, session: AsyncIOMotorClientSession) -> None:
        if session.delegate.in_transaction:
            with pymongo.timeout(within_deadline(ABORT_SECONDS)):
                await session.abort_transaction()


def _is_overdue() -> bool:
    deadline = current_deadline.get()
    return deadline is not None and deadline.remaining <= 0
