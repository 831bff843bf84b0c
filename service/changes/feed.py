"""One change stream of a process, which feeds all its followers."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from documents import ApiKey
from service.background import BackgroundTasks
from service.changes.entries import Entry, FeedPosition, ModelChange, NumberedEvent, RightsChange, entries_of
from service.changes.event_batches import event_batches
from service.changes.missed import Missed
from service.database.change_streams import ChangesLostError, ClusterTime
from service.database.client import Database
from service.database.errors import DatabaseError
from service.errors import UnavailableError

log = logging.getLogger("modeldeck")

NOT_NOW = "Changes can't be followed at the moment; follow again, from the last token."
ENDING = "This process is about to end; follow again, from the last token."
# The stream begins so long ago, so that the followers of a process that has ended find here what they have missed.
LOOK_BACK_SECONDS = 60
# How long the stream goes on without a follower.
IDLE_SECONDS = 60.0
RETRY_SECONDS = 0.5
_NOBODY: frozenset["Listener"] = frozenset()


class Listener(Protocol):
    """Who is given entries."""

    def __hash__(self) -> int:
        """Return a hash by which it is found again."""

    @property
    def interests(self) -> frozenset[str]:
        """Of entries that concern something else, none needs to be offered."""

    @property
    def unsure(self) -> bool:
        """Whether the interests may change: then all entries are to be offered."""

    def offer(self, entry: Entry) -> None:
        """Take an entry, in order."""

    def end(self) -> None:
        """Take no more, and end."""


class Feed:
    """Reads the change stream as long as anybody follows, and gives each listener the entries that may concern it."""

    def __init__(self, database: Database, background: BackgroundTasks) -> None:
        self._database = database
        self._background = background
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._listeners: set[Listener] = set()
        self._by_interest: defaultdict[str, set[Listener]] = defaultdict(set)
        self._indexed: dict[Listener, frozenset[str]] = {}
        # Whose interests may be changing.
        self._unsure: set[Listener] = set()
        self.missed = Missed(database)
        self._complete = ClusterTime(0, 0)
        self._moved = asyncio.Event()
        self._closed = False
        # Those who follow, or are about to.
        self._present = 0
        self._stopping: asyncio.TimerHandle | None = None
        # Up to here, all entries have been offered.
        self.position = FeedPosition(0, 0, 0)

    @property
    def closed(self) -> bool:
        """Whether the process is about to end."""
        return self._closed

    def close(self) -> None:
        """End all listeners, and let nobody join any more."""
        self._closed = True
        self._end_all()

    def _end_all(self) -> None:
        for listener in list(self._listeners):
            listener.end()

    @asynccontextmanager
    async def joined(self, listener: Listener) -> AsyncIterator[FeedPosition]:
        """Offer a listener each entry that may concern it, during a block, after the position that is yielded.

        Raises UnavailableError when the process is about to end.
        """
        self._present += 1
        try:
            if self._task is None:
                self._start()
            assert self._started is not None  # noqa: S101  # set by the start
            await asyncio.shield(self._started)
            if self._closed or self._task is None:
                raise UnavailableError(ENDING)
            self._listeners.add(listener)
            self.index(listener)
            yield self.position
        finally:
            self._listeners.discard(listener)
            self._unsure.discard(listener)
            self._unindex(listener)
            self._present -= 1
            if self._stopping is not None:
                self._stopping.cancel()
            self._stopping = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop_when_idle)

    def index(self, listener: Listener) -> None:
        """Note what a listener is interested in now."""
        self._unindex(listener)
        if listener in self._listeners:
            (self._unsure.add if listener.unsure else self._unsure.discard)(listener)
            self._indexed[listener] = listener.interests
            for interest in listener.interests:
                self._by_interest[interest].add(listener)

    def _unindex(self, listener: Listener) -> None:
        for interest in self._indexed.pop(listener, ()):
            self._by_interest[interest].discard(listener)
            if not self._by_interest[interest]:
                del self._by_interest[interest]

    def _stop_when_idle(self) -> None:
        if self._task is not None and not self._present:
            ending, self._task = self._task, None
            ending.cancel()

    def _start(self) -> None:
        self._started = asyncio.get_running_loop().create_future()
        # Retrieve the exception, so that asyncio does not warn when nobody waits any more.
        self._started.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._task = self._background.start(self._run(self._started))

    async def _run(self, started: "asyncio.Future[None]") -> None:
        try:
            await self._follow(started)
        except Exception as error:  # those who follow come back
            log.warning("the change stream ended: %s code=%s", type(error).__name__, getattr(error, "code", None))
            if not started.done():
                started.set_exception(UnavailableError(NOT_NOW))
        finally:
            if not started.done():
                started.set_exception(UnavailableError(ENDING))
            # A new one, since whoever waits on one that is set goes on at once, and would never let others go on.
            self._move()
            # Not what another stream, which was begun meanwhile, feeds.
            if self._task in (None, asyncio.current_task()):
                self._task = None
                self._end_all()

    async def _follow(self, started: "asyncio.Future[None]") -> None:
        moment = await self._now()
        begin = ClusterTime(moment.seconds - LOOK_BACK_SECONDS, 1)
        try:
            await self._follow_since(begin, moment, started)
        except ChangesLostError:
            if started.done():
                raise
            await self._follow_since(moment, moment, started)

    async def _now(self) -> ClusterTime:
        _, moment = await self._database.aggregate_at_one_moment(ApiKey, [{"$match": {"_id": ""}}], most=1)
        return moment

    async def _follow_since(self, begin: ClusterTime, moment: ClusterTime, started: "asyncio.Future[None]") -> None:
        self.position = FeedPosition.before(begin)
        self._complete = ClusterTime(0, 0)
        self.missed.begin(self.position)
        async for numbered, complete in event_batches(self._database, begin):
            for entry in await self._entries_of(numbered):
                self.missed.keep(entry)
                self._offer(entry)
            if numbered:
                self.position = max(self.position, numbered[-1][0])
            if complete is not None:
                self.position = max(self.position, FeedPosition.before(complete))
                self._complete = complete
            if not started.done() and self.has_come_to(moment):
                started.set_result(None)
            self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _entries_of(self, numbered: Sequence[NumberedEvent]) -> Sequence[Entry]:
        while True:
            try:
                return await entries_of(self._database, numbered)
            except DatabaseError as error:
                # No entry can be left out, so an outage is waited for.
                log.warning("changes wait for the database: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    def _offer(self, entry: Entry) -> None:
        if isinstance(entry, ModelChange) and not entry.known:
            concerned = set(self._listeners)
        else:
            concerned = set(self._unsure)
            for one in entry.concerns:
                concerned |= self._by_interest.get(one, _NOBODY)
        for listener in concerned:
            listener.offer(entry)
        if isinstance(entry, RightsChange):
            self._unsure |= concerned

    def has_come_to(self, moment: ClusterTime) -> bool:
        """Return whether all entries until then have been offered, those of the moment too."""
        return self._complete >= moment or self.position > FeedPosition.after(moment)

    async def come_to(self, moment: ClusterTime) -> None:
        """Wait until all entries until then have been offered; raise UnavailableError when the stream ends before."""
        begun = self._task
        while not self.has_come_to(moment):
            if begun is None or self._task is not begun:
                raise UnavailableError(NOT_NOW)
            await self._moved.wait()
