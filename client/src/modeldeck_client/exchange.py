"""The requests of a call with their answers: which are sent again, and when."""

from collections.abc import Generator
from dataclasses import replace
from time import monotonic
from typing import Any

import httpx

from modeldeck_client.errors import ModeldeckError, NoAnswer, content_of
from modeldeck_client.requests import Call, Request, T, pauses

# Yields requests, and is sent the answer to each, or has the error of httpx thrown in.
Exchange = Generator[Request, httpx.Response, T]


def exchange(call: Call[T], patience: float) -> Exchange[T]:
    """Make a call, and return what it returns.

    A request that failed is sent again within `patience` seconds, where that may help and does no harm. Then
    ModeldeckError is raised in the call, and here if the call does not handle it.
    """
    try:
        request = next(call)
        while True:
            try:
                content = yield from _content(request, patience)
            except ModeldeckError as error:
                request = call.throw(error)
            else:
                request = call.send(content)
    except StopIteration as end:
        result: T = end.value
        return result


def _content(request: Request, patience: float) -> Exchange[Any]:
    last_begin = monotonic() + patience
    for pause in pauses():
        try:
            return content_of((yield request))
        except httpx.RequestError as error:
            failure: ModeldeckError = NoAnswer(error)
        except ModeldeckError as error:
            failure = error
        wait = max(pause, failure.retry_after or 0.0)
        if not failure.passing or (failure.in_doubt and not request.repeatable) or monotonic() + wait > last_begin:
            raise failure
        request = replace(request, after=wait)
    raise AssertionError("unreachable: the pauses never end")
