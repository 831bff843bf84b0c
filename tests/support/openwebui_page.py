"""A page that makes the calls of Open WebUI's web client, in a real browser, on the origin of the service."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from playwright.async_api import Browser, Page, Request
from pydantic import SecretStr

from service.database.client import Database
from service.settings import Settings
from tests.support.directory import Directory
from tests.support.tokens import claims

HTML = Path(__file__).with_suffix(".html")
SECRET = "s" * 32


class OpenWebUITab:
    """A tab in which somebody is signed in to Open WebUI."""

    def __init__(self, page: Page, sent: list[Request]) -> None:
        self._page = page
        self._sent = sent

    async def call(self, name: str, *arguments: Any) -> Any:
        """Make a call of the client, and return what it gets: the answer, or `{refused, detail}`."""
        return await self._page.evaluate("([name, given]) => client[name](...given)", [name, [*arguments]])

    async def picture(self, model_id: str) -> int:
        """Return the width of the picture that an `<img>` shows for a model; 0 for none."""
        width: int = await self._page.evaluate("(id) => picture(id)", model_id)
        return width

    async def header_of_the_last_picture(self, name: str) -> str | None:
        """Return a header of the last request for a picture of a model."""
        [*_, last] = [request for request in self._sent if "/profile/image" in request.url]
        return (await last.all_headers()).get(name)


class OpenWebUIPages:
    """The pages of an Open WebUI, beside a directory."""

    def __init__(self, directory: Directory, browser: Browser, url: str) -> None:
        self.directory = directory
        self._browser = browser
        self._url = url

    @asynccontextmanager
    async def opened(self, user: str) -> AsyncIterator[OpenWebUITab]:
        """Yield a tab of a new window in which a user is signed in."""
        context = await self._browser.new_context()
        token = jwt.encode({**claims(sub=None), "id": user, "session_stamp": None, "typ": "session"}, SECRET)
        cookie: Any = {"name": "token", "value": token, "url": self._url, "httpOnly": True, "sameSite": "Lax"}
        await context.add_cookies([cookie])
        page = await context.new_page()
        page.set_default_timeout(20_000)
        sent: list[Request] = []

        def note(request: Request) -> None:
            sent.append(request)

        page.on("request", note)
        # In the place of the pages that a proxy would fetch from Open WebUI.
        await page.route(f"{self._url}/workspace/models", lambda route: route.fulfill(path=HTML))
        await page.goto(f"{self._url}/workspace/models")
        await page.evaluate("(token) => { localStorage.token = token }", token)
        try:
            yield OpenWebUITab(page, sent)
        finally:
            await context.close()


@asynccontextmanager
async def openwebui_pages(database: Database, settings: Settings, browser: Browser) -> AsyncIterator[OpenWebUIPages]:
    """Serve a directory that takes the tokens of an Open WebUI for the duration of a block."""
    changes = {"jwt_secret": SecretStr(SECRET), "jwt_user_claim": "id"}
    async with Directory.on(database, settings.model_copy(update=changes)) as directory:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            # The application has been started by the directory.
            config = uvicorn.Config(directory.app, lifespan="off", log_config=None, access_log=False)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listening]))
            try:
                yield OpenWebUIPages(directory, browser, f"http://127.0.0.1:{listening.getsockname()[1]}")
            finally:
                server.should_exit = True
                await serving
