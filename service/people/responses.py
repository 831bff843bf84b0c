"""What the routes of people can answer, besides what is asked for."""

from http import HTTPStatus
from typing import Any

from service.http.problems import BODY_FAILURES, COMMON_FAILURES, documented_problems

Responses = dict[int | str, dict[str, Any]]

REFUSED = documented_problems(HTTPStatus.FORBIDDEN, *COMMON_FAILURES)
ABSENT = documented_problems(HTTPStatus.NOT_FOUND)
CONFLICTING = documented_problems(HTTPStatus.CONFLICT)
# Of every route that reads a body.
REFUSED_BODY = documented_problems(*BODY_FAILURES)
DONE: Responses = {200: {"description": "`true`", "model": bool}}
