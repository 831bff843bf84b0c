"""`python -m tests.support.picture` makes the picture of the page that README.md begins with."""

import asyncio
import tempfile
from pathlib import Path

from PIL import Image

from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.settings import Settings
from tests.support.chromium import chromium
from tests.support.site import Site, demo_site

PICTURE = Path(__file__).parents[2] / "docs/images/page.png"
WIDTH, HEIGHT, COLOURS = 1280, 860, 128
MOST_BYTES = 300_000


async def take_picture(running: Site, path: Path) -> None:
    """Write the picture of the catalogue, as an admin of the demo sees it."""
    async with running.opened("u-admin", viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light") as page:
        await page.goto(f"{running.url}/?tag=engineering&sort=name")
        await page.screenshot(path=path)
    # Few colours, so that it is small; nobody sees the difference.
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(COLOURS).save(path, optimize=True)


async def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedMongo(Path(folder))
        with embedded.lease():
            database = Database.connect(embedded.uri("picture"), "picture", 60.0)
            await database.open()
            await ensure(database)
            settings = Settings(_env_file=None)
            async with chromium() as browser, demo_site(database, settings, browser) as running:
                await take_picture(running, PICTURE)
            database.close()


if __name__ == "__main__":
    asyncio.run(_main())
