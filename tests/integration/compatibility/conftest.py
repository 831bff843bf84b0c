"""A service that takes the tokens of an Open WebUI, behind a page that makes the calls of its client."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from service.database.client import Database
from service.settings import Settings
from tests.support.chromium import ABSENT, CHROMIUM, chromium
from tests.support.openwebui_page import OpenWebUIPages, openwebui_pages


@pytest.fixture(scope="module")
async def chromium_window() -> AsyncIterator[Browser]:
    """A real browser; what needs it is skipped where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(ABSENT)
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def pages(mongod: Database, settings: Settings, chromium_window: Browser) -> AsyncIterator[OpenWebUIPages]:
    """Pages of an Open WebUI, of which a proxy sends the calls about models here."""
    async with openwebui_pages(mongod, settings, chromium_window) as opened:
        yield opened
