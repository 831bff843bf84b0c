"""The page in a real browser: what people do with it, by mouse, by keyboard and without scripts."""

import pytest
from playwright.async_api import expect

from documents import ApiKey
from service.auth.authentication import Authenticator, api_key_id
from service.web.sessions import new_link
from tests.support.site import Site

pytestmark = pytest.mark.tools


async def test_a_link_signs_in_by_itself_once(page_site: Site) -> None:
    database = page_site.directory.database
    caller = await Authenticator(database).resolve(f"Bearer {await page_site.directory.key('root')}")
    address = f"{page_site.url}/#{await new_link(database, caller)}"
    async with page_site.opened(None) as page:
        await page.goto(address)
        await page.wait_for_selector(".main-nav")
        assert page.url == f"{page_site.url}/"
    async with page_site.opened(None) as page:
        await page.goto(address)
        await expect(page.locator("#link-state")).to_contain_text("has been used")
        assert "#" not in page.url


async def test_results_change_as_one_types_and_the_address_holds_the_view(page_site: Site) -> None:
    async with page_site.opened("root") as page:
        await page.keyboard.press("/")
        await page.keyboard.type("sql tun")
        await expect(page.locator(".card h2").first).to_have_text("SQL Tuning")
        await expect(page).to_have_url(f"{page_site.url}/?query=sql+tun")
        await page.get_by_label("performance").check()
        await expect(page).to_have_url(f"{page_site.url}/?query=sql+tun&tag=performance")
        await expect(page.locator(".chosen")).to_contain_text("Tag: performance")
        await page.go_back()
        await expect(page).to_have_url(f"{page_site.url}/?query=sql+tun")
        await expect(page.get_by_label("performance")).not_to_be_checked()
        address = page.url
    async with page_site.opened("u-anna") as page:
        await page.goto(address)
        await expect(page.locator("#query")).to_have_value("sql tun")
        await expect(page.locator(".card h2").first).to_have_text("SQL Tuning")


async def test_pages_follow_one_another(page_site: Site) -> None:
    async with page_site.opened("root") as page:
        first = await page.locator(".card h2").first.text_content()
        await page.get_by_role("link", name="Next page").click()
        await expect(page.locator("#total")).to_contain_text("25–48")
        assert await page.locator(".card h2").first.text_content() != first
        await page.go_back()
        await expect(page.locator(".card h2").first).to_have_text(first or "")


async def test_it_works_without_scripts(page_site: Site) -> None:
    async with page_site.opened("u-anna", java_script_enabled=False) as page:
        await page.fill("#query", "sql tun")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name="SQL Tuning").click()
        await expect(page.locator("h1")).to_have_text("SQL Tuning")
        await page.goto(f"{page_site.url}/model/sharing?id=shared")
        await expect(page.locator("h1")).to_contain_text("This is not for you")


async def test_what_is_shared_with_the_team_is_one_click_away(page_site: Site) -> None:
    async with page_site.opened("reader") as page:
        await page.get_by_role("link", name="Shared with my teams").click()
        await expect(page.locator("#total")).to_contain_text("8 models")


async def test_why_a_colleague_can_see_a_prompt(page_site: Site) -> None:
    async with page_site.opened("root") as page:
        await page.goto(f"{page_site.url}/model?id=architecture-sparring")
        await page.fill("#person", "emeka")
        await page.press("#person", "Enter")
        answer = page.locator(".answer")
        await expect(answer).to_contain_text("Emeka Okafor is in Platform, which belongs to Engineering.")
        await expect(answer).to_contain_text("The prompt stays hidden from Emeka Okafor")
        boxes = await answer.locator(".box text").all_text_contents()
        assert boxes == ["Emeka Okafor", "Platform", "Engineering", "may read", "This model"]


async def test_a_model_is_shared_with_a_group_by_keyboard_alone(page_site: Site) -> None:
    async with page_site.opened("owner") as page:
        await page.goto(f"{page_site.url}/model?id=shared")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.textContent.trim()") == "Share":
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/model/sharing?id=shared")
        await page.focus("#principal")
        await page.keyboard.type("g-legal")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".notice.good")).to_contain_text("may read it")
        await expect(page.locator(".grants")).to_contain_text("Legal")
        await page.get_by_role("button", name="Remove (Legal)").click()
        await expect(page.locator(".notice.good")).to_contain_text("The grant is gone.")


async def test_who_is_slower_sees_the_other_change_and_loses_nothing(page_site: Site) -> None:
    async with page_site.opened("owner") as slow, page_site.opened("root") as fast:
        for page in (slow, fast):
            await page.goto(f"{page_site.url}/model/edit?id=edited")
        await slow.fill("#system", "Be brief.")
        await slow.fill("#tags", "mine")
        await fast.fill("#system", "Be thorough.")
        await fast.fill("#description", "New words.")
        await fast.get_by_role("button", name="Save").click()
        await expect(fast.locator(".notice.good")).to_have_text("Saved.")
        await slow.get_by_role("button", name="Save").click()
        await expect(slow.locator(".notice.warn h2")).to_contain_text("was faster")
        await expect(slow.locator("#system")).to_have_value("Be brief.")
        await expect(slow.locator(".theirs pre")).to_have_text("Be thorough.")
        await expect(slow.locator("#tags")).to_have_value("mine")
        await expect(slow.locator("#description")).to_have_value("New words.")
        await slow.get_by_role("button", name="Save mine").click()
        await expect(slow.locator(".prompt")).to_have_text("Be brief.")
        await slow.get_by_role("link", name="Whole history").click()
        await slow.get_by_role("link", name="What changed in version 3").click()
        assert await slow.locator(".diff del").all_text_contents() == ["thorough"]


async def test_a_key_that_is_revoked_while_somebody_types_loses_nothing(page_site: Site) -> None:
    async with page_site.opened("writer") as page:
        await page.goto(f"{page_site.url}/model/edit?id=kept")
        await page.fill("#description", "A long text")
        key = await page_site.directory.key("writer")
        await page_site.directory.database.delete_many(ApiKey, {"_id": api_key_id(key)})
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#trouble")).to_contain_text("signed out")
        await expect(page.locator("#description")).to_have_value("A long text")
        other = await page.context.new_page()
        page_site.directory.forget_key("writer")
        await page_site.sign_in(other, "writer")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".notice.good")).to_have_text("Saved.")
        await expect(page.locator(".prose")).to_have_text("A long text")
