"""Where a form leads after it has done its work."""

from http import HTTPStatus

from fastapi import Response

from service.web.rendering import HEADERS, link


def see(address: str) -> Response:
    """Return the answer that has a browser open another page."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": address})


def to_model(model_id: str, done: str) -> Response:
    """Return the answer that opens the page of a model, which says what was done."""
    return see(link("/model", id=model_id, done=done))
