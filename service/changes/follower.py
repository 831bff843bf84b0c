"""One follower: which of the changes they may see, under the rights that they had when each was committed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from documents.grant import user_principal
from service.auth.authentication import Caller
from service.changes.contents import Contents
from service.changes.entries import (
    ADMINS,
    Entry,
    FeedPosition,
    ModelChange,
    RightsChange,
    of_api_key,
    of_group,
)
from service.changes.feed import NOT_NOW, Feed
from service.changes.happenings import WITH_ITEM, Happening, Shown, happening_of
from service.changes.missed import TakePlace
from service.database.change_streams import ClusterTime
from service.database.errors import DatabaseError
from service.errors import ModeldeckError, UnauthorizedError, UnavailableError

HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS, BEHIND_SECONDS = 0.5, 0.05
# Entries that may wait for a follower who reads slowly. They hold no content.
MAX_WAITING = 1_000

# Returns the caller with the rights that they had at a moment; raises UnauthorizedError when they have none any more.
ReadRights = Callable[[], Awaitable[tuple[Caller, ClusterTime]]]


class Follower:
    """Follows changes for one caller; with `model_id`, those of one model, and without items.

    `check` authenticates them again. Each is shown under the rights that the caller had when it was committed: these
    are read as they are at a moment of the cluster, and hold until a later entry says that they may have changed.
    """

    def __init__(
        self,
        feed: Feed,
        contents: Contents,
        caller: Caller,
        read_rights: ReadRights,
        check: Callable[[], Awaitable[Caller]],
        *,
        place: TakePlace,
        on_end: Callable[[], object],
        model_id: str | None = None,
        also: frozenset[str] = frozenset(),
    ) -> None:
        """Prepare; `place` takes a place for reading what was missed, and `on_end` is called when what has begun ends.

        `also` are what else may end their rights, such as a session.
        """
        self._place = place
        self._feed = feed
        self._contents = contents
        self._caller = caller
        self._read_rights = read_rights
        self._check = check
        self._model_id = model_id
        self._on_end = on_end
        self._also = also
        self._waiting: deque[Entry] = deque()
        self._backlog: Sequence[Entry] = ()
        self._missed_until = FeedPosition(0, 0, 0)
        self._woken = asyncio.Event()
        self._begun = self._ended = False
        # When the caller is to be authenticated again, by the clock of the loop.
        self._check_at = 0.0
        # Changes of rights that were offered and not handled; the first reading of rights counts as one.
        self._uncertain = 1
        # All until here was shown, or is not to be shown.
        self._position = FeedPosition(0, 0, 0)

    @property
    def interests(self) -> frozenset[str]:
        """What concerns the caller, with the rights that they are known to have."""
        caller = self._caller
        own = {user_principal(caller.user_id), *map(of_group, caller.named_groups)}
        if caller.api_key_id is not None:
            own.add(of_api_key(caller.api_key_id))
        return frozenset(own | self._principals | self._also)

    @property
    def _principals(self) -> frozenset[str]:
        principals = self._caller.principals
        return principals | {ADMINS} if self._caller.is_admin else principals

    @property
    def unsure(self) -> bool:
        """Whether their rights may have changed."""
        return self._uncertain > 0

    def offer(self, entry: Entry) -> None:
        """Take an entry; who reads so slowly that too many wait is ended, and can go on from their last token."""
        if len(self._waiting) >= MAX_WAITING:
            self.end()
        if self._ended:
            return
        if isinstance(entry, RightsChange):
            self._uncertain += 1
        self._waiting.append(entry)
        self._woken.set()

    def end(self) -> None:
        """Show nothing more."""
        if not self._ended:
            self._ended = True
            self._waiting.clear()
            self._woken.set()
            # Who has not begun is refused, which needs no end from outside.
            if self._begun:
                self._on_end()

    async def begin(self, joined: FeedPosition, since: FeedPosition | None) -> Shown:
        """Begin now, or after a position; return from where on all will be shown.

        Raises UnauthorizedError, GoneError when what has changed since then is no longer kept, and UnavailableError if
        the stream has ended meanwhile.
        """
        moment = await self._rights_since(joined.moment)
        here = FeedPosition.after(moment)
        if since is None:
            return self._begun_at(here)
        await self._feed.come_to(moment)
        missed = await self._feed.missed.entries(since, moment, self._place)
        if any(
            isinstance(entry, RightsChange) and not entry.ends_only and not self.interests.isdisjoint(entry.concerns)
            for entry in missed
        ):
            # It is not known which rights they had between.
            return self._begun_at(here, Happening.RESYNC)
        # Since their rights have not changed since then, these hold for all that was missed.
        self._backlog, self._missed_until = missed, here
        return self._begun_at(since)

    def _begun_at(self, position: FeedPosition, happening: Happening | None = None) -> Shown:
        if self._ended:
            raise UnavailableError(NOT_NOW)
        self._begun = True
        self._position = position
        self._uncertain -= 1
        self._feed.index(self)
        return Shown(position, happening)

    async def shown(self) -> AsyncIterator[Shown]:
        """Yield what there is to show, without end until their rights or the process end, or they read too slowly."""
        self._check_later()
        try:
            async for shown in self.missed():
                if self._is_check_due():
                    await self._still_valid()
                yield shown
            while not self._ended:
                async for shown in self._in_turn():
                    yield shown
                await self._wait()
                if self._is_check_due():
                    await self._still_valid()
                    if not self._waiting:
                        self._position = max(self._position, self._feed.position)
                    yield Shown(self._position)
        except UnauthorizedError:
            return
        except DatabaseError:
            if not self._ended:
                raise

    async def missed(self) -> AsyncIterator[Shown]:
        """Yield what was missed before the beginning."""
        backlog, self._backlog = self._backlog, ()
        for entry in backlog:
            if self._ended:
                return
            if isinstance(entry, ModelChange) and (shown := await self._of_change(entry)) is not None:
                yield shown
        self._position = max(self._position, self._missed_until)

    async def _in_turn(self) -> AsyncIterator[Shown]:
        while self._waiting and not self._ended and not self._is_check_due():
            entry = self._waiting.popleft()
            shown = await (self._of_rights(entry) if isinstance(entry, RightsChange) else self._of_change(entry))
            if shown is not None and not self._ended:
                yield shown

    async def _wait(self) -> None:
        """Wait for an entry, the end, or the time to authenticate the caller again."""
        self._woken.clear()
        if not self._waiting and not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._check_at):
                    await self._woken.wait()

    def _check_later(self) -> None:
        self._check_at = asyncio.get_running_loop().time() + HEARTBEAT_SECONDS
        self._check_when_expired()

    def _check_when_expired(self) -> None:
        if (expires_at := self._caller.api_key_expires_at) is not None:
            seconds = max((expires_at - datetime.now(UTC)).total_seconds(), 0.0) + 0.01
            self._check_at = min(self._check_at, asyncio.get_running_loop().time() + seconds)

    def _is_check_due(self) -> bool:
        # However much there is to show: what ends a token is no entry.
        return asyncio.get_running_loop().time() >= self._check_at

    async def _still_valid(self) -> None:
        try:
            await self._check()
        except UnauthorizedError:
            raise
        except (ModeldeckError, DatabaseError):
            # It is not known now. Without the database there are no changes to be shown either.
            await asyncio.sleep(RETRY_SECONDS)
        self._check_later()

    async def _of_rights(self, entry: RightsChange) -> Shown | None:
        """Return what to show of a change of somebody's rights: that the caller has others, or may have had."""
        before = self._caller
        concerned = entry.position > self._position and not self.interests.isdisjoint(entry.concerns)
        moment = await self._rights_since(entry.position.moment, patient=True) if concerned else None
        self._uncertain -= 1
        self._feed.index(self)
        same = self._caller.principals == before.principals and self._caller.is_admin == before.is_admin
        if moment is None or (entry.ends_only and same):
            return None
        # What is committed before this moment is not shown: it is not known which rights they had meanwhile.
        self._position = FeedPosition.after(moment)
        return Shown(self._position, Happening.RESYNC)

    async def _rights_since(self, moment: ClusterTime, *, patient: bool = False) -> ClusterTime:
        """Read the rights as they are at that moment or later; return when. The patient wait for the database."""
        while True:
            try:
                caller, at = await self._read_rights()
            except DatabaseError:
                if not patient or self._ended:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if at >= moment:
                self._caller = caller
                self._check_when_expired()
                return at
            # A member of the database that is a little behind.
            await asyncio.sleep(BEHIND_SECONDS)

    async def _of_change(self, change: ModelChange) -> Shown | None:
        if change.position <= self._position or self._model_id not in (None, change.model_id):
            return None
        self._position = change.position
        if not change.known:
            return Shown(change.position, Happening.RESYNC)
        happening = happening_of(change, self._principals)
        item = None
        if self._model_id is None and happening in WITH_ITEM:
            item = await self._item(change)
            if item is None:
                return Shown(change.position, Happening.RESYNC)
        return None if happening is None else Shown(change.position, happening, change, item)

    def writes(self, change: ModelChange) -> bool:
        """Return whether the caller may write a model after a change."""
        return change.after is not None and not change.after.writers.isdisjoint(self._principals)

    async def _item(self, change: ModelChange) -> bytes | None:
        while True:
            try:
                return await self._contents.item(change, write_access=self.writes(change))
            except DatabaseError:
                if self._ended:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
