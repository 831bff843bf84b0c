"""What a request that follows changes needs: a place of its own, time without end, and its follower."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request

from service.auth.authentication import Caller
from service.changes.contents import Contents
from service.changes.entries import FeedPosition
from service.changes.feed import Feed
from service.changes.follower import HEARTBEAT_SECONDS, Follower
from service.changes.happenings import Shown
from service.changes.tokens import Tokens
from service.database.change_streams import ClusterTime
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.http.dependencies import Context, context_of, get_caller
from service.http.places import LongRequest

# How long a client may take to read a part, besides the time in which there is none.
READ_SECONDS = 10.0
# How long what is being sent may take when a follower is ended.
LAST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What all followers of a process share; made in `service/app.py`."""

    feed: Feed
    contents: Contents
    tokens: Tokens
    # Taken before something is sent: one follower after another, so that other requests are served in between.
    turns: asyncio.Lock

    @classmethod
    def of(cls, context: Context) -> "Changes":
        """Return the parts for a process."""
        settings = context.settings
        contents = Contents(
            context.database,
            context.background,
            readers_see_params=settings.readers_see_params,
            root_path=settings.root_path or "",
        )
        return cls(Feed(context.database, context.background), contents, Tokens(context.database), asyncio.Lock())


def changes_of(request: Request) -> Changes:
    """Return what the followers of the service that answers `request` share."""
    changes: Changes = request.app.state.changes
    return changes


class Following:
    """One request that follows changes."""

    def __init__(self, request: Request, follower: Follower, joined: FeedPosition) -> None:
        self._request = request
        self._follower = follower
        self._joined = joined

    async def begun(self, since: FeedPosition | None, *, endless: bool = True) -> AsyncIterator[Shown]:
        """Begin, and return the iterator over all that is shown; raises as `Follower.begin` does."""
        first = await self._follower.begin(self._joined, since)
        if endless:
            self._let_go_on()
        return self._shown(first, endless=endless)

    async def _shown(self, first: Shown, *, endless: bool) -> AsyncIterator[Shown]:
        yield first
        turns = changes_of(self._request).turns
        async for shown in self._follower.shown() if endless else self._follower.missed():
            if shown.happening is not None:
                async with turns:
                    await asyncio.sleep(0)
            yield shown

    def _let_go_on(self) -> None:
        """Take no place from other requests any more."""
        state = self._request.state
        state.deadline.allow_endless(HEARTBEAT_SECONDS + READ_SECONDS)
        state.slot.release()
        if not getattr(state, "followed", False):
            state.followed = True
            self._request.app.state.metrics.follow()

    def writes(self, shown: Shown) -> bool:
        """Return whether the caller may write the model after a change that is shown to them."""
        return shown.change is not None and self._follower.writes(shown.change)


@asynccontextmanager
async def following(
    request: Request, *, rights: Callable[[], Awaitable[tuple[Caller, ClusterTime]]] | None = None, **options: Any
) -> AsyncIterator[Following]:
    """Follow changes for the caller of a request during a block; `options` go to the `Follower`.

    Raises UnavailableError when there is no place, or the process is about to end.
    """
    context, changes = context_of(request), changes_of(request)
    caller: Caller = request.state.caller
    deadline, loop = request.state.deadline, asyncio.get_running_loop()
    last: list[asyncio.TimerHandle] = []
    with context.places[LongRequest.FOLLOWING].taken_by(caller.user_id):
        deadline.allow(context.settings.request_timeout * BULK_TIMEOUT_FACTOR)
        await changes.tokens.ready()
        follower = Follower(
            changes.feed,
            changes.contents,
            caller,
            rights or partial(context.authenticator.rights_of, caller),
            request.state.authenticate,
            place=partial(context.places[LongRequest.CATCHING_UP].taken_by, caller.user_id),
            on_end=lambda: last.append(loop.call_later(LAST_SECONDS, deadline.end)),
            **options,
        )
        try:
            async with changes.feed.joined(follower) as joined:
                yield Following(request, follower, joined)
        finally:
            for timer in last:
                timer.cancel()


async def get_following(request: Request) -> AsyncIterator[Following]:
    """Yield what follows changes for the caller of a request to the API."""
    await get_caller(request)
    async with following(request) as begun:
        yield begun


FollowingDependency = Annotated[Following, Depends(get_following)]
