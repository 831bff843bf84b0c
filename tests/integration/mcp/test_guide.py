"""The configurations and commands of docs/mcp.md work as they are, and what it says of the tools is so."""

import json
import os
import re
import shlex
import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from service.mcp.arguments import MAX_PAGE_SIZE, SearchArguments
from service.mcp.http_app import MAX_BODY_BYTES, MAX_IN_FLIGHT, REQUEST_SECONDS
from service.mcp.shortening import MAX_FIELD, MAX_TEXT
from service.mcp.tools import TOOLS
from tests.integration.mcp.conftest import Service
from tests.support.assistants import answer_of, by_http, serving_mcp
from tests.support.commands import MODELDECK
from tests.support.documentation import ROOT, blocks
from tests.support.tools import install, output_of_command

GUIDE = ROOT / "docs/mcp.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def configurations() -> list[Any]:
    """Return the servers that the guide configures."""
    return [json.loads(block)["mcpServers"]["modeldeck"] for block in blocks(GUIDE, "json")]


@pytest.mark.tools
async def test_the_configuration_of_a_command(service: Service, tmp_path: Path) -> None:
    shown, _ = configurations()
    assert shown["env"].keys() == {"MODELDECK_URL", "MODELDECK_KEY"}
    env = {"MODELDECK_URL": service.url, "MODELDECK_KEY": service.keys["rob"], "PATH": str(Path(MODELDECK).parent)}
    parameters = StdioServerParameters(command=shown["command"], args=shown["args"], env=env, cwd=tmp_path)
    with (tmp_path / "errors").open("w") as errors:
        async with Client(stdio_client(parameters, errors)) as client:
            assert (await answer_of(client, "search_models"))["total"] == 2


def test_a_key_for_an_assistant(service: Service) -> None:
    _, command, _ = blocks(GUIDE, "sh")
    environment = {**os.environ, "URL": service.url, "KEY": service.keys["rob"]}
    made = json.loads(output_of_command("bash", "-euc", command, env=environment))
    assert made["scope"] == "read"
    assert made["key"].startswith("mdk_")
    assert 0 <= time.time() + 90 * 86_400 - made["expires_at"] < 60


async def test_the_command_and_the_configuration_for_http(service: Service) -> None:
    _, _, command = blocks(GUIDE, "sh")
    program, *arguments = shlex.split(command)
    port, url = "8001", "http://127.0.0.1:8000"
    assert (program, arguments) == ("modeldeck", ["mcp", "--http", "--port", port, "--url", url])
    _, shown = configurations()
    assert shown["url"] == f"http://127.0.0.1:{port}/mcp"
    assert shown["headers"].keys() == {"Authorization"}
    with serving_mcp(service.shell, "--url", service.url) as server:
        async with by_http(server, service.keys["ann"]) as client:
            assert (await answer_of(client, "search_models"))["total"] == 3


def test_the_tools_and_bounds_are_those_of_the_guide() -> None:
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == [*TOOLS]
    paging = {"order_by", "direction", "page_size"}
    named = {field.alias or name for name, field in SearchArguments.model_fields.items()} - paging
    [row] = [line for line in TEXT.splitlines() if line.startswith("| `search_models`")]
    assert {*re.findall(r"`(\w+)`", row)} - {"search_models"} == named
    one_key = MAX_IN_FLIGHT - MAX_IN_FLIGHT // 8
    assert f"at most {MAX_PAGE_SIZE} a page" in TEXT
    assert f"texts over {MAX_TEXT:,} characters are cut, and so is a field over {MAX_FIELD:,}" in TEXT
    bounds = f"{MAX_IN_FLIGHT} requests at a time, of which one key has at most {one_key}; "
    assert bounds + f"bodies of {MAX_BODY_BYTES // 1024} KB; {REQUEST_SECONDS:.0f} seconds" in TEXT


@pytest.mark.tools
def test_the_extra_needs_nothing_that_is_not_on_a_package_index(tmp_path: Path) -> None:
    command, *_ = blocks(GUIDE, "sh")
    assert "'.[mcp]'" in command
    # A build leaves files behind.
    clone = tmp_path / "clone"
    for name in ("documents", "indexes", "service", "client"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    install(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(clone), cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert {"service/mcp/server.py", "modeldeck_client/asynchronous.py"} <= {*files.namelist()}
        [metadata] = [files.read(name).decode() for name in files.namelist() if name.endswith("/METADATA")]
    needed = re.findall(r"^Requires-Dist: ([\w-]+).*; extra == ['\"]mcp['\"]$", metadata, re.MULTILINE)
    assert sorted(needed) == ["httpx", "mcp"]
