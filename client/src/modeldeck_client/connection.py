"""What both clients know of the service: its address, the key, and how long to wait."""

import os
from typing import Any, NotRequired, Self, TypedDict

import httpx

from modeldeck_client.requests import Request

URL_VARIABLE = "MODELDECK_URL"
KEY_VARIABLE = "MODELDECK_KEY"
TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0


class _Sent(TypedDict):
    method: str
    url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    params: NotRequired[dict[str, Any]]
    json: NotRequired[Any]


class Connection:
    """What the synchronous and the asynchronous client have in common."""

    def __init__(self, url: str, key: str, timeout: float, patience: float) -> None:
        self._url = _checked_url(url)
        self._authorization = f"Bearer {_checked_key(key)}"
        self._timeout = timeout
        self._patience = patience

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """Return a client of the service at `MODELDECK_URL` with the key `MODELDECK_KEY`.

        Raises ValueError when one of these variables is not set.
        """
        missing = [name for name in (URL_VARIABLE, KEY_VARIABLE) if not os.environ.get(name)]
        if missing:
            raise ValueError(f"not set: {', '.join(missing)}")
        return cls(os.environ[URL_VARIABLE], os.environ[KEY_VARIABLE], **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def _sent(self, request: Request, silence: float | None = None) -> _Sent:
        """Return a request as httpx takes it; `silence` is how long its answer may pause."""
        timeout = httpx.Timeout(self._timeout, read=self._timeout if silence is None else silence)
        headers = {"Accept": "application/json", "Authorization": self._authorization, **request.headers}
        sent = _Sent(method=request.method, url=f"{self._url}{request.path}", headers=headers, timeout=timeout)
        if request.params:
            sent["params"] = dict(request.params)
        if request.body is not None:
            sent["json"] = request.body
        return sent


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"url: {error}") from None
    # A name and a password in it would be sent in the place of the key.
    surplus = parsed.query or parsed.fragment or parsed.userinfo
    if parsed.scheme not in {"http", "https"} or not parsed.host or surplus:
        raise ValueError("url: must be the address of the service, such as https://models.example.com")
    return str(parsed).rstrip("/")


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("key: must be an API key, mdk_…, or another token that the service takes")
    return key
