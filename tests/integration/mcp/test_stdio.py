"""An assistant that starts the command itself: what is on which stream, and how it begins and ends."""

import json
import signal
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from service.cli.mcp import NEEDS_EXTRA
from service.mcp.server import NO_ANSWER
from service.mcp.stdio import MAX_CHARACTERS
from tests.integration.mcp.conftest import Service
from tests.support.assistants import Relay, answer_of, by_stdio, refusal_of
from tests.support.commands import CommandLine, finish, free_port

pytestmark = pytest.mark.tools

HANDSHAKE: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "get_model", "arguments": {"id": "org/helper:1"}},
    },
]


def shell_of(folder: Path, **settings: str) -> CommandLine:
    return CommandLine(folder, **settings)


async def test_a_service_that_goes_away_and_comes_back(service: Service, tmp_path: Path) -> None:
    relay = Relay(service.url)
    await relay.start()
    with (tmp_path / "errors").open("w+") as errors:
        async with by_stdio(relay.url, service.keys["rob"], errors) as client:
            assert (await answer_of(client, "search_models"))["total"] == 2
            await relay.stop()
            assert await refusal_of(client, "search_models") == NO_ANSWER
            await relay.start()
            assert (await answer_of(client, "search_models"))["total"] == 2
        await relay.stop()
        errors.seek(0)
        assert errors.read() == ""


def test_standard_output_carries_the_protocol_alone_until_input_ends(service: Service, tmp_path: Path) -> None:
    shell = shell_of(tmp_path, url=service.url, key=service.keys["ann"])
    process = shell.start("mcp", stdin=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("nonsense\n")
    answers = []
    for message in HANDSHAKE:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        if "id" in message:
            answers.append(json.loads(process.stdout.readline()))
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["model"]["id"] == "org/helper:1"
    done = finish(process)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")


def test_a_message_that_is_too_long_is_left_out(service: Service, tmp_path: Path) -> None:
    process = shell_of(tmp_path, url=service.url, key=service.keys["ann"]).start("mcp", stdin=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    long = {**HANDSHAKE[0], "id": 7, "x": "x" * 2 * MAX_CHARACTERS}
    for message in (long, HANDSHAKE[0]):
        process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    done = finish(process)
    assert (done.status, done.stdout) == (0, "")
    assert json.loads(done.stderr)["message"] == f"a message of more than {MAX_CHARACTERS} characters was left out"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_though_input_goes_on(service: Service, tmp_path: Path, how: signal.Signals) -> None:
    process = shell_of(tmp_path, url=service.url, key=service.keys["ann"]).start("mcp", stdin=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(HANDSHAKE[0]) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    process.send_signal(how)
    assert process.wait(60) == -how
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_it_ends_quietly_when_nobody_reads_its_answers(service: Service, tmp_path: Path) -> None:
    process = shell_of(tmp_path, url=service.url, key=service.keys["ann"]).start("mcp", stdin=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        process.stdin.write(json.dumps(HANDSHAKE[0]) + "\n")
        process.stdin.close()
        [line] = process.stderr.read().splitlines()
    assert json.loads(line)["message"] == "the assistant has gone"
    assert process.wait(60) == 0


WRONG = "mdk_0123456789abcdef_" + "0" * 48


@pytest.mark.parametrize(
    ("settings", "arguments", "explained"),
    [
        ({}, [], "MODELDECK_KEY is not set"),
        ({"key": ""}, [], "MODELDECK_KEY is not set"),
        ({"key": WRONG}, [], "does not take the key in MODELDECK_KEY: 401 Unauthorized"),
        ({"key": "two words"}, [], "MODELDECK_KEY: must be an API key"),
        ({"key": WRONG}, ["--url", "ftp://elsewhere"], "MODELDECK_URL or --url: must be the address"),
        ({"key": WRONG}, ["--url", "http://name:secret@127.0.0.1:1"], "url: must be the address"),
        ({"key": WRONG}, ["--url", "CLOSED"], "no answer from Modeldeck: All connection attempts failed"),
        ({"key": WRONG}, ["--url", "URL/docs-of-another"], "404"),
        ({"key": WRONG}, ["--port", "9000"], "need --http"),
        ({"key": WRONG}, ["--http", "--host", "0.0.0.0"], "at 0.0.0.0 others could read"),
        ({"key": WRONG}, ["--http", "--allowed-host", "mcp.example"], "at mcp.example others could read"),
        ({"key": WRONG}, ["--http"], "401 Unauthorized"),
        ({}, ["--http", "--host", "0.0.0.0"], "--allowed-host"),
        ({}, ["--http", "--host", "203.0.113.1"], "Can't listen on"),
        ({}, ["--http", "--url", "elsewhere"], "url: must be the address"),
        ({}, ["--key", WRONG], "No such option"),
    ],
)
def test_what_is_wrong_from_the_start_is_explained(
    service: Service, tmp_path: Path, settings: dict[str, str], arguments: list[str], explained: str
) -> None:
    places = {"CLOSED": f"http://127.0.0.1:{free_port()}", "URL/docs-of-another": f"{service.url}/docs-of-another"}
    done = shell_of(tmp_path, **{"url": service.url, **settings}).run("mcp", *[places.get(a, a) for a in arguments])
    assert (done.status, done.stdout) == (2, "")
    assert explained in done.stderr
    assert "Traceback" not in done.stderr
    if "--key" not in arguments:
        assert "mdk_0" not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("missing", ["mcp", "modeldeck_client"])
def test_without_the_extra_it_says_how_to_install_it(tmp_path: Path, missing: str) -> None:
    with patch.dict(sys.modules, {missing: None}):
        done = shell_of(tmp_path, key=WRONG).run("mcp")
    assert (done.status, done.stdout, done.stderr) == (2, "", f"modeldeck: {NEEDS_EXTRA}\n")
