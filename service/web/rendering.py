"""From templates to HTML answers: escaping everywhere, and a policy that lets nothing foreign run."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.auth.authentication import Caller
from service.http.root_path import public_path
from service.web.assets import asset
from service.web.sessions import SignedIn
from service.web.words import ago, date, number

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # So that our own forms say where they come from; other sites learn nothing.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie",
}
HTML = "text/html; charset=utf-8"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"number": number, "ago": ago, "date": date}
    environment.globals |= {"link": link, "asset": asset}
    return environment


def link(path: str, /, **query: Any) -> str:
    """Return the address of a page; parameters that are None are left out."""
    pairs = [(name, value) for name, value in query.items() if value is not None]
    return public_path(path) + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a template filled with values."""
    return _environment().get_template(template).render(values)


def html(template: str, *, status: int = 200, signed_in: SignedIn | None = None, **values: Any) -> Response:
    """Return a page as an answer; with who has signed in, its frame shows them."""
    return Response(render(template, {**frame(signed_in), **values}), status, HEADERS, media_type=HTML)


def frame(signed_in: SignedIn | None) -> dict[str, Any]:
    """Return what the frame around every page shows."""
    return {
        "me": None if signed_in is None else _shown(signed_in.caller),
        "form_token": "" if signed_in is None else signed_in.form_token,
    }


def _shown(caller: Caller) -> dict[str, Any]:
    known = caller.owner_fields
    return {
        "id": caller.user_id,
        "name": known.name if known and known.name else caller.user_id,
        "is_admin": caller.is_admin,
        "may_write": caller.scope == "write",
    }
