"""Values known to break services, in every field and parameter of every route, are refused with the field's name."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from service.http.json_body import MAX_BODY_BYTES
from tests.support.directory import Directory
from tests.support.every_case import sample
from tests.support.examples import EXAMPLES, Example, Raw, fill, restore
from tests.support.injections import FREE_FORM, Path, places, with_planted

pytestmark = pytest.mark.exhaustive

LONG = 200_000
# Each replaces a value of a body. They are JSON text, because no library would write such JSON.
REFUSED_EVERYWHERE = {
    "a lone surrogate": '"\\ud800"',
    "not a number": "NaN",
    "infinity": "-Infinity",
    "a huge exponent": "1e999",
    "an integer beyond 64 bits": str(2**63),
    "an integer of 5,000 digits": "9" * 5_000,
    "500 levels": "[" * 500 + "]" * 500,
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "levels that do not end": '{"a":' * 100_000,
    "a name twice": '{"a": 1, "a": 2}',
    "a name with NUL": '{"a\\u0000": 1}',
}
REFUSED_WHERE_TYPED = {"NUL": '"a\\u0000b"', "200 KB": f'"{"x" * LONG}"', "a bare word": "undefined"}
NO_BODIES = [b"", b"null", b"1", b'"x"', b"[[]]", b"{", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf", b"{}{}", b"--x\r\n\r\n"]
QUERIES = ["%ED%A0%80", "%FF", "a%00b", "x" * (LONG // 4), "%C0%80", "%F4%90%80%80"]
PAGES = ["0", "-1", "1.0", "", "NaN", "1e3", "9" * 5_000, "１", "0x1", " 1", "1_0", "+1", "null", "true", "[1]"]
WITH_BODIES = [example for example in EXAMPLES if example.body is not None]
HOLE = "a hole to be filled"


@pytest.fixture
async def example_directory(directory: Directory, raw: Raw) -> AsyncIterator[Directory]:
    """The directory for the examples of the OpenAPI document, which no request here may change."""
    records = await fill(directory, raw)
    yield directory
    restore(raw, records)


async def send(directory: Directory, example: Example, address: str, content: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {await directory.key('u-admin')}"}
    return await directory.client.request(example.operation.method, address, content=content, headers=headers)


def _require_refused(answer: httpx.Response, what: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or (422,)), (what, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000, what
    if answer.status_code == 422:
        assert all(error["loc"] and error["msg"] for error in answer.json()["errors"])


def _holes(example: Example) -> Iterator[tuple[Path, str, str]]:
    for path, value in places(example.body):
        # Any number is valid here, because it is only compared with the number of deletions.
        if path and not isinstance(value, (dict, list)) and path != ("max_deletions",):
            before, _, after = json.dumps(with_planted(example.body, path, HOLE)).partition(json.dumps(HOLE))
            yield path, before, after


async def test_values_that_can_not_be_kept_are_refused_in_every_field(example_directory: Directory, raw: Raw) -> None:
    for number, example in enumerate(WITH_BODIES):
        for path, before, after in _holes(example):
            free = any(name in path for name in FREE_FORM)
            values = {**REFUSED_EVERYWHERE, **({} if free else REFUSED_WHERE_TYPED)}
            if "format" in example.query:
                # In files of other systems, the last of two equal names counts, as it does in those systems.
                del values["a name twice"]
            for what, value in sample(values.items(), 9, number + len(before)):
                answer = await send(example_directory, example, example.address(), f"{before}{value}{after}".encode())
                if "format" in example.query and answer.status_code == 200:
                    # Without `atomic`, what can't be imported is listed in the report.
                    assert answer.json()["steps"], (str(example), path, what)
                    continue
                _require_refused(answer, (str(example), path, what), 422, 413)


async def test_what_is_no_body_is_refused_by_every_route(example_directory: Directory) -> None:
    for example in WITH_BODIES:
        for body in NO_BODIES:
            answer = await send(example_directory, example, example.address(), body)
            if "format" in example.query and answer.status_code == 200:
                # An empty file, or one in which each line is a record.
                assert answer.json()["changes"] == 0
                continue
            _require_refused(answer, (str(example), body))


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_17_megabytes_is_refused_by_every_route(example_directory: Directory, chunked: bool) -> None:
    body = b'{"id": "' + b"x" * 17_000_000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), MAX_BODY_BYTES):
            taken.append(at)
            yield body[at : at + MAX_BODY_BYTES]

    for example in WITH_BODIES:
        taken: list[int] = []
        answer = await send(example_directory, example, example.address(), chunks() if chunked else body)
        _require_refused(answer, str(example), 413, 422)
        # Routes that accept large files refuse it because of its content.
        takes_files = example.operation.path.endswith(("/import", "/sync"))
        assert answer.status_code == 413 or takes_files, str(example)
        # The client sends one part more before the service has counted the previous one.
        assert len(taken) <= 3 or takes_files, str(example)


async def test_parameters_that_can_not_be_kept_are_refused_by_every_route(example_directory: Directory) -> None:
    for example in EXAMPLES:
        content = json.dumps(example.body).encode()
        for parameter in example.operation.definition.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            name = parameter["name"]
            rest = example.address([pair for pair in example.pairs if pair[0] != name])
            values = [*QUERIES, *(PAGES if name in ("page", "page_size", "earlier", "later") else ())]
            for value in sample(values, 3, len(rest)):
                answer = await send(
                    example_directory, example, f"{rest}{'&' if '?' in rest else '?'}{name}={value}", content
                )
                _require_refused(answer, (str(example), name, value))


async def test_a_page_far_past_the_end_is_empty_and_has_the_total(example_directory: Directory) -> None:
    headers = {"Authorization": f"Bearer {await example_directory.key('u-admin')}"}
    paged = [example for example in EXAMPLES if example.operation.takes("page")]
    assert len(paged) >= 6
    for example in paged:
        # The filters of the list select too little, and its cursor stands for a page.
        left_out = ("page", "role", "user_id", "is_active")
        query = [pair for pair in example.pairs if pair[0] not in left_out and not example.operation.takes("cursor")]
        totals = []
        for page in ("1", str(2**31), str(2**63), "9" * 400):
            answer = await example_directory.client.get(example.address([*query, ("page", page)]), headers=headers)
            assert answer.status_code == 200, (str(example), page, answer.text)
            totals.append((answer.json()["total"], bool(answer.json()["items"])))
        assert totals == [(totals[0][0], totals[0][0] > 0), *[(totals[0][0], False)] * 3], str(example)
