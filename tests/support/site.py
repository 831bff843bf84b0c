"""The service with the demo catalogue and hostile records, on a port of its own, for a real browser."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, Page

from documents.api_key import Scope
from documents.user import Role
from service.database.client import Database
from service.demo.catalogue import load_demo
from service.settings import Settings
from tests.support.directory import Directory, grant, model

BIDI = "שלום \u202eabc\u202c مرحبا"
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>'\"&amp;{{7*7}}"
LONG = "W" * 500
HOSTILE = {
    "markup": MARKUP,
    "bidi": BIDI,
    "long": LONG,
    "script": "javascript:document.title='run'//",
    "scripts": "田中ゆき नमस्ते 🧑‍🚀 ༀ Ω" + "\u0301" * 40,
}


class Site:
    """A running service that a browser can open."""

    def __init__(self, directory: Directory, browser: Browser, url: str) -> None:
        self.directory = directory
        self.url = url
        self._browser = browser

    @asynccontextmanager
    async def opened(self, user: str | None, **options: Any) -> AsyncIterator[Page]:
        """Yield a tab of a new window in which a user has signed in; errors in it fail the test."""
        context = await self._browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        troubles: list[str] = []
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.on("request", lambda sent: None if self._is_own(sent.url) else troubles.append(f"asked for {sent.url}"))
        try:
            if user is not None:
                await self.sign_in(page, user)
            yield page
            # A refusal that a test provokes is no trouble.
            assert [trouble for trouble in troubles if "Failed to load resource" not in trouble] == []
        finally:
            await context.close()

    def _is_own(self, url: str) -> bool:
        return url.startswith((self.url, "data:"))

    async def sign_in(self, page: Page, user: str) -> None:
        """Sign in with a key of a user; `name:read` has one for reading only."""
        name, _, reads = user.partition(":")
        options: dict[str, Any] = {"scope": Scope.READ} if reads else {}
        key = await self.directory.key(name, **options)
        await page.goto(f"{self.url}/sign-in")
        await page.fill("#key", key)
        await page.press("#key", "Enter")
        await page.wait_for_selector(".main-nav")
        # Keys that are pressed before the scripts of the page run reach none of them.
        await page.wait_for_load_state()


@asynccontextmanager
async def site(database: Database, settings: Settings, browser: Browser, folder: Path) -> AsyncIterator[Site]:
    """Serve the demo catalogue, with some records that try to do harm, for the duration of a block."""
    async with demo_site(database, settings, browser) as running:
        await _fill(running.directory, folder)
        yield running


@asynccontextmanager
async def demo_site(database: Database, settings: Settings, browser: Browser) -> AsyncIterator[Site]:
    """Serve the demo catalogue for the duration of a block."""
    async with Directory.on(database, settings) as directory:
        await load_demo(database)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            # The application has been started by the directory.
            config = uvicorn.Config(directory.app, lifespan="off", log_config=None, access_log=False)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listening]))
            yield Site(directory, browser, f"http://127.0.0.1:{listening.getsockname()[1]}")
            server.should_exit = True
            await serving


async def _fill(directory: Directory, folder: Path) -> None:
    await directory.group("g-hostile")
    people: dict[str, dict[str, Any]] = {
        "owner": {"name": MARKUP},
        "writer": {"name": BIDI},
        "reader": {"name": "Reader " + "R" * 300},
        "nobody": {},
        "root": {"role": Role.ADMIN},
    }
    for user, fields in people.items():
        await directory.user(user, groups=["g-hostile"] if user == "reader" else [], **fields)
    grants = [grant("user:writer", "write"), grant("group:g-hostile"), grant("user:u-yuki"), grant("group:g-staff")]
    models = [
        model(
            f"hostile/{kind}",
            "owner",
            name=text,
            base_model_id=f"base{text[:200]}",
            params={"system": f"\n{text}\n" * 3, text: text, "nested": {text: [text]}},
            meta={
                "description": text,
                "tags": [text, f"{text[:100]},comma"],
                "capabilities": {text: True},
                text: {"more": text},
                "profile_image_url": "https://evil.example/a.png",
            },
            access_grants=grants,
        )
        for kind, text in HOSTILE.items()
    ]
    plain = [
        model(name, "owner", name=f"Plain {name}", access_grants=grants, params={"system": "Be kind."})
        for name in ("edited", "shared", "kept")
    ]
    await directory.load({"models": [*models, *plain]}, folder)
