"""Each page as each kind of person sees it: accessible, within the width of the window, and harmless."""

import json
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from PIL import Image
from playwright.async_api import Page

from tests.support.every_case import EVERY_CASE
from tests.support.picture import HEIGHT, MOST_BYTES, PICTURE, WIDTH, take_picture
from tests.support.site import HOSTILE, Site

pytestmark = pytest.mark.tools

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (1280, 320, 2560)

PAGES = {
    "root": [
        *(
            "/",
            "/?as=rows",
            "/changes",
            "/me",
            "/overview",
            "/model?id=hostile/markup",
            "/model?id=hostile/long&person=R",
        ),
        *("/model/history?id=hostile/markup&earlier=1&later=1", "/model/edit?id=hostile/markup"),
        "/model/sharing?id=hostile/bidi",
    ],
    "writer": ["/model?id=hostile/bidi", "/model/history?id=hostile/bidi"],
    "reader": ["/?query=hostile", "/model?id=hostile/scripts"],
    "nobody": ["/?view_option=created", "/model?id=none"],
}


async def _faults(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds, one line each; with names of rules, by these alone."""
    options = json.dumps({"runOnly": [*rules] or STANDARDS, "resultTypes": ["violations"]})
    found: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("user", PAGES)
async def test_pages_are_accessible_and_fit(page_site: Site, user: str, tmp_path: Path) -> None:
    async with page_site.opened(user, bypass_csp=True) as page:
        for at, path in enumerate(PAGES[user]):
            await page.goto(page_site.url + path)
            await page.evaluate(AXE)
            await page.emulate_media(color_scheme="light")
            assert await _faults(page) == [], (path, user)
            # Both schemes have the same elements, so that a few pages show the colours of all.
            if at % 4 == 0 or EVERY_CASE:
                await page.emulate_media(color_scheme="dark")
                assert await _faults(page, "color-contrast") == [], (path, user, "dark")
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 900})
                beyond = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert beyond <= 0, (path, width)
                if EVERY_CASE:
                    await page.screenshot(path=tmp_path / f"{user}-{at}-{width}.png")


async def test_the_picture_in_the_readme_is_made_of_the_page(page_site: Site, tmp_path: Path) -> None:
    await take_picture(page_site, tmp_path / "page.png")
    for path in (PICTURE, tmp_path / "page.png"):
        with Image.open(path) as picture:
            assert picture.size == (WIDTH, HEIGHT)
        assert path.stat().st_size < MOST_BYTES


async def test_the_form_to_sign_in_is_accessible(page_site: Site) -> None:
    async with page_site.opened(None, bypass_csp=True) as page:
        await page.goto(f"{page_site.url}/sign-in?next=/me&ended=1")
        await page.evaluate(AXE)
        assert await _faults(page) == []


async def test_nothing_that_is_stored_runs(page_site: Site) -> None:
    models = [f"/model?id=hostile/{kind}" for kind in HOSTILE]
    async with page_site.opened("root") as page:
        for path in [
            *models,
            "/model/edit?id=hostile/markup",
            "/?query=hostile",
            "/?query=hostile&as=rows",
            "/changes",
        ]:
            await page.goto(page_site.url + path)
            assert await page.evaluate("document.querySelectorAll('main img, main script').length") == 0, path
            assert await page.evaluate("document.querySelectorAll('a[href^=\"javascript:\" i]').length") == 0, path
            assert await page.title() != "run"
