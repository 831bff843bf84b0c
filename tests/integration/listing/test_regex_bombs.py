"""Regular expressions in a search are literal text: they match only themselves, and cost no more than other text."""

import time
from pathlib import Path

from documents.folding import fold
from documents.user import Role
from service.listing.params import MAX_QUERY_LENGTH
from tests.support.directory import Directory, model
from tests.support.every_case import sample
from tests.support.regex_bombs import MOST, plain_terms, regex_bombs

# None of them takes seconds; one that means harm takes minutes, on any machine.
SECONDS = 30.0


def test_there_are_bombs_of_all_lengths_and_as_many_plain_terms() -> None:
    bombs, plain = list(regex_bombs()), list(plain_terms())
    assert MOST == MAX_QUERY_LENGTH
    assert {len(bomb) for bomb in bombs} >= {1, MOST}
    assert all(1 <= len(term) <= MOST for term in (*bombs, *plain))
    assert len(bombs) == len(plain) > 80


async def test_a_bomb_finds_what_it_is_a_part_of(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    names = sorted({fold(bomb): bomb for bomb in regex_bombs()}.values())
    models = [model(f"m{at}", "ann", name=f"before {name} after") for at, name in enumerate(names)]
    # The text on which each expression would have to be tried.
    models += [model(f"a{at}", "ann", name="a" * 500 + "!", meta={"tags": ["a" * 500]}) for at in range(50)]
    assert (await directory.load({"models": models}, tmp_path)).clean
    texts = {one["id"]: fold(one["name"]) for one in models}
    for user in ("ann", "root"):
        for bomb in sample(regex_bombs(), 3, len(user)):
            # No owner matches either; all owners are named `Name of …`.
            expected = {found for found, text in texts.items() if fold(bomb) in text or fold(bomb) in "name of ann"}
            expected |= set(texts) if fold(bomb) in "ann@example.com" else set()
            started = time.monotonic()
            page = await directory.page(user, query=bomb, page_size=100)
            assert time.monotonic() - started < SECONDS, bomb
            assert page["total"] == len(expected), bomb
            assert (await directory.page(user, tag=bomb))["total"] == 0, bomb


async def test_people_are_found_by_text_too(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    for at in range(20):
        await directory.user(f"u{at}", name="a" * 300 + "!")
    for bomb in sample(regex_bombs(), 3):
        started = time.monotonic()
        answer = await directory.get("/api/users", "root", query=bomb)
        assert time.monotonic() - started < SECONDS, bomb
        assert answer.status_code == 200, bomb
        assert answer.json()["total"] in (0, 1, 20, 21), bomb
