"""The asynchronous client."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType
from typing import Self, Unpack, overload

import httpx

from modeldeck_client import calls
from modeldeck_client.connection import PATIENCE_SECONDS, TIMEOUT_SECONDS, Connection
from modeldeck_client.exchange import exchange
from modeldeck_client.requests import Call, Request, T
from modeldeck_client.types import (
    AccessExplanation,
    CreateModel,
    Filters,
    ListedModel,
    Model,
    ModelPage,
    PageFilters,
    ReaderPage,
    RevisionPage,
)


class AsyncModeldeck(Connection):
    """A client of the service at `url`, for asyncio; every method raises ModeldeckError.

    A request gets no answer after `timeout` seconds. What may be sent again is sent again, for `patience` seconds in
    all. With `http`, requests are sent by that client, which stays open.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(url, key, timeout, patience)
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the service."""
        if self._owns_http:
            await self._http.aclose()

    async def models(self, **filters: Unpack[Filters]) -> AsyncGenerator[ListedModel, None]:
        """Yield all models that match, each once, whatever others do meanwhile."""
        walk = calls.Walk(filters)
        while not walk.ended:
            for model in await self._made(walk.next_page()):
                yield model

    async def page(self, **filters: Unpack[PageFilters]) -> ModelPage:
        """Return one page of the models that match, and how many there are."""
        return await self._made(calls.read_page(filters))

    @overload
    async def get(self, model_id: str) -> Model: ...

    @overload
    async def get(self, model_id: str, *, unless_version: int) -> Model | None: ...

    async def get(self, model_id: str, *, unless_version: int | None = None) -> Model | None:
        """Return one model; None when it still is that version."""
        if unless_version is None:
            return await self._made(calls.read_model(model_id))
        return await self._made(calls.read_model_unless(model_id, unless_version))

    async def create(self, model: CreateModel, *, idempotency_key: str | None = None) -> Model:
        """Create a model, once, even when its answer is lost; with a key of yours, also in another process."""
        return await self._made(calls.create_model(model, idempotency_key))

    async def history(self, model_id: str, *, page: int = 1, page_size: int = 30) -> RevisionPage:
        """Return a page of the changes of a model, newest first."""
        return await self._made(calls.read_history(model_id, page, page_size))

    async def explain(self, model_id: str, user_id: str) -> AccessExplanation:
        """Return what a user may do with a model, and why."""
        return await self._made(calls.explain_access(model_id, user_id))

    async def readers(self, model_id: str, *, page: int = 1, page_size: int = 30) -> ReaderPage:
        """Return a page of the users who may read a model, and why."""
        return await self._made(calls.read_readers(model_id, page, page_size))

    async def export(self, model_ids: Iterable[str] = ()) -> list[Model]:
        """Return all models, or these, in order of id."""
        return await self._made(calls.export_models(model_ids))

    async def _made(self, call: Call[T]) -> T:
        """Make a call and return what it returns."""
        running = exchange(call, self._patience)
        try:
            request = next(running)
            while True:
                try:
                    answer = await self._send(request)
                except httpx.RequestError as error:
                    request = running.throw(error)
                else:
                    request = running.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, request: Request) -> httpx.Response:
        await asyncio.sleep(request.after)
        return await self._http.request(**self._sent(request))
