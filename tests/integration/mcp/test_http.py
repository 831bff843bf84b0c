"""One MCP server for many people: keys, bounds, and who may not ask at all."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.integration.mcp.conftest import Service
from tests.support.assistants import EARLIER, MODERN, ByHttp, answer_of, by_http, refusal_of, serving_mcp
from tests.support.commands import free_port, until

CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "search_models", "arguments": {}},
}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


def sent(server: ByHttp, key: str | None = None, *, method: str = "POST", **more: Any) -> httpx.Response:
    headers = {**HEADERS, **({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
    body: dict[str, Any] = {} if "content" in more or method != "POST" else {"json": CALL}
    return httpx.request(method, server.url, headers=headers, timeout=60, **body, **more)


def found(answer: httpx.Response) -> int:
    total: int = answer.json()["result"]["structuredContent"]["total"]
    return total


@pytest.mark.parametrize("mode", [MODERN, EARLIER])
async def test_people_who_share_a_server_see_their_own(service: Service, by_http_server: ByHttp, mode: str) -> None:
    async with (
        by_http(by_http_server, service.keys["ann"], mode) as ann,
        by_http(by_http_server, service.keys["rob"], mode) as rob,
    ):
        for _ in range(5):
            seen = await asyncio.gather(*(answer_of(one, "search_models") for one in (ann, rob, ann, rob)))
            assert [page["total"] for page in seen] == [3, 2, 3, 2]


@pytest.mark.parametrize("mode", [MODERN, EARLIER])
async def test_a_revoked_key_ends_at_once(service: Service, by_http_server: ByHttp, mode: str) -> None:
    key = service.new_key("ann")
    async with by_http(by_http_server, key["key"], mode) as client:
        assert (await answer_of(client, "search_models"))["total"] == 3
        service.post("/api/users/keys/revoke", "root", {"user_id": "ann", "id": key["id"]})
        assert (await refusal_of(client, "search_models")).startswith("401 Unauthorized: ")


async def test_a_wrong_key_gets_nothing_and_is_not_repeated(service: Service, by_http_server: ByHttp) -> None:
    wrong = "mdk_0123456789abcdef_" + "0" * 48
    async with by_http(by_http_server, wrong) as client:
        refusal = await refusal_of(client, "search_models")
    assert refusal.startswith("401 Unauthorized: ")
    assert wrong not in refusal + by_http_server.logged


def test_nothing_is_kept_between_requests(service: Service, by_http_server: ByHttp) -> None:
    first = sent(by_http_server, service.keys["ann"])
    assert found(first) == 3
    assert "mcp-session-id" not in first.headers
    # Nor is a session taken up that somebody names.
    second = sent(by_http_server, service.keys["rob"], headers={"Mcp-Session-Id": "0" * 32})
    assert (second.status_code, found(second)) == (200, 2)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Basic cm9vdDpyb290", "Bearer a b", "Bearer k\u00e9y", "mdk_x"]
)
def test_a_request_without_a_key_is_not_answered(service: Service, by_http_server: ByHttp, authorization: str) -> None:
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    refused = sent(by_http_server, headers=headers)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.json()["detail"].startswith("A valid API key or token is required")


def test_what_is_not_for_assistants_is_refused(service: Service, by_http_server: ByHttp) -> None:
    key = service.keys["ann"]
    port = httpx.URL(by_http_server.url).port
    assert sent(by_http_server, key, headers={"Host": f"rebound.example:{port}"}).status_code == 421
    for origin in ("https://pages.example", f"http://localhost:{port}", "null"):
        assert sent(by_http_server, key, headers={"Origin": origin}).status_code == 403
    for method in ("GET", "DELETE", "PUT", "OPTIONS"):
        refused = sent(by_http_server, key, method=method)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    large = json.dumps({**CALL, "params": {"name": "x" * 70_000}})
    assert sent(by_http_server, key, content=large, headers={"Content-Type": "application/json"}).status_code == 413
    nested = "[" * 30_000 + "]" * 30_000
    for content in (nested, "nonsense", "[]", '{"jsonrpc": "2.0"}', '{"id": 1e999}'):
        answer = sent(by_http_server, key, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
    assert httpx.get(by_http_server.url.replace("/mcp", "/health/live")).status_code == 204
    assert httpx.get(by_http_server.url.replace("/mcp", "/other")).status_code == 404


def test_the_log_names_requests_and_no_keys(service: Service, by_http_server: ByHttp) -> None:
    assert found(sent(by_http_server, service.keys["ann"], headers={"X-Request-ID": "to-find-it"})) == 3
    # It is logged a moment after it has been answered.
    until(lambda: "to-find-it" in by_http_server.logged, "it is logged")
    [line] = [json.loads(line) for line in by_http_server.logged.splitlines() if "to-find-it" in line]
    assert (line["route"], line["status"]) == ("/mcp", 200)
    assert "mdk_" not in by_http_server.logged


def test_the_key_of_the_server_is_for_requests_without_one(service: Service) -> None:
    service.shell.environment["MODELDECK_KEY"] = service.keys["rob"]
    try:
        with serving_mcp(service.shell, "--url", service.url) as server:
            assert found(sent(server)) == 2
            assert found(sent(server, service.keys["ann"])) == 3
            assert sent(server, headers={"Authorization": "Basic cm9vdDpyb290"}).status_code == 401
            for proxied in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
                assert sent(server, headers={proxied: "203.0.113.7"}).status_code == 401
            assert sent(server, headers={"Host": f"rebound.example:{free_port()}"}).status_code == 421
            server.process.terminate()
            assert server.process.wait(60) == 0
        assert service.keys["rob"] not in server.logged
    finally:
        del service.shell.environment["MODELDECK_KEY"]
