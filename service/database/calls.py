"""Single calls of the driver: each within its deadline and in a session, and killed on the server when abandoned."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pymongo
from motor.frameworks.asyncio import run_on_executor
from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo.client_session import ClientSession
from pymongo.errors import ConfigurationError

from service.background import BackgroundTasks
from service.database.abandoned import AbandonedCalls
from service.database.connection import Connection
from service.database.errors import lacks_sessions
from service.database.work_context import current_session, within_deadline, write_tracker

# As long as a kill may take.
END_SECONDS = 2.0

T = TypeVar("T")
Session = AsyncIOMotorClientSession | None


class Calls:
    """Makes calls on a connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.background = BackgroundTasks()
        self._abandoned = AbandonedCalls(connection.client, self.background)

    @property
    def transacting(self) -> bool:
        """Whether the calls of this task take part in a transaction or read from a snapshot."""
        return current_session.get() is not None

    async def call(self, call: Callable[[Session], Awaitable[T]], seconds: float | None = None) -> T:
        """Make a call in the session of this task's transaction, or in one of its own; return what it returns.

        It takes at most `seconds`, by default the timeout of the connection. When it is cancelled, its operation is
        killed on the server.
        """
        try:
            return await self._call(call, seconds)
        except ConfigurationError as error:
            if not lacks_sessions(error):
                raise
            # The server may have been asked while it started. Nothing has been sent to it yet.
            self.connection.renew()
            if self.transacting:
                raise
            return await self._call(call, seconds)

    async def _call(self, call: Callable[[Session], Awaitable[T]], seconds: float | None) -> T:
        joined = current_session.get()
        session = joined or self.new_session()
        with pymongo.timeout(within_deadline(seconds or self.connection.timeout)):
            running = asyncio.ensure_future(call(session))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._abandoned.add(running, session)
            if joined is not None:
                # If its thread sent the operation after the transaction was aborted, that would start the transaction
                # again, with nobody to end it, or write outside of it.
                await _ended(running)
            raise
        finally:
            # A session that is being killed is not used again: the kill could hit its next call.
            if joined is None and session is not None and running.done():
                # Without a transaction, this only returns it to the pool of sessions.
                session.delegate.end_session()

    async def read(self, read: Callable[[ClientSession | None], T], seconds: float | None = None) -> T:
        """Make a call that blocks, as `call` does: in a thread of the driver. A cursor of Motor would take longer."""

        def begin(session: Session) -> Awaitable[T]:
            loop, joined = asyncio.get_running_loop(), session.delegate if session is not None else None
            running: Awaitable[T] = run_on_executor(loop, read, joined)  # type: ignore[no-untyped-call]
            return running

        return await self.call(begin, seconds)

    async def change(self, call: Callable[[Session], Awaitable[T]], seconds: float | None = None) -> T:
        """Make a call that changes something; in a transaction, the change takes effect at the commit."""
        write_tracker().changing(at_commit=self.transacting)
        return await self.call(call, seconds)

    def new_session(self) -> Session:
        """Return a session for calls that belong together; None where the server has no sessions."""
        # The driver's own start_session would use a thread for what happens in memory.
        client = self.connection.client
        session = AsyncIOMotorClientSession(client.delegate.start_session(causal_consistency=False), client)
        # Create the id now: the thread that uses the session and the one that kills it both need it.
        _ = session.session_id
        return session

    async def end_abandoned(self) -> None:
        """Wait, for a short while, until the server has ended the operations of abandoned calls."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self.background.finish()

    def close(self) -> None:
        """Stop killing operations, and close every connection."""
        self._abandoned.close()
        self.connection.close()


async def _ended(running: asyncio.Future[Any]) -> None:
    """Wait until a call has ended, also when the wait is cancelled: who is cancelled already is soon cancelled again.

    A command that is told to end cancels all of its tasks, and each task those for which it waits.
    """
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({running})
