"""Kills on the server the operations of calls that nobody waits for any more."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pymongo
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo.errors import PyMongoError

from service.background import BackgroundTasks
from service.database.exact_bson import Record

log = logging.getLogger("modeldeck")

KILL_SECONDS = 2.0
KILL_AGAIN_SECONDS = 0.25


class AbandonedCalls:
    """The calls whose callers were cancelled; their sessions are killed until the calls have ended."""

    def __init__(self, client: AsyncIOMotorClient[Record], background: BackgroundTasks) -> None:
        self._client = client
        self._background = background
        # A thread of its own, since all others may be busy with the calls to be killed.
        self._killer = ThreadPoolExecutor(1, thread_name_prefix="modeldeck-kill")
        self._session_ids: dict[asyncio.Future[Any], Any] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def add(self, call: asyncio.Future[Any], session: AsyncIOMotorClientSession | None) -> None:
        """Have the server end what it does for a call, whose result or failure nobody reads."""
        call.add_done_callback(self._ended)
        if session is None or call.done() or self._closed:
            return
        first = not self._session_ids
        self._session_ids[call] = session.session_id
        self._wake.set()
        if first:
            self._background.start(self._kill_until_ended())

    def _ended(self, call: asyncio.Future[Any]) -> None:
        self._session_ids.pop(call, None)
        if not self._session_ids:
            # Stop waiting for another round.
            self._wake.set()
        # Retrieve the exception, so that asyncio does not warn about it.
        if not call.cancelled():
            call.exception()

    async def _kill_until_ended(self) -> None:
        """Kill the sessions of all abandoned calls together, until all of these calls have ended."""
        loop = asyncio.get_running_loop()
        while self._session_ids:
            self._wake.clear()
            await loop.run_in_executor(self._killer, self._kill, list(self._session_ids.values()))
            # Repeat after a while, since an operation may reach the server after the command that should kill it.
            with suppress(TimeoutError):
                async with asyncio.timeout(KILL_AGAIN_SECONDS):
                    await self._wake.wait()

    def _kill(self, session_ids: Sequence[Any]) -> None:
        try:
            with pymongo.timeout(KILL_SECONDS):
                self._client.delegate.admin.command("killSessions", list(session_ids))
        except PyMongoError as error:
            # No warning: the operations end at their deadlines, and commands write only their own errors to stderr.
            log.info("could not kill an abandoned operation on the server: %s", type(error).__name__)

    def close(self) -> None:
        """Kill nothing from now on."""
        self._closed = True
        self._session_ids.clear()
        self._killer.shutdown(wait=False, cancel_futures=True)
