"""Errors as a browser sees them, and as a program does."""

from pathlib import Path

import pytest

from service.http.problems import PROBLEM_JSON
from service.middleware.concurrency_limit import ConcurrencyLimit
from tests.support.directory import Directory, model
from tests.support.page import browser


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nowhere", 404, "Nothing to see here"),
        ("/model?id=none", 404, "or it is not shared with you"),
        ("/overview", 403, "Only admins may see this"),
        ("/?tag=x&unknown=1", 422, "unknown query parameter"),
        (f"/?query={'x' * 200}", 422, "at most 128"),
        ("/model", 422, "id"),
    ],
)
async def test_a_browser_gets_a_page(directory: Directory, path: str, status: int, said: str) -> None:
    await directory.user("ann")
    async with browser(directory, "ann") as opened:
        answer = await opened.get(path)
        assert (answer.status_code, said in answer.text) == (status, True)
        assert answer.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        plain = await opened.client.get(path, headers={"Accept": "*/*"})
        assert (plain.status_code, plain.headers["content-type"]) == (status, PROBLEM_JSON)


async def test_the_api_answers_browsers_as_everybody(directory: Directory) -> None:
    async with browser(directory) as opened:
        for path in ("/api/models/list", "/api/nowhere", "/health/nowhere", "/static/nowhere"):
            assert (await opened.get(path)).headers["content-type"] == PROBLEM_JSON


async def test_a_busy_service_says_so(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    await directory.user("ann")
    async with browser(directory, "ann") as opened:
        monkeypatch.setattr(ConcurrencyLimit, "enter", lambda *_: False)
        answer = await opened.get("/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "The service is busy" in answer.text


async def test_an_old_cursor_begins_anew(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.load({"models": [model(f"m{at}", "ann") for at in range(30)]}, tmp_path)
    async with browser(directory, "ann") as opened:
        shown = (await opened.get("/")).text
        following = shown.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert "25–30" in (await opened.get(following)).text
        answer = await opened.get(f"{following}&kind=base")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?kind=base")


async def test_links_are_below_the_root_path(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann")]}, tmp_path)
    settings = directory.settings.model_copy(update={"root_path": "/apps/deck"})
    async with Directory.on(directory.database, settings) as behind, browser(behind) as opened:
        answer = await opened.get("/changes")
        assert answer.headers["location"] == "/apps/deck/sign-in?next=%2Fchanges"
        answer = await opened.client.post(
            "/sign-in/key", data={"key": await directory.key("ann"), "next": "/me"}, headers={"Origin": "http://test"}
        )
        assert answer.headers["location"] == "/apps/deck/me"
        assert "Path=/apps/deck" in answer.headers["set-cookie"]
        opened.client.cookies.set("modeldeck_session", answer.cookies["modeldeck_session"])
        for path in ("/", "/model?id=m", "/changes", "/me", "/nowhere"):
            text = (await opened.get(path)).text
            links = [
                part.partition('"')[0] for name in ('href="', 'action="', 'src="') for part in text.split(name)[1:]
            ]
            assert all(link.startswith(("/apps/deck/", "#", "?")) for link in links), path
