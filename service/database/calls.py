"""One call of the driver: within its deadline, and ended on the server when nobody waits for it any more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

import pymongo
from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo.errors import PyMongoError

from service.database.connection import Connection, current_session
from service.database.deadline import within_deadline
from service.database.write_tracker import write_tracker

log = logging.getLogger("modeldeck")

T = TypeVar("T")
Session = AsyncIOMotorClientSession | None

KILL_SECONDS = 2.0
CLOSE_SECONDS = 1.0
KILL_AGAIN_SECONDS = 0.25


class Calls(Connection):
    """Calls that don't outlive those who wait for them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._beside: set[asyncio.Task[None]] = set()
        # A thread of its own: all others may be busy with what is to be ended.
        self._killer = ThreadPoolExecutor(1, thread_name_prefix="modeldeck-kill")
        self._unwanted: dict[asyncio.Future[Any], Any] = {}
        self._more_unwanted = asyncio.Event()
        self._closed = False

    async def _call(self, call: Callable[[Session], Awaitable[T]], seconds: float | None = None) -> T:
        """Make a call in the session of this task's transaction, or in one of its own; return what it returns.

        It takes at most `seconds`, or the timeout of the connection. When it is cancelled, the server is told to end
        what it does for it.
        """
        joined = current_session.get()
        session = joined or self._new_session()
        with pymongo.timeout(within_deadline(seconds or self._timeout)):
            running = asyncio.ensure_future(call(session))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._abandon(running, session)
            if joined is not None:
                # What its thread sends after the transaction was given up would begin it anew, for nobody to end, or
                # be written without it.
                await asyncio.wait({running})
            raise
        finally:
            # One in which something is killed is not used again, or that could hit what comes next.
            if joined is None and session is not None and running.done():
                # Without a transaction, this only keeps it for the next call.
                session.delegate.end_session()

    async def _change(self, call: Callable[[Session], Awaitable[T]], seconds: float | None = None) -> T:
        """Make a call that changes something; in a transaction, nothing is changed before that is committed."""
        write_tracker().changing(at_commit=current_session.get() is not None)
        return await self._call(call, seconds)

    def _new_session(self) -> AsyncIOMotorClientSession:
        # The driver's own start_session would ask a thread for what is done in memory.
        delegate = self._client.delegate.start_session(causal_consistency=False)
        session = AsyncIOMotorClientSession(delegate, self._client)
        # Named now: the thread that uses it, and the one that ends what it does, both need the name.
        _ = session.session_id
        return session

    def _abandon(self, running: asyncio.Future[Any], session: Session) -> None:
        running.add_done_callback(self._heard_out)
        if session is None or running.done() or self._closed:
            return
        alone = not self._unwanted
        self._unwanted[running] = session.session_id
        self._more_unwanted.set()
        if alone:
            self._run_beside(self._kill_unwanted())

    def _heard_out(self, call: asyncio.Future[Any]) -> None:
        self._unwanted.pop(call, None)
        if not self._unwanted:
            # There is nothing left to wait for before it is looked at again.
            self._more_unwanted.set()
        # How it fails is nobody's business any more, and no mistake.
        if not call.cancelled():
            call.exception()

    async def _kill_unwanted(self) -> None:
        """Have the server end what it does for nobody, all of it at once, until all of these calls have ended."""
        loop = asyncio.get_running_loop()
        while self._unwanted:
            self._more_unwanted.clear()
            await loop.run_in_executor(self._killer, self._kill_sessions, list(self._unwanted.values()))
            # Again after a while, since what was to be ended may not have reached the server before.
            with suppress(TimeoutError):
                async with asyncio.timeout(KILL_AGAIN_SECONDS):
                    await self._more_unwanted.wait()

    def _kill_sessions(self, session_ids: Sequence[Any]) -> None:
        try:
            with pymongo.timeout(KILL_SECONDS):
                self._client.delegate.admin.command("killSessions", list(session_ids))
        except PyMongoError as error:
            log.warning("what nobody waits for any more could not be ended: %s", type(error).__name__)

    def _run_beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In a context of its own: the deadline and the transaction of whoever began it are not its.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        self._unwanted.clear()
        self._killer.shutdown(wait=False, cancel_futures=True)
        # It tells the server that its sessions are over, if it is there to be told.
        with pymongo.timeout(CLOSE_SECONDS):
            super().close()
