"""The page of a model says that it has changed while it is open, and to those who may change it, by whom."""

import asyncio
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from documents.user import Role
from tests.support.asgi_exchange import Exchange
from tests.support.directory import Directory, grant
from tests.support.following import Following
from tests.support.page import browser
from tests.support.site import Site

CREATE, UPDATE, SHARE = (f"/api/models/{path}" for path in ("create", "model/update", "model/access/update"))


async def opened(directory: Directory, user: str, cookie: str) -> tuple[Following, asyncio.Task[Exchange]]:
    following = Following("/model/changes", headers={"Cookie": cookie}, query=urlencode({"id": "m", "version": 1}))
    following.reads.set()
    running = asyncio.create_task(following.with_app(directory.app))
    await following.until(lambda: len(following.sent) > 1)
    assert following.status == 200, (user, following.body)
    return following, running


def told(following: Following) -> list[str]:
    lines = following.body.decode().split("\n")
    # Names stand apart from the words around them, whatever their script is.
    return [
        line.removeprefix("data: ").replace("\u2068", "").replace("\u2069", "") for line in lines if line[:1] == "d"
    ]


async def told_of(following: Following, count: int) -> list[str]:
    await following.until(lambda: len(told(following)) >= count)
    return told(following)


async def test_it_tells_each_what_they_may_know(directory: Directory) -> None:
    for user in ("ann", "ben", "cat"):
        await directory.user(user, name=f"{user}\nSmith")
    await directory.user("root", role=Role.ADMIN)
    grants = [grant("user:ben"), grant("user:cat", "write")]
    await directory.post(CREATE, "ann", {"id": "m", "name": "1", "access_grants": grants})
    await directory.post(CREATE, "ann", {"id": "other", "name": "1", "access_grants": grants})
    pages = {}
    for user in ("ann", "ben", "cat"):
        async with browser(directory, user) as signed_in:
            [cookie] = [f"{name}={value}" for name, value in signed_in.client.cookies.items()]
            pages[user] = await opened(directory, user, cookie)
    await directory.post(UPDATE, "ann", {"id": "other", "name": "2"})
    await directory.post(UPDATE, "cat", {"id": "m", "name": "2"})
    await directory.post(SHARE, "ann", {"id": "m", "access_grants": [grants[1]]})
    expected = {
        "ann": ["Changed by cat Smith", "Changed by you, elsewhere"],
        "ben": ["Changed", "Hidden from you"],
        "cat": ["Changed by you, elsewhere", "Changed by ann Smith"],
    }
    for user, sentences in expected.items():
        assert await told_of(pages[user][0], 2) == sentences
    async with browser(directory, "cat") as late:
        answer = await late.get("/model/changes", id="m", version=1, follow="no")
        assert "data: Changed by" in answer.text
        [cookie] = [f"{name}={value}" for name, value in late.client.cookies.items()]
        pages["late"] = await opened(directory, "cat", cookie)
        assert (await late.send("/sign-out")).status_code == 303
        await asyncio.wait_for(pages["late"][1], 30)
    for following, running in pages.values():
        following.disconnect()
        await running


@pytest.mark.tools
async def test_a_browser_shows_it(page_site: Site) -> None:
    directory = page_site.directory
    await directory.post(CREATE, "u-anna", {"id": "news", "name": "News", "access_grants": [grant("user:*")]})
    async with page_site.opened("root") as page:
        async with page.expect_response(lambda answer: "/model/changes" in answer.url):
            await page.goto(f"{page_site.url}/model?id=news")
        await expect(page.locator("[data-news]")).to_be_hidden()
        await directory.post(UPDATE, "u-anna", {"id": "news", "name": "Newer"})
        await expect(page.locator("[data-news]")).to_contain_text("just now")
        await expect(page.locator("[data-news]")).to_contain_text("Changed by")
        await page.get_by_role("link", name="Show it as it is now").click()
        await expect(page.locator("h1")).to_have_text("Newer")
        await expect(page.locator("[data-news]")).to_be_hidden()
