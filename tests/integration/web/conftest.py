"""One browser and one service for all tests of the page in a real browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from indexes.ensure import ensure
from service.database.client import Database
from tests.conftest import TIMEOUT_SECONDS, settings_in
from tests.support.chromium import ABSENT, CHROMIUM, chromium
from tests.support.site import Site, site

DATABASE = "modeldeck_test_page"
WAIT_MS = 20_000


@pytest.fixture(scope="session")
async def window() -> AsyncIterator[Browser]:
    """A real browser; what needs it is skipped where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(ABSENT)
    # For busy machines.
    expect.set_options(timeout=WAIT_MS)
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
async def page_site(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory, window: Browser) -> AsyncIterator[Site]:
    """The service with the demo catalogue, for a browser; each test changes only records that no other one needs."""
    folder = tmp_path_factory.mktemp("site")
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS)
    await database.open()
    assert await ensure(database) == []
    async with site(database, settings_in(folder), window, folder) as running:
        yield running
    database.close()
