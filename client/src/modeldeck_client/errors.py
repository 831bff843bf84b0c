"""What can come back instead of an answer: problems that Modeldeck names, answers that are not its own, and none."""

from collections.abc import Mapping
from typing import Any, cast

import httpx

from modeldeck_client.types import Fault

PROBLEM_JSON = "application/problem+json"
_GATEWAY = frozenset({502, 503, 504})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class ModeldeckError(Exception):
    """A request that did not succeed.

    `in_doubt` says that the change which it asked for may have been made all the same.
    """

    status: int | None = None
    in_doubt = False
    # The request may be sent again later, at the earliest after so many seconds if they are known.
    passing = False
    retry_after: float | None = None


class NoAnswer(ModeldeckError):
    """No answer came: the service can't be reached, the connection broke, or the time was over."""

    def __init__(self, error: httpx.RequestError) -> None:
        super().__init__(f"no answer from Modeldeck: {error or type(error).__name__}")
        self.__cause__ = error
        # A LocalProtocolError can also come after the request was sent, by HTTP/2.
        self.in_doubt = not isinstance(error, _UNSENT)
        self.passing = not isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol)


class UnexpectedAnswer(ModeldeckError):
    """An answer that is not Modeldeck's: that of a proxy, or of another service at this address."""

    def __init__(self, answer: httpx.Response) -> None:
        kind = answer.headers.get("Content-Type", "no content type")
        super().__init__(f"the answer of {_address(answer)} is not Modeldeck's: status {answer.status_code}, {kind}")
        self.status = answer.status_code
        # What stands between may have passed the request on.
        self.in_doubt = answer.is_success or answer.is_server_error
        self.passing = answer.status_code in _GATEWAY
        self.retry_after = _seconds(answer.headers.get("Retry-After"))


class Problem(ModeldeckError):
    """An error that Modeldeck answered with (RFC 9457).

    `title` and `detail` are for people. `errors` names each invalid part of a request with status 422.
    """

    status: int

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.status = body["status"]
        self.title = str(body.get("title", ""))
        self.detail = str(body.get("detail", ""))
        self.errors: list[Fault] = cast(list[Fault], body.get("errors", []))
        self.request_id = headers.get("X-Request-ID")
        self.retry_after = _seconds(headers.get("Retry-After"))
        # 503 says that nothing was done.
        self.in_doubt = self.status >= 500 and self.status != 503
        self.passing = self.status in {429, 503, 504} or (self.status == 409 and self.retry_after is not None)
        super().__init__(f"{self.status} {self.title}: {self.detail}")


class Unauthorized(Problem):
    """401: the key is not valid, or not any more."""


class Forbidden(Problem):
    """403: the key is for reading only, or its user may not do this."""


class NotFound(Problem):
    """404: absent, or hidden from the user of the key."""


class Conflict(Problem):
    """409: the id is taken, or others were in the way."""


class Gone(Problem):
    """410: the changes since the token are not kept any more. Follow anew, without a token."""


class VersionChanged(Problem):
    """412: another change was faster."""


class Invalid(Problem):
    """422: a part of the request is invalid; see `errors`."""


class TooManyRequests(Problem):
    """429: too many changes or wrong keys; see `retry_after`."""


class Unavailable(Problem):
    """503: the service can't answer at the moment."""


class TimedOut(Problem):
    """504: the service took too long, and a change may have been made or not."""


_PROBLEMS: dict[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: VersionChanged,
    422: Invalid,
    429: TooManyRequests,
    503: Unavailable,
    504: TimedOut,
}


def error_of(answer: httpx.Response) -> ModeldeckError:
    """Return the error that an answer without success stands for; its body must have been read."""
    if answer.headers.get("Content-Type", "").startswith(PROBLEM_JSON):
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            return UnexpectedAnswer(answer)
        if isinstance(body, dict) and body.get("status") == answer.status_code:
            return _PROBLEMS.get(answer.status_code, Problem)(body, answer.headers)
    return UnexpectedAnswer(answer)


def content_of(answer: httpx.Response) -> Any:
    """Return the JSON of an answer, None where nothing has changed; raise the ModeldeckError that it stands for."""
    if answer.status_code == 304:
        return None
    if not answer.is_success:
        raise error_of(answer)
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise UnexpectedAnswer(answer) from None


def _address(answer: httpx.Response) -> str:
    return str(answer.url.copy_with(query=None, username=None, password=None))


def _seconds(retry_after: str | None) -> float | None:
    # The other form, a date, is not what Modeldeck sends.
    return float(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None
