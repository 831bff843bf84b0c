"""Forms that a browser sends: read within bounds, and only those that our own pages have made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import parse_qsl

from fastapi import Request

from service.errors import ForbiddenError, InvalidInputError
from service.http.json_body import copy_body, spool

# A prompt of 500 KB, of which each byte takes three.
MAX_FORM_BYTES = 2_000_000
MAX_FIELDS = 2_000
MAX_QUICK_BYTES = 20_000
FORM = "application/x-www-form-urlencoded"
TOKEN = "form_token"  # noqa: S105  # the name of the field
FOREIGN = (
    "This form was not sent by a page of this service, so nothing was done. Open the page again, and try once more."
)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in the order in which they were sent."""

    pairs: Sequence[tuple[str, str]]

    def text(self, name: str) -> str:
        """Return the value of a field, with the line breaks that are usual outside of forms; empty if it is absent."""
        return next((value.replace("\r\n", "\n") for field, value in self.pairs if field == name), "")

    def line(self, name: str) -> str:
        """Return the value of a field without space around it."""
        return self.text(name).strip()

    def has(self, name: str) -> bool:
        """Return whether a field was sent."""
        return any(field == name for field, _ in self.pairs)

    def version(self) -> int:
        """Return the version of a model on which the form is based; raise InvalidInputError without one."""
        sent = self.line("version")
        if not (sent.isascii() and sent.isdigit() and len(sent) < 20):
            raise InvalidInputError(
                [{"loc": ["form", "version"], "msg": "must be the version that the page has shown"}]
            )
        return int(sent)


async def read_form(request: Request, limit: int = MAX_FORM_BYTES) -> Form:
    """Return the form in the body of a request.

    Raises as `copy_body` does, and InvalidInputError for what is no form.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidInputError([{"loc": ["body"], "msg": f"must be {FORM}"}])
    with spool() as file:
        await copy_body(request, file, limit)
        body = file.read()
    try:
        # A large form takes so long that other requests would wait.
        pairs = await asyncio.to_thread(_fields, body) if len(body) > MAX_QUICK_BYTES else _fields(body)
    except ValueError:
        msg = f"must be percent-encoded UTF-8, with at most {MAX_FIELDS:,} fields"
        raise InvalidInputError([{"loc": ["body"], "msg": msg}]) from None
    return Form(pairs)


def _fields(body: bytes) -> Sequence[tuple[str, str]]:
    return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)


def require_own_origin(request: Request) -> None:
    """Raise ForbiddenError unless a browser says that a page of this service has sent the request."""
    site = request.headers.get("Sec-Fetch-Site")
    # Browsers send the first only where the connection is safe from others, and the second with every form.
    own = site == "same-origin" if site is not None else _is_own(request.headers.get("Origin"), request)
    if not own:
        raise ForbiddenError(FOREIGN)


def _is_own(origin: str | None, request: Request) -> bool:
    host = request.headers.get("Host")
    return bool(origin and host) and (origin or "").partition("://")[2].lower() == (host or "").lower()


def require_token(form: Form, expected: str) -> None:
    """Raise ForbiddenError for a form that was not made for this session."""
    if not compare_digest(form.text(TOKEN).encode(), expected.encode()):
        raise ForbiddenError(FOREIGN)
