"""What an assistant gets from each tool, over HTTP: what the API shows the user of the key, and no more."""

import json
from typing import Any

import pytest
from mcp.types import CallToolResult

from service.mcp.arguments import MAX_PAGE_SIZE
from tests.integration.mcp.conftest import LONG_PROMPT, Service
from tests.support.assistants import EARLIER, MODERN, ByHttp, answer_of, by_http, refusal_of, text_of
from tests.support.import_samples import dump

PEOPLE = ["root", "ann", "rob"]
MODEL = "org/helper:1"
HIDDEN, ABSENT = "novel", "no-such-model"
OF_ONE_MODEL: list[tuple[str, dict[str, Any]]] = [
    ("get_model", {}),
    ("read_value", {"pointer": "/params/system"}),
    ("explain_access", {}),
    ("explain_access", {"user_id": "rob"}),
    ("model_history", {}),
]
TOOLS = {*(name for name, _ in OF_ONE_MODEL), "who_am_i", "search_models", "recent_changes"}


@pytest.mark.parametrize("mode", [MODERN, EARLIER])
async def test_all_tools_only_read_and_say_so(service: Service, by_http_server: ByHttp, mode: str) -> None:
    async with by_http(by_http_server, service.keys["rob"], mode) as client:
        tools = (await client.list_tools()).tools
        assert client.instructions is not None
        assert "never instructions" in client.instructions
        assert {tool.name for tool in tools} == TOOLS
        for tool in tools:
            hints = tool.annotations
            assert hints is not None
            assert (hints.read_only_hint, hints.destructive_hint, hints.open_world_hint) == (True, False, False)
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema is not None
            assert tool.description
        capabilities = client.server_capabilities
        assert (capabilities.prompts, capabilities.resources, capabilities.completions) == (None, None, None)


@pytest.mark.parametrize("person", PEOPLE)
async def test_lists_hold_what_the_user_may_see(service: Service, by_http_server: ByHttp, person: str) -> None:
    expected = service.get("/api/models/list", person, order_by="name", direction="asc")
    async with by_http(by_http_server, service.keys[person]) as client:
        me = service.get("/api/me", person)
        mine = {name: me[name] for name in ("id", "name", "email", "role", "group_ids")}
        assert await answer_of(client, "who_am_i") == {**mine, "groups": len(mine["group_ids"])}
        found = await answer_of(client, "search_models")
        recent = await answer_of(client, "recent_changes", updated_since="2020-01-01T00:00:00Z")
    assert [model["id"] for model in found["models"]] == [item["id"] for item in expected["items"]]
    assert {model["id"] for model in recent["models"]} == {item["id"] for item in expected["items"]}
    assert found["total"] == recent["total"] == expected["total"] == (2 if person == "rob" else 3)
    [shown] = [model for model in found["models"] if model["id"] == MODEL]
    [item] = [item for item in expected["items"] if item["id"] == MODEL]
    assert shown["owner"] == {"id": "ann", "name": "Ann"}
    assert (shown["description"], shown["tags"]) == ("Explains queries.", ["sql", "data"])
    assert shown["write_access"] is item["write_access"] is (person != "rob")
    assert shown["updated_at"].endswith("Z")


async def test_every_filter_reaches_the_list(service: Service, by_http_server: ByHttp) -> None:
    filters: list[dict[str, Any]] = [
        {"query": "sql helper"},
        {"query": "explains", "in": "description", "order_by": "relevance"},
        {"tag": ["SQL", "data"]},
        {"owner": ["ann@example.com"], "kind": "custom"},
        {"base_model_id": ["openai/gpt-4.1"]},
        {"capability": ["vision"], "is_active": True},
        {"view_option": "created", "kind": "custom"},
    ]
    async with by_http(by_http_server, service.keys["ann"]) as client:
        for given in filters:
            assert [one["id"] for one in (await answer_of(client, "search_models", **given))["models"]] == [MODEL]
        assert (await answer_of(client, "search_models", group=["none"], direction="desc"))["models"] == []
        first = await answer_of(client, "search_models", page_size=2)
        second = await answer_of(client, "search_models", page_size=2, cursor=first["next_cursor"])
    assert sorted(model["id"] for page in (first, second) for model in page["models"]) == ["hostile", "novel", MODEL]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("person", PEOPLE)
async def test_a_model_is_shown_as_the_api_shows_it(service: Service, by_http_server: ByHttp, person: str) -> None:
    async with by_http(by_http_server, service.keys[person]) as client:
        shown = await answer_of(client, "get_model", id=MODEL)
        result = await client.call_tool("get_model", {"id": MODEL})
    assert shown == {"model": service.get("/api/models/model", person, id=MODEL), "cut": []}
    assert bool(shown["model"]["params"]) is (person != "rob")
    # What clients without structured content read.
    assert isinstance(result, CallToolResult)
    assert json.loads(text_of(result)) == shown


async def test_a_long_model_is_cut_and_can_be_read_in_parts(service: Service, by_http_server: ByHttp) -> None:
    async with by_http(by_http_server, service.keys["ann"]) as client:
        shown = await answer_of(client, "get_model", id="novel")
        assert len(json.dumps(shown)) < 25_000
        cut = {one["pointer"]: one["characters"] for one in shown["cut"]}
        assert cut.keys() == {"/meta/description", "/params/system", "/params/stop"}
        assert cut["/params/system"] == len(LONG_PROMPT)
        assert LONG_PROMPT.startswith(shown["model"]["params"]["system"])
        parts, offset = [], 0
        while offset is not None:
            part = await answer_of(client, "read_value", id="novel", pointer="/params/system", offset=offset)
            parts.append(part["text"])
            offset = part["next_offset"]
        assert "".join(parts) == LONG_PROMPT
        assert "at this place" in await refusal_of(client, "read_value", id="novel", pointer="/params/none")
        page = await answer_of(client, "search_models", query="novel")
        assert len(page["models"][0]["description"]) == 300


async def test_access_and_history_are_explained_to_the_owner(service: Service, by_http_server: ByHttp) -> None:
    async with by_http(by_http_server, service.keys["ann"]) as client:
        readers = await answer_of(client, "explain_access", id=MODEL)
        one = await answer_of(client, "explain_access", id=MODEL, user_id="rob")
        history = await answer_of(client, "model_history", id=MODEL)
    assert [reader["user"]["id"] for reader in readers["readers"]] == ["ann", "rob", "root"]
    assert (readers["total"], readers["explanation"]) == (3, None)
    assert one["explanation"]["user"] == {"id": "rob", "name": "Rob"}
    assert (one["explanation"]["can_read"], one["explanation"]["can_write"]) == (True, False)
    [created] = history["changes"]
    assert (created["by"], created["change"], created["version"]) == ("ann", "create", 1)


async def test_readers_are_refused_what_the_api_refuses_them(service: Service, by_http_server: ByHttp) -> None:
    async with by_http(by_http_server, service.keys["rob"]) as client:
        assert (await refusal_of(client, "explain_access", id=MODEL)).startswith("403 Forbidden: ")
        assert (await refusal_of(client, "model_history", id=MODEL)).startswith("403 Forbidden: ")
        own = await answer_of(client, "explain_access", id=MODEL, user_id="rob")
    assert own["explanation"]["paths"][0]["kind"] == "user"


async def test_a_hidden_model_looks_like_an_absent_one(service: Service, by_http_server: ByHttp) -> None:
    async with by_http(by_http_server, service.keys["rob"]) as client:
        for tool, arguments in OF_ONE_MODEL:
            hidden = await refusal_of(client, tool, id=HIDDEN, **arguments)
            assert hidden == await refusal_of(client, tool, id=ABSENT, **arguments)
            assert hidden.startswith("404 Not Found: ")
        assert (await answer_of(client, "search_models", query="novel"))["total"] == 0


async def test_what_others_have_written_stays_data(service: Service, by_http_server: ByHttp) -> None:
    async with by_http(by_http_server, service.keys["rob"]) as client:
        result = await client.call_tool("search_models", {"query": "ignore"})
    assert isinstance(result, CallToolResult)
    answer = json.loads(text_of(result))
    assert (answer["total"], len(answer["models"])) == (1, 1)
    assert answer["models"][0]["name"] == service.get("/api/models/model", "rob", id="hostile")["name"]


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("search_models", {"page_size": MAX_PAGE_SIZE + 1}, "page_size"),
        ("search_models", {"page_size": 0}, "page_size"),
        ("search_models", {"kind": {"$ne": None}}, "kind"),
        ("search_models", {"tag": ["x"] * 21}, "tag"),
        ("search_models", {"tags": ["sql"]}, "tags"),
        ("search_models", {"query": "x" * 129}, "query"),
        ("search_models", {"query": "a\0b"}, "query"),
        ("search_models", {"order_by": "relevance"}, "order_by"),
        ("search_models", {"cursor": "nonsense"}, "cursor"),
        ("search_models", {"cursor": "x&fields=params"}, "cursor"),
        ("recent_changes", {"updated_since": "yesterday"}, "updated_since"),
        ("get_model", {}, "id"),
        ("get_model", {"id": ["a"]}, "id"),
        ("get_model", {"id": "x" * 257}, "id"),
        ("get_model", {"id": "a\r\nHost: elsewhere"}, "id"),
        ("read_value", {"id": MODEL, "pointer": "params"}, "pointer"),
        ("read_value", {"id": MODEL, "pointer": "/params", "offset": -1}, "offset"),
        ("explain_access", {"id": MODEL, "user_id": ""}, "user_id"),
        ("model_history", {"id": MODEL, "page": 0}, "page"),
        ("delete_model", {"id": MODEL}, "no such tool"),
    ],
)
async def test_bad_arguments_are_named(
    service: Service, by_http_server: ByHttp, tool: str, arguments: dict[str, Any], named: str
) -> None:
    async with by_http(by_http_server, service.keys["ann"]) as client:
        refusal = await refusal_of(client, tool, **arguments)
    assert named in refusal
    assert "Traceback" not in refusal
    assert "pydantic" not in refusal


async def test_nothing_changes_even_with_a_key_that_may_write(service: Service, by_http_server: ByHttp) -> None:
    # The last use of a key is stored.
    before = dump(service.stored, "api_keys")
    async with by_http(by_http_server, service.keys["root"]) as client:
        for tool, arguments in OF_ONE_MODEL:
            await answer_of(client, tool, id=MODEL, **arguments)
        await answer_of(client, "search_models")
        await answer_of(client, "recent_changes")
    assert dump(service.stored, "api_keys") == before
