"""The synchronous client."""

import time
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any, Self, Unpack, overload

import httpx

from modeldeck_client import calls
from modeldeck_client.changing import Edit, change_model, delete_model, share_model, unshare_model
from modeldeck_client.connection import PATIENCE_SECONDS, TIMEOUT_SECONDS, Connection
from modeldeck_client.errors import ModeldeckError, NoAnswer
from modeldeck_client.events import Event
from modeldeck_client.exchange import exchange
from modeldeck_client.following import SILENCE_SECONDS, Follower
from modeldeck_client.requests import Call, Request, T
from modeldeck_client.types import (
    AccessExplanation,
    BulkAccessChange,
    BulkChangeResults,
    BulkStateChange,
    CreateModel,
    FieldFilters,
    Filters,
    ListedModel,
    Me,
    Model,
    ModelPage,
    PageFilters,
    PatchModel,
    Permission,
    ReaderPage,
    RevisionPage,
)


class Modeldeck(Connection):
    """A client of the service at `url`; every method raises ModeldeckError.

    An argument that can't be right is a ValueError, and nothing is changed.
    `timeout` is how many seconds the service may be silent. What failed and may be sent again is sent again within
    `patience` seconds. With `http`, requests are sent by that client, which stays open.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(url, key, timeout, patience)
        self._http = http or httpx.Client()
        self._owns_http = http is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the service."""
        if self._owns_http:
            self._http.close()

    @overload
    def models(self, **filters: Unpack[Filters]) -> Generator[Model, None, None]: ...

    @overload
    def models(self, **filters: Unpack[FieldFilters]) -> Generator[ListedModel, None, None]: ...

    def models(self, **filters: Any) -> Generator[Any, None, None]:
        """Yield all models that match, each once, whatever others do meanwhile."""
        walk = calls.Walk(filters)
        while not walk.ended:
            yield from self._made(walk.next_page())

    def page(self, **filters: Unpack[PageFilters]) -> ModelPage:
        """Return one page of the models that match, and how many there are."""
        return self._made(calls.read_page(filters))

    def me(self) -> Me:
        """Return the user of the key, with their role and groups, and the key's scope."""
        return self._made(calls.read_self())

    @overload
    def get(self, model_id: str) -> Model: ...

    @overload
    def get(self, model_id: str, *, unless_version: int) -> Model | None: ...

    def get(self, model_id: str, *, unless_version: int | None = None) -> Model | None:
        """Return one model; None when it still is that version."""
        if unless_version is None:
            return self._made(calls.read_model(model_id))
        return self._made(calls.read_model_unless(model_id, unless_version))

    def create(self, model: CreateModel, *, idempotency_key: str | None = None) -> Model:
        """Create a model, once, even when its answer is lost; with a key of yours, also in another process."""
        return self._made(calls.create_model(model, idempotency_key))

    @overload
    def change(self, model_id: str, change: PatchModel, *, if_version: int | None = None) -> Model: ...

    @overload
    def change(self, model_id: str, change: Edit) -> Model: ...

    def change(self, model_id: str, change: PatchModel | Edit, *, if_version: int | None = None) -> Model:
        """Change a model, and return it as it is then.

        A patch (RFC 7396) is merged into it; with `if_version` only into that version, else VersionChanged is raised.
        A function changes the copy that it is given, and gets a new one whenever another change was faster.
        """
        return self._made(change_model(model_id, change, if_version))

    def delete(self, model_id: str, *, if_version: int | None = None) -> None:
        """Delete a model; with `if_version` only that version, else VersionChanged is raised."""
        self._made(delete_model(model_id, if_version))

    def share(self, model_id: str, principal: str, permission: Permission = "read") -> Model:
        """Share a model with `user:<id>`, `group:<id>` or everyone, `user:*`; the other grants stay."""
        return self._made(share_model(model_id, principal, permission))

    def unshare(self, model_id: str, principal: str, permission: Permission | None = None) -> Model:
        """Remove the grants of a principal, or only that with a permission; the other grants stay."""
        return self._made(unshare_model(model_id, principal, permission))

    def bulk_state(self, change: BulkStateChange, *, idempotency_key: str | None = None) -> BulkChangeResults:
        """Make many models active or inactive, and return what came of each."""
        return self._made(calls.change_states(change, idempotency_key))

    def bulk_access(self, change: BulkAccessChange, *, idempotency_key: str | None = None) -> BulkChangeResults:
        """Change the grants of many models, and return what came of each."""
        return self._made(calls.change_grants(change, idempotency_key))

    def history(self, model_id: str, *, page: int = 1, page_size: int = 30) -> RevisionPage:
        """Return a page of the changes of a model, newest first."""
        return self._made(calls.read_history(model_id, page, page_size))

    def explain(self, model_id: str, user_id: str) -> AccessExplanation:
        """Return what a user may do with a model, and why."""
        return self._made(calls.explain_access(model_id, user_id))

    def readers(self, model_id: str, *, page: int = 1, page_size: int = 30) -> ReaderPage:
        """Return a page of the users who may read a model, and why."""
        return self._made(calls.read_readers(model_id, page, page_size))

    def export(self, model_ids: str | Iterable[str] | None = None) -> list[Model]:
        """Return all models, or these, in order of id; NotFound is raised when one of these is absent or hidden."""
        return self._made(calls.export_models(model_ids))

    def follow(self, since: str | None = None) -> Generator[Event, None, None]:
        """Yield the changes of models as they happen, since the token of an event.

        Without a token, the first event is a Resync, once no later change is missed. Comes back when the connection
        breaks. Raises Unauthorized when the key is not valid any more, and Gone when what was missed is not kept any
        more: follow anew then, without a token.
        """
        follower = Follower(since, self._patience)
        while True:
            request = follower.request
            failure: ModeldeckError | None = None
            time.sleep(request.after)
            try:
                with self._http.stream(**self._sent(request, SILENCE_SECONDS)) as answer:
                    if not answer.is_success:
                        answer.read()
                    follower.begin(answer)
                    for part in answer.iter_bytes():
                        yield from follower.events(part)
            except httpx.RequestError as error:
                failure = NoAnswer(error)
            except ModeldeckError as error:
                failure = error
            follower.disconnected(failure)

    def _made(self, call: Call[T]) -> T:
        """Make a call and return what it returns."""
        running = exchange(call, self._patience)
        try:
            request = next(running)
            while True:
                try:
                    answer = self._send(request)
                except httpx.RequestError as error:
                    request = running.throw(error)
                else:
                    request = running.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, request: Request) -> httpx.Response:
        time.sleep(request.after)
        return self._http.request(**self._sent(request))
