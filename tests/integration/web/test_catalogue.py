"""The catalogue over HTTP: what an address shows, and that it shows no more than the API."""

import html
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.errors import OverdueError
from service.web import sharing_words
from tests.support.directory import Directory, grant, model
from tests.support.page import browser

_CARDS = re.compile(r'href="/model\?id=([^"]+)"')


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """Sixty models of ann's, of which some are shared with a group."""
    await directory.group("org")
    await directory.group("team", "org")
    await directory.group("secret")
    await directory.user("ann")
    await directory.user("ben", groups=["team"])
    await directory.user("root", role=Role.ADMIN)
    tags = [f"tag number {at} of those that there are" for at in range(60)]
    models = [
        model(
            f"vendor/model-{at:02}",
            "ann",
            base_model_id=f"some-provider/a-rather-long-name-of-a-model-{at}",
            meta={"description": "What it does, in a sentence. " * 9, "tags": tags, "capabilities": {"vision": True}},
            access_grants=[grant(f"group:{'org' if at % 2 else 'team'}"), *([grant("group:secret")] if at < 9 else [])],
        )
        for at in range(60)
    ]
    await directory.load({"models": models}, tmp_path)
    return directory


async def test_a_page_is_small(filled: Directory) -> None:
    async with browser(filled, "root") as opened:
        for path in ("/", "/?as=rows"):
            assert len((await opened.get(path)).content) < 60_000


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"query": "model-1", "sort": "name-down"},
        {"tag": ["tag number 3 of those that there are", "tag number 4 of those that there are"], "sort": "name"},
        {"group": "team", "changed": "7d"},
        {"owner": "ann@example.com", "kind": "custom", "view_option": "shared", "as": "rows"},
    ],
)
async def test_the_command_lists_what_is_seen(filled: Directory, query: dict[str, Any]) -> None:
    async with browser(filled, "ben") as opened:
        shown = (await opened.get("/", **query)).text
    ids = list(dict.fromkeys(found.replace("%2F", "/") for found in _CARDS.findall(shown)))
    command = html.unescape(shown.partition('id="curl">')[2].partition("<")[0])
    *_, address = shlex.split(command)
    headers = {"Authorization": f"Bearer {await filled.key('ben')}"}
    page = (await filled.client.get(address, headers=headers)).json()
    assert [item["id"] for item in page["items"]] == ids
    assert f"<strong>{page['total']}</strong>" in shown


async def test_teams_are_one_choice(filled: Directory) -> None:
    async with browser(filled, "ben") as opened:
        shown = (await opened.get("/")).text
        assert 'href="/?group=org&amp;group=team"' in shown
        assert "<strong>60</strong>" in (await opened.get("/?group=org&group=team")).text
        assert "<strong>30</strong>" in (await opened.get("/?group=team")).text


async def test_names_of_other_groups_are_not_told(filled: Directory) -> None:
    async with browser(filled, "ben") as opened, browser(filled, "root") as admin:
        for path in ("/?group=secret", "/?group=secret&as=rows", "/model?id=vendor/model-01"):
            assert "Group secret" not in (await opened.get(path)).text
            assert "Group secret" in (await admin.get(path)).text


async def test_without_counts_the_models_are_shown_all_the_same(
    filled: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overdue(*_: Any, **__: Any) -> None:
        raise OverdueError("too late")

    monkeypatch.setattr("service.web.catalogue.facets", overdue)
    async with browser(filled, "ben") as opened:
        answer = await opened.get("/?tag=tag number 3 of those that there are")
        assert (answer.status_code, "Counting took too long" in answer.text) == (200, True)
        assert len(_CARDS.findall(answer.text)) == 24
        assert 'value="tag number 3 of those that there are" form="view" checked' in answer.text


async def test_who_is_in_very_many_groups_is_offered_no_address_that_does_not_work(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [await directory.group(group) for group in ("one", "two", "three")]
    await directory.user("ann", groups=groups)
    monkeypatch.setattr(sharing_words, "MAX_VALUES", 2)
    async with browser(directory, "ann") as opened:
        for path in ("/", "/changes"):
            answer = await opened.get(path)
            assert (answer.status_code, "Shared with my teams" in answer.text) == (200, False)
        monkeypatch.undo()
        assert "Shared with my teams" in (await opened.get("/")).text
