"""Every error that we can explain carries its status, and a sentence for whoever caused it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from pydantic import ValidationError

SHOWN_NAME_LENGTH = 100
# A body of many megabytes can be wrong in every place.
MAX_ERRORS, MAX_DETAILS = 100, 20


class ModeldeckError(Exception):
    """A failure that we can explain. `detail` is a sentence for the one who caused it."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(ModeldeckError):
    """The settings, the arguments or the machine do not allow what was asked."""


class UnauthorizedError(ModeldeckError):
    """No credential, or one that does not count (any more)."""

    status = HTTPStatus.UNAUTHORIZED
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("A valid API key or token is required: Authorization: Bearer <key>.")


class TooManyLoginFailuresError(ModeldeckError):
    """Too many credentials from one address did not count."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float) -> None:
        """Tell to try again after so many seconds."""
        super().__init__("Too many keys or tokens from your address were wrong; try again later.")
        self.headers = {"Retry-After": str(max(1, ceil(seconds)))}


class ForbiddenError(ModeldeckError):
    """Refused to a caller who may know that the thing exists."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ModeldeckError):
    """Absent, or hidden from the caller: the same answer."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ModeldeckError):
    """What was asked for is taken."""

    status = HTTPStatus.CONFLICT


class StaleVersionError(ModeldeckError):
    """The caller insists on a version that is not the current one."""

    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, version: int) -> None:
        super().__init__(f"The current version is {version}.")
        self.headers = {"ETag": f'"{version}"'}


class BusyError(ModeldeckError):
    """Too many want the same at the moment; nothing was done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("Too many changes of this kind are waiting; nothing was done, try again later.")


class TooManyLongRequestsError(ModeldeckError):
    """Too many requests that take long are being answered."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("Too many requests about many records are being answered; nothing was done, try again later.")


class NoRoomError(ModeldeckError):
    """The disk for temporary files, which takes large bodies, is full or not there."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("There is no room for a body of this size at the moment; nothing was done, try again later.")


class SlowRequestError(ModeldeckError):
    """A request whose body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class OverdueError(ModeldeckError):
    """What was asked for takes longer than it may."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class TooLargeError(ModeldeckError):
    """A record or a body beyond its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class InvalidInputError(ModeldeckError):
    """Input that names the field and what is allowed: `errors` holds `{loc, msg, allowed?}`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence[Mapping[str, Any]], total: int | None = None) -> None:
        """Tell of some errors; `total` is how many were found, when not all of them are given."""
        self.total = max(total or 0, len(errors))
        self.errors = [dict(error) for error in errors[:MAX_ERRORS]]
        said = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in self.errors[:MAX_DETAILS]]
        super().__init__("; ".join(said + self._more(len(said))))

    def _more(self, said: int) -> list[str]:
        if self.total <= said:
            return []
        # Nobody has looked for more than can be told.
        return ["and more"] if self.total > MAX_ERRORS else [f"and {self.total - said} more"]


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
    """Return Pydantic's findings as our error; `where` comes before each location, such as `body`."""
    # Rendering takes its time.
    found = error.errors(include_input=False, include_url=False)
    rendered = validation_errors(found[:MAX_ERRORS])
    located = [{**item, "loc": [*where, *map(_shortened, item["loc"])]} for item in rendered]
    return InvalidInputError(located, len(found))


def _shortened(part: Any) -> Any:
    # Names of fields are the client's own, of any length.
    return part[:SHOWN_NAME_LENGTH] if isinstance(part, str) else part
