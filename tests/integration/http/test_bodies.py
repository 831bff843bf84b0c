"""Bodies as plain HTTP clients send them: compressed, with a byte order mark, with any Content-Type."""

import gzip
import json
from typing import Any

import httpx
import pytest

from service.importing.schemas import MAX_IMPORT_BYTES
from service.importing.sent_file import MAX_SOURCE_BYTES
from tests.support.directory import Directory

CREATE, IMPORT = "/api/models/create", "/api/models/import"
MODEL = {"id": "m", "name": "M"}
MODELS = {"models": [MODEL]}


@pytest.fixture
async def ann(directory: Directory) -> Directory:
    """A directory with the user ann."""
    await directory.user("ann")
    return directory


async def _sent(directory: Directory, path: str, body: bytes, **headers: str) -> httpx.Response:
    credential = {"Authorization": f"Bearer {await directory.key('ann')}"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await directory.client.post(path, content=body, headers={**credential, **named})


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity, gzip"])
@pytest.mark.parametrize("query", ["", "?format=modeldeck", "?format=auto"])
async def test_an_import_may_be_compressed(ann: Directory, query: str, coding: str) -> None:
    body = gzip.compress(json.dumps(MODELS).encode())
    answer = await _sent(ann, IMPORT + query, body, Content_Encoding=coding)
    assert answer.status_code == 200, answer.text
    assert await ann.ids("ann") == ["m"]


async def test_a_compressed_file_may_be_compressed_again(ann: Directory) -> None:
    file = gzip.compress(json.dumps(MODELS).encode())
    answer = await _sent(ann, f"{IMPORT}?format=auto", gzip.compress(file), Content_Encoding="gzip")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("query", "limit"), [("", MAX_IMPORT_BYTES), ("?format=auto", MAX_SOURCE_BYTES)])
async def test_it_is_bounded_as_it_is_decompressed(ann: Directory, query: str, limit: int) -> None:
    answer = await _sent(ann, IMPORT + query, gzip.compress(b" " * (limit + 1), 1), Content_Encoding="gzip")
    assert (answer.status_code, "decompressed" in answer.json()["detail"]) == (413, True)


@pytest.mark.parametrize("query", ["", "?format=auto"])
async def test_what_is_not_compressed_must_not_say_so(ann: Directory, query: str) -> None:
    answer = await _sent(ann, IMPORT + query, json.dumps(MODELS).encode(), Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body"])


@pytest.mark.parametrize(
    ("path", "coding", "accepted"),
    [
        (CREATE, "gzip", "identity"),
        (CREATE, "br", "identity"),
        ("/api/keys/create", "gzip", "identity"),
        (IMPORT, "br", "gzip"),
        (IMPORT, "gzip, gzip", "gzip"),
        (f"{IMPORT}?format=auto", "deflate", "gzip"),
    ],
)
async def test_other_codings_are_refused(ann: Directory, path: str, coding: str, accepted: str) -> None:
    answer = await _sent(ann, path, gzip.compress(json.dumps(MODEL).encode()), Content_Encoding=coding)
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
    assert (answer.headers["accept-encoding"], accepted in answer.json()["detail"]) == (accepted, True)


async def test_the_identity_coding_is_none(ann: Directory) -> None:
    assert (await _sent(ann, CREATE, json.dumps(MODEL).encode(), Content_Encoding="identity")).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_json_is_json_whatever_it_is_called(ann: Directory, kind: str) -> None:
    assert (await _sent(ann, CREATE, json.dumps(MODEL).encode(), Content_Type=kind)).status_code == 200
    assert (await _sent(ann, CREATE, b"id=m&name=M", Content_Type=kind)).status_code == 422


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (CREATE, json.dumps(MODEL)),
        (IMPORT, json.dumps(MODELS)),
        (f"{IMPORT}?format=auto", json.dumps(MODELS)),
        (f"{IMPORT}?format=modeldeck", json.dumps({"kind": "model", **MODEL})),
        (f"{IMPORT}?format=auto", json.dumps({"kind": "model", **MODEL})),
        (f"{IMPORT}?format=openwebui", json.dumps([MODEL])),
        (f"{IMPORT}?format=auto", "model_list:\n- model_name: m\n  litellm_params: {model: openai/x}\n"),
        (f"{IMPORT}?format=litellm-prices", json.dumps({"m": {"litellm_provider": "x", "mode": "chat"}})),
    ],
)
async def test_a_byte_order_mark_is_skipped(ann: Directory, path: str, content: str) -> None:
    marked = ("\ufeff" + content).encode()
    assert (await _sent(ann, path, marked)).status_code == 200
    assert len(await ann.ids("ann")) == 1
    if "format" in path:
        assert (await _sent(ann, path, gzip.compress(marked))).status_code == 200


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}", json.dumps(MODEL).encode("utf-16")])
async def test_a_mark_is_skipped_once_and_only_that_of_utf_8(ann: Directory, body: bytes) -> None:
    assert (await _sent(ann, CREATE, body)).status_code == 422


@pytest.mark.parametrize("space", [" ", "\t\n", "\u00a0\u3000"])
async def test_white_space_around_a_search_does_not_count(ann: Directory, space: str) -> None:
    found: dict[str, Any] = {**MODEL, "name": "One Two", "meta": {"tags": ["sql"]}}
    await ann.post(CREATE, "ann", found)
    for parameters in ({"query": "one two"}, {"tag": "sql"}, {"query": "x" * 128}, {"query": "One  Two"}):
        spaced = {name: f"{space}{value}{space}" for name, value in parameters.items()}
        assert await ann.ids("ann", **spaced) == await ann.ids("ann", **parameters)
    assert await ann.ids("ann", query=space, tag=space) == ["m"]
