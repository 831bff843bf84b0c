"""The page as a browser uses it, without one: a cookie, forms with their token, and where they come from."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.directory import Directory

ORIGIN = "http://test"
HTML = "text/html,application/xhtml+xml;q=0.9"
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


class Browser:
    """A client that keeps cookies, asks for HTML, and says where its forms come from."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.form_token = ""

    async def sign_in(self, key: str, **fields: Any) -> httpx.Response:
        """Send the form to sign in, and remember the token for other forms."""
        answer = await self.send("/sign-in/key", key=key, **fields)
        if answer.status_code == 303:
            found = _TOKEN.search((await self.get("/")).text)
            self.form_token = found[1] if found else ""
        return answer

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path, params=query or None)

    async def send(self, path: str, headers: Mapping[str, str] | None = None, /, **fields: Any) -> httpx.Response:
        """Send a form."""
        sent = {"form_token": self.form_token, **fields}
        return await self.client.post(path, data=sent, headers={"Origin": ORIGIN, **(headers or {})})


@asynccontextmanager
async def browser(directory: Directory, user: str | None = None, **options: Any) -> AsyncIterator[Browser]:
    """Yield a browser in which nobody or a user has signed in."""
    transport = httpx.ASGITransport(app=directory.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Accept": HTML}) as client:
        opened = Browser(client)
        if user is not None:
            answer = await opened.sign_in(await directory.key(user, **options))
            assert answer.status_code == 303, answer.text
        yield opened
