"""Hidden values carry a marker, which must not occur in any response, header or log line of other callers."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure

from documents.user import Role
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import sample
from tests.support.examples import EXAMPLES, REVISION, Raw
from tests.support.injections import attacks

MARK = "undisclosed"
HIDDEN, READABLE, WRITABLE = f"hidden/{MARK}-id", "readable", "writable"
PREFIXES = ("/api", "/api/v1")
# The values in the examples of the OpenAPI document, and those used in their place.
INSTEAD = {"sql-tuning": HIDDEN, "openai/gpt-4o": f"{MARK}-base", "u-anna": "ghost", "u-ben": "ghost"}
INSTEAD |= {"g-platform": "lodge", "g-engineering": "lodge"}
ORDERS = ["params", "params.system", "meta.description", "keys.text", "keys.name", "user.email", "owner.username"]
ORDERS += ["user_id", "id", "_id", "version", "$natural", "access_grants", "email", "sha256"]


def _hidden(model_id: str, owner: str, **fields: Any) -> dict[str, Any]:
    secret = {"system": f"{MARK} prompt", f"{MARK}-name": [{"key": f"{MARK} deep"}]}
    meta = {"description": f"{MARK} text", "tags": [{"name": f"{MARK} tag"}]}
    return model(model_id, owner, **{"name": f"{MARK} name", "params": secret, "meta": meta, **fields})


@pytest.fixture
async def marked_directory(directory: Directory, raw: Raw, tmp_path: Path) -> Directory:
    """A directory in which eve may see almost none of the marked values."""
    await directory.user("root", role=Role.ADMIN)
    await directory.user("owner", username=f"{MARK}-owner")
    person: dict[str, Any] = {"name": f"{MARK} Ghost", "email": f"{MARK}@example.com", "username": f"{MARK}-ghost"}
    await directory.user("ghost", **person)
    await directory.group("lodge")
    raw.groups.update_many({}, {"$set": {"name": f"{MARK} lodge"}})
    await directory.user("eve")
    await directory.key("ghost", name=f"{MARK} key")
    for number in (1, 2):
        # Twice, so that the history contains the marked content too.
        prompt = {"system": f"{MARK} prompt {number}"}
        mine = {"access_grants": [grant("user:eve", "write")], "params": {"system": f"known {number}"}}
        models = [
            _hidden(HIDDEN, "ghost", base_model_id=f"{MARK}-base", params=prompt, access_grants=[grant("group:lodge")]),
            _hidden(READABLE, "owner", name="R", meta={}, params=prompt, access_grants=[grant("user:eve")]),
            model(WRITABLE, "owner", name=f"W{number}", **mine),
        ]
        assert (await directory.load({"models": models}, tmp_path)).clean
    return directory


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the log of the service, without that of the test client."""
    lines = [f"{one.getMessage()} {one.exc_text or ''}" for one in caplog.records if not one.name.startswith("http")]
    return "\n".join(lines).lower()


def _text_of(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.headers.multi_items()} {answer.text}".lower()


def _requests(raw: Raw) -> Iterator[tuple[str, str, bytes]]:
    """Yield valid and invalid requests to every route, for hidden and visible models."""
    revisions = {one["_id"] for one in raw.revisions.find({"model_id": {"$in": [HIDDEN, READABLE]}})}
    for example in EXAMPLES:
        for compatible in (False, True) if example.has_compatible_route else (False,):
            address, body = example.address(compatible=compatible), json.dumps(example.body) if example.body else ""
            for about in (HIDDEN, READABLE):
                asked = _put({**INSTEAD, "sql-tuning": about}, address), _put({**INSTEAD, "sql-tuning": about}, body)
                yield example.operation.method, asked[0], asked[1].encode()
                for revision in revisions:
                    put = {REVISION: revision}
                    yield example.operation.method, _put(put, asked[0]), _put(put, asked[1]).encode()
            for attack in sample(attacks(example, compatible=compatible), 47, len(address)):
                yield attack.method, _put(INSTEAD, attack.address), _put(INSTEAD, attack.body.decode()).encode()
            yield example.operation.method, address, b"{" + body.encode()
            surprising = [*example.pairs, ("surprise", "1")]
            yield example.operation.method, example.address(surprising, compatible=compatible), body.encode()
            yield "DELETE", address, b""


def _put(instead: dict[str, str], text: str) -> str:
    for known, other in instead.items():
        text = text.replace(known, other).replace(known.replace("/", "%2F"), other)
    return text


async def test_no_response_contains_hidden_values(
    marked_directory: Directory, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    credentials = {"eve": await marked_directory.key("eve"), "nobody": "mdk_" + "0" * 16 + "_" + "0" * 48}
    seen = set()
    for name, credential in credentials.items():
        headers = {"Authorization": f"Bearer {credential}"}
        # A caller without a valid credential is refused before anything else is checked, so fewer requests suffice.
        for method, address, body in sample(list(_requests(raw)), 3 if name == "eve" else 10):
            answer = await marked_directory.client.request(method, address, content=body, headers=headers)
            seen.add(answer.status_code)
            # A response may repeat what its caller sent.
            if MARK not in address and MARK not in body.decode():
                assert MARK not in _text_of(answer), (name, method, address, body)
            elif answer.status_code != 422:
                assert " prompt" not in _text_of(answer) and "@example.com" not in _text_of(answer), (
                    name,
                    method,
                    address,
                )
    assert seen >= {200, 307, 401, 403, 404, 405, 409, 422}
    assert MARK not in _logged(caplog)
    # Nor is it in the metrics, which need no credential.
    counted = await marked_directory.client.get("/metrics")
    assert counted.status_code == 200
    assert MARK not in _text_of(counted)
    assert not any(record["sha256"] in _logged(caplog) for record in raw.api_keys.find())


async def test_lists_and_exports_contain_no_hidden_values(marked_directory: Directory, raw: Raw) -> None:
    paths = ["list", "list?page_size=100", "base", "tags", "export", f"model?id={READABLE}", f"model?id={WRITABLE}"]
    paths += [f"model/profile/image?id={READABLE}", f"model/access?id={READABLE}&user_id=eve"]
    paths += [f"model/history?id={WRITABLE}", f"model/history/diff?id={WRITABLE}&earlier=1&later=2"]
    paths += [f"export?format={kind}" for kind in ("modeldeck", "openwebui", "jsonl", "csv")]
    more = ["/api/me", "/api/keys", "/v1/models", f"/v1/models/{READABLE}"]
    more += [f"/api/v1/models/{path}?kind=any" for path in ("list", "export", "tags")]
    for prefix in PREFIXES:
        for path in (*(f"{prefix}/models/{path}" for path in paths), *more):
            answer = await marked_directory.get(path, "eve")
            assert answer.status_code in (200, 307), path
            assert MARK not in _text_of(answer), path
    # An admin sees everything except hashes and derived keys, which no one sees.
    hashes = [record["sha256"] for record in raw.api_keys.find()]
    for path in (
        *(f"/api/models/{path}" for path in paths),
        "/api/users",
        "/api/users/keys?user_id=ghost",
        "/api/groups",
    ):
        reported = _text_of(await marked_directory.get(path, "root"))
        assert not any(sha256 in reported for sha256 in hashes), path
        assert "grams" not in reported and "sha256" not in reported, path


async def test_no_search_and_no_order_reveals_hidden_values(marked_directory: Directory) -> None:
    visible = (await marked_directory.page("eve"))["total"]
    assert visible == 2
    terms = [MARK, f"{MARK} prompt", f"{MARK} name", f"{MARK}@example.com", f"{MARK}-ghost", f"{MARK}-base", "prompt 2"]
    terms += [f"{MARK} lodge", f"{MARK} text", "deep", HIDDEN, "group:lodge", "user:ghost", "ghost"]
    for term in terms:
        expected = 2 if term in f"{MARK}-owner" else 0
        for prefix in PREFIXES:
            # As one text: of several words, each may occur in something visible.
            asked = {"query": term, "kind": "any"} if prefix.endswith("v1") else {"query": f'"{term}"'}
            page = (await marked_directory.get(f"{prefix}/models/list", "eve", **asked)).json()
            assert (page["total"], len(page["items"])) == (expected, expected), term
            assert (await marked_directory.get(f"{prefix}/models/base", "eve", tag=term)).json() == []
            assert (await marked_directory.get(f"{prefix}/models/list", "eve", tag=term)).json()["total"] == 0
        for selected in ({"filter": {"query": f'"{term}"'}}, {"filter": {"tag": term}}, {"ids": ["none"]}):
            changed = await marked_directory.post("/api/models/bulk/state", "eve", {**selected, "is_active": True})
            assert [one["id"] for one in changed.json()["results"]] in ([], ["none"], [WRITABLE][: expected // 2])
    for field in ORDERS:
        for prefix in PREFIXES:
            answer = await marked_directory.get(f"{prefix}/models/list", "eve", order_by=field)
            assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["query", "order_by"])


FAILURES = {
    "refused by the server": OperationFailure(f"{MARK}: the query", 2, {"errmsg": MARK}),
    "refused by a validator": OperationFailure(MARK, 121, {"errInfo": {"failingDocumentId": MARK}}),
    "too slow": ExecutionTimeout(MARK, 50, {"errmsg": MARK}),
    "gone": AutoReconnect(f"{MARK}:27017"),
    "a mistake of ours": RuntimeError(f"{MARK} in a record"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_no_unexpected_error_reveals_hidden_values(
    marked_directory: Directory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    caplog.set_level(logging.INFO)
    headers = {"Authorization": f"Bearer {await marked_directory.key('eve')}"}

    async def fail(*_: Any, **__: Any) -> Any:
        raise failure

    for name in ("find", "get", "aggregate", "aggregate_encoded"):
        monkeypatch.setattr(marked_directory.database, name, fail)
    for path in (LIST, f"/api/models/model?id={READABLE}", "/api/v1/models/tags", "/api/me"):
        answer = await marked_directory.client.get(path, headers=headers)
        assert answer.status_code in (500, 503, 504), path
        assert MARK not in _text_of(answer)
    # An unexpected error is logged with all details.
    assert MARK not in _logged(caplog) or isinstance(failure, RuntimeError)
