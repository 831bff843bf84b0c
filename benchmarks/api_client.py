"""One connection to the service under test."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.commands import BenchmarkError

# A search of a large directory must answer within this.
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, body and headers of an answer; the names of headers in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class ApiClient:
    """One keep-alive connection to the service, with one API key."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return an answer; raise BenchmarkError for any status but 200, and 304 where the client has an answer."""
        known = headers is not None and "If-None-Match" in headers
        self._connection.request("GET", path, headers={**self._headers, **(headers or {})})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != (304 if known else 200):
            raise BenchmarkError(f"GET {path}: {answer.status} {body[:500]!r}")
        return Answer(answer.status, body, {name.lower(): value for name, value in answer.headers.items()})

    def page(self, path: str) -> dict[str, Any]:
        """Return the JSON object that is answered."""
        content: dict[str, Any] = json.loads(self.get(path).body)
        return content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
