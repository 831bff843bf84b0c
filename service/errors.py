"""The errors that clients and users of commands see, each with its HTTP status and a sentence that explains it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from pydantic import ValidationError

SHOWN_NAME_LENGTH = 100
IDEMPOTENCY_KEY = "Idempotency-Key"
# A body of many megabytes can have very many errors.
MAX_ERRORS, MAX_DETAILS = 100, 20


class ModeldeckError(Exception):
    """An error that can be explained. `detail` is a sentence for the client or the user of the command."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(ModeldeckError):
    """The settings, the arguments or the machine do not allow what was requested."""


class UnauthorizedError(ModeldeckError):
    """No credential, or one that is not valid or no longer valid."""

    status = HTTPStatus.UNAUTHORIZED
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("A valid API key or token is required: Authorization: Bearer <key>.")


class TooManyLoginFailuresError(ModeldeckError):
    """Too many credentials from one address were refused."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float) -> None:
        """Ask the client to try again after so many seconds."""
        super().__init__("Too many API keys or tokens from your address were wrong; try again later.")
        self.headers = {"Retry-After": str(max(1, ceil(seconds)))}


class TooManyWritesError(ModeldeckError):
    """The caller has made as many changes as one user may make in an hour."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float) -> None:
        """Ask the client to try again after so many seconds."""
        super().__init__("You have made as many changes as one user may make in an hour; nothing was changed.")
        self.headers = {"Retry-After": str(max(1, ceil(seconds)))}


class TooManyKeysError(ModeldeckError):
    """The caller has as many idempotency keys as one user may have at a time."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, most: int, seconds: float) -> None:
        """Ask the client to try again after so many seconds."""
        super().__init__(f"You have sent {most:,} idempotency keys, each of which counts for a day; nothing was done.")
        self.headers = {"Retry-After": str(max(1, ceil(seconds)))}


class ForbiddenError(ModeldeckError):
    """Refused to a caller who may know that the resource exists."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ModeldeckError):
    """Absent, or hidden from the caller; both give the same answer."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ModeldeckError):
    """The request conflicts with what is stored, such as an id that is taken."""

    status = HTTPStatus.CONFLICT


class RunningError(ConflictError):
    """The first request with an idempotency key has not ended yet."""

    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self) -> None:
        super().__init__(f"A request with this {IDEMPOTENCY_KEY} is still running; send this one again later.")


RIGHTS_CHANGED = "Your rights have changed since the request began"


class RightsChangedError(ConflictError):
    """The caller has lost rights since the request began."""

    def __init__(self, done: str = "") -> None:
        """`done` is a sentence on what had been done before."""
        super().__init__(f"{RIGHTS_CHANGED}; send it again. {done}".rstrip())


class GoneError(ModeldeckError):
    """What was there once is no longer kept."""

    status = HTTPStatus.GONE


class StaleVersionError(ModeldeckError):
    """The caller requires a version that is not the current one."""

    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, version: int) -> None:
        super().__init__(f"The current version is {version}.")
        self.headers = {"ETag": f'"{version}"'}


class UnavailableError(ModeldeckError):
    """What the request needs is used up at the moment; nothing was done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class BusyError(UnavailableError):
    """Too many changes wait for the same lock; nothing was done."""

    def __init__(self) -> None:
        super().__init__("Too many changes of this kind are waiting; nothing was done, try again later.")


class SlowRequestError(ModeldeckError):
    """The body of a request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class OverdueError(ModeldeckError):
    """The work takes longer than allowed."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class TooLargeError(ModeldeckError):
    """A record or a body exceeds its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedCodingError(ModeldeckError):
    """The body has a `Content-Encoding` that the route does not decode."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, accepted: str) -> None:
        """Name the coding that the route accepts."""
        super().__init__(f"The only Content-Encoding that this route accepts is {accepted}.")
        self.headers = {"Accept-Encoding": accepted}


class UnsupportedTypeError(ModeldeckError):
    """The body has a `Content-Type` that the route does not take."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, accepted: Sequence[str]) -> None:
        """Name the types that the route takes, as RFC 5789 has it for a patch."""
        super().__init__(f"The Content-Type of this route is {' or '.join(accepted)}.")
        self.headers = {"Accept-Patch": ", ".join(accepted)}


class InvalidInputError(ModeldeckError):
    """Input is invalid; each item of `errors` names the field and what is allowed: `{loc, msg, allowed?}`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence[Mapping[str, Any]], total: int | None = None) -> None:
        """Report some errors; `total` is how many were found, if more than those given."""
        self.total = max(total or 0, len(errors))
        self.errors = [dict(error) for error in errors[:MAX_ERRORS]]
        details = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in self.errors[:MAX_DETAILS]]
        super().__init__("; ".join(details + self._more(len(details))))

    def _more(self, shown: int) -> list[str]:
        if self.total <= shown:
            return []
        # Checks may stop at this many errors, so the total is not known.
        return ["and more"] if self.total > MAX_ERRORS else [f"and {self.total - shown} more"]


class KeyReusedError(InvalidInputError):
    """An idempotency key was used for another request before."""

    def __init__(self) -> None:
        msg = "was used for another request before; a new request needs a new key"
        super().__init__([{"loc": ["header", IDEMPOTENCY_KEY], "msg": msg}])


def validation_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return Pydantic's errors as `{loc, msg, allowed?}`, without the input, which may hold secrets."""
    rendered = []
    for error in errors:
        item: dict[str, Any] = {"loc": list(error["loc"]), "msg": str(error["msg"]).removeprefix("Value error, ")}
        expected = error.get("ctx", {}).get("expected")
        if isinstance(expected, str):
            item["allowed"] = expected.replace("'", "").replace(" or ", ", ").split(", ")
        rendered.append(item)
    return rendered


def invalid_input(error: ValidationError, *where: str) -> InvalidInputError:
    """Return Pydantic's errors as one InvalidInputError; `where`, such as `body`, is put before each location."""
    # Only the first errors are rendered, since rendering is slow.
    found = error.errors(include_input=False, include_url=False)
    rendered = validation_errors(found[:MAX_ERRORS])
    located = [{**item, "loc": [*where, *map(_shortened, item["loc"])]} for item in rendered]
    return InvalidInputError(located, len(found))


def _shortened(part: Any) -> Any:
    # A client can send field names of any length.
    return part[:SHOWN_NAME_LENGTH] if isinstance(part, str) else part
