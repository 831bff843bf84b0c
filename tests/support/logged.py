"""What a service has logged, read as those who collect logs read it."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import until

Line = dict[str, Any]


def lines(output: Path) -> list[Line]:
    """Return the lines of JSON among what a `modeldeck serve` has written."""
    return [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]


def requests(output: Path) -> list[Line]:
    """Return the lines about requests."""
    return [line for line in lines(output) if "route" in line]


def about(answer: httpx.Response, output: Path) -> Line:
    """Return the line about an answered request, which comes after the answer."""
    wanted = answer.headers["X-Request-ID"]
    until(lambda: wanted in output.read_text(), f"{wanted} is logged")
    (found,) = [line for line in requests(output) if line["request_id"] == wanted]
    return found
