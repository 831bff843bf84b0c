"""`If-Match` and `If-None-Match` (RFC 9110)."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.directory import LIST, Directory, model

MODEL, UPDATE = "/api/models/model", "/api/models/model/update"


async def _sent(
    directory: Directory, method: str, path: str, *headers: tuple[str, str], **options: Any
) -> httpx.Response:
    credential = ("Authorization", f"Bearer {await directory.key('ann')}")
    return await directory.client.request(method, path, headers=[credential, *headers], **options)


async def _changed(directory: Directory, *tags: str) -> httpx.Response:
    headers = [("If-Match", tag) for tag in tags]
    return await _sent(directory, "POST", UPDATE, *headers, json={"id": "m", "name": "New"})


@pytest.fixture
async def ann(directory: Directory, tmp_path: Path) -> Directory:
    """A directory in which ann has the model m, of version 3."""
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann", version=3, params={"system": "x" * 2000})]}, tmp_path)
    return directory


@pytest.mark.parametrize(
    "tags",
    [['"3"'], ['W/"3"'], ["3"], ["*"], ['"1", W/"2","3"'], ['"1"', '"3"'], ['"x,y", "3"'], [',"3",']],
    ids=str,
)
async def test_a_change_is_made_if_one_of_the_tags_is_current(ann: Directory, tags: list[str]) -> None:
    answer = await _changed(ann, *tags)
    assert (answer.status_code, answer.json()["version"]) == (200, 4)


@pytest.mark.parametrize(
    "tags",
    [
        ['"2"'],
        ['W/"2"'],
        ["4"],
        ['"1", "2"'],
        ['"1"', '"2"'],
        ['"abc"'],
        ['""'],
        ['"03"'],
        ['"0"'],
        [f'"{"9" * 40}"'],
        ['"*"'],
    ],
    ids=str,
)
async def test_a_tag_that_is_not_current_is_refused_with_the_one_that_is(ann: Directory, tags: list[str]) -> None:
    answer = await _changed(ann, *tags)
    assert (answer.status_code, answer.headers["etag"]) == (412, '"3"')


@pytest.mark.parametrize("tags", [["one"], [""], ['"3'], ['"3" "4"'], ['*, "3"'], ["3, 4"], ["3", "4"]], ids=str)
async def test_what_is_no_list_of_tags_is_refused_by_name(ann: Directory, tags: list[str]) -> None:
    answer = await _changed(ann, *tags)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["header", "If-Match"])
    assert (await ann.get(MODEL, "ann", id="m")).json()["version"] == 3


async def test_a_tag_that_came_with_a_compressed_answer_can_be_sent_back(ann: Directory) -> None:
    read = await _sent(ann, "GET", MODEL, ("Accept-Encoding", "gzip"), params={"id": "m"})
    assert (read.headers["content-encoding"], read.headers["etag"]) == ("gzip", 'W/"3"')
    known = ("If-None-Match", read.headers["etag"])
    assert (await _sent(ann, "GET", MODEL, known, params={"id": "m"})).status_code == 304
    assert (await _changed(ann, read.headers["etag"])).status_code == 200
    assert (await _sent(ann, "GET", MODEL, known, params={"id": "m"})).status_code == 200


@pytest.mark.parametrize("tag", ['"3"', 'W/"3"', "*", '"2", "3"'])
async def test_a_model_that_the_client_has_is_not_sent_again(ann: Directory, tag: str) -> None:
    answer = await _sent(ann, "GET", MODEL, ("If-None-Match", tag), params={"id": "m"})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"3"')
    assert answer.headers["vary"] == "Accept-Encoding"
    for other in ('"2"', "3", '"3'):
        assert (await _sent(ann, "GET", MODEL, ("If-None-Match", other), params={"id": "m"})).status_code == 200
    assert (await _sent(ann, "GET", MODEL, ("If-None-Match", tag), params={"id": "absent"})).status_code == 404


async def test_a_page_that_the_client_has_is_not_sent_again(ann: Directory) -> None:
    first = await ann.get(LIST, "ann")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = await _sent(ann, "GET", LIST, ("If-None-Match", f'"x", {tag}'))
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await _sent(ann, "GET", LIST, ("Accept-Encoding", "identity"))).headers["etag"] == tag
    assert (await _sent(ann, "GET", f"{LIST}?page=2", ("If-None-Match", tag))).status_code == 200
    await _changed(ann)
    assert (await _sent(ann, "GET", LIST, ("If-None-Match", tag))).status_code == 200
