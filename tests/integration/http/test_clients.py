"""Clients of the running service: the examples of docs/clients.md and of other pages, and generated clients."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from modeldeck_client import Modeldeck
from modeldeck_client.types import Model
from tests.support.commands import CommandLine, Served
from tests.support.documentation import ROOT, blocks
from tests.support.tools import INSTALL_SECONDS, install, output_of_command

GUIDE = ROOT / "docs/clients.md"
CLIENTS = ROOT / "tests/clients"
WRONG = """
// @ts-expect-error: no such parameter
await client.GET("/api/models/list", { params: { query: { surprise: 1 } } });
// @ts-expect-error: no name
await client.POST("/api/models/create", { body: { id: "a", name: 1 } });
// @ts-expect-error: no such path
await client.GET("/api/models/surprise");
"""
# mypy also reports a comment that ignores nothing.
WRONG_PYTHON = """
client.page(surprise=1)  # type: ignore[call-arg]
client.models(kind="other")  # type: ignore[call-overload]
some: Iterator[Model] = client.models(fields="name")  # type: ignore[assignment]
client.create({"id": "a"})  # type: ignore[typeddict-item]
client.get("a")["surprise"]  # type: ignore[typeddict-item]
client.change("a", lambda model: {"name": "b"})  # type: ignore[arg-type]
client.get("a", unless_version=1)["name"]  # type: ignore[index]
"""


@pytest.fixture(scope="module")
def demo(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service with the demo catalogue, as `make run` starts it."""
    settings = {"mongodb_uri": mongo_uri, "database": "modeldeck_clients", "docs": "true"}
    shell = CommandLine(tmp_path_factory.mktemp("demo"), data_dir="data", **settings)
    with shell.serving("--demo") as served:
        yield served


@pytest.fixture(scope="module")
def environment(demo: Served) -> dict[str, str]:
    return {**os.environ, "URL": demo.url, "KEY": demo.key}


@pytest.fixture(scope="module")
def api(demo: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo.url, headers={"Authorization": f"Bearer {demo.key}"}, timeout=30) as client:
        yield client


def shown(language: str) -> list[str]:
    return blocks(GUIDE, language)


def test_curl(api: httpx.Client, environment: dict[str, str]) -> None:
    _, used, refused, _, menu = shown("sh")
    listed, created = output_of_command("bash", "-euc", used, env=environment).replace("}{", "}\n{").splitlines()
    names = [model["name"] for model in json.loads(listed)["items"]]
    assert len(names) >= 2
    assert names == sorted(names, key=str.lower)
    assert json.loads(created) == api.get("/api/models/model", params={"id": "query-explainer"}).json()
    [answer] = shown("json")
    assert json.loads(output_of_command("bash", "-euc", refused, env=environment)) == json.loads(answer)
    assert "query-explainer" in output_of_command("bash", "-euc", menu, env=environment)


def test_every_list_that_the_page_on_the_list_shows_finds_models(environment: dict[str, str]) -> None:
    for example in blocks(ROOT / "docs/listing.md", "sh"):
        for line in example.splitlines():
            assert json.loads(output_of_command("bash", "-euc", line, env=environment))["items"], line


def test_a_patch_keeps_what_it_does_not_name_and_a_request_that_is_sent_again_is_done_once(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    patch, create = blocks(ROOT / "docs/http.md", "sh")
    before = api.get("/api/models/model", params={"id": "sql-tuning"}).json()
    patched = json.loads(output_of_command("bash", "-euc", patch, env=environment))
    assert patched["meta"] == {**before["meta"], "description": "Reads query plans."}
    answers = [output_of_command("bash", "-euc", create, env=environment) for _ in range(2)]
    assert answers[0] == answers[1]
    assert json.loads(answers[0])["version"] == 1


def test_the_requests_that_the_page_on_changes_shows_get_the_change(environment: dict[str, str]) -> None:
    [example] = blocks(ROOT / "docs/changes.md", "sh")
    answer = output_of_command("bash", "-euc", example, env=environment)
    [event] = [part for part in answer.split("\n\n") if "event: " in part]
    named = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(("retry", ":")))
    assert named["event"] == "updated"
    assert json.loads(named["data"])["id"] == "sql-tuning"


def test_python(api: httpx.Client, environment: dict[str, str]) -> None:
    before = api.get("/api/models/model", params={"id": "sql-tuning"}).json()["version"]
    custom = api.get("/api/models/list", params={"kind": "custom", "page_size": 1}).json()["total"]
    counted, tagged, patched, shared, problem, *reasons = output_of_python("\n".join(shown("python")), environment)
    assert counted == f"{custom} models have a base model"
    # There was nothing to remove.
    assert int(tagged) == int(patched) == before + 1
    assert "'principal_id': 'g-staff', 'permission': 'read'" in shared
    assert problem.startswith("422 [{'loc': ['body', 'name']")
    assert len(reasons) == api.get("/api/models/list", params={"query": "sql"}).json()["total"] >= 2


def test_python_that_keeps_a_copy(api: httpx.Client, demo: Served) -> None:
    shown_there: dict[str, Any] = {"Modeldeck": Modeldeck, "Model": Model}
    exec(shown("python")[1], shown_there)
    with Modeldeck(demo.url, demo.key) as client, closing(shown_there["copies"](client)) as copies:
        assert len(next(copies)) == api.get("/api/models/list").json()["total"] > 300
        client.create({"id": "to-be-copied", "name": "N"})
        assert next(copies)["to-be-copied"]["name"] == "N"
        client.delete("to-be-copied")
        assert "to-be-copied" not in next(copies)


def test_the_page_of_the_python_client(demo: Served, api: httpx.Client, environment: dict[str, str]) -> None:
    [example] = blocks(ROOT / "client/README.md", "python")
    names = {model["name"] for model in api.get("/api/models/list", params={"tag": "sql"}).json()["items"]}
    own = {**environment, "MODELDECK_URL": demo.url, "MODELDECK_KEY": demo.key}
    assert {line.partition(" ")[2] for line in output_of_python(example, own)} == names


def output_of_python(program: str, environment: dict[str, str]) -> list[str]:
    strict = (sys.executable, "-W", "error::DeprecationWarning", "-W", "error::ResourceWarning")
    return output_of_command(*strict, "-c", program, env=environment).splitlines()


@pytest.mark.tools
def test_mypy_knows_what_the_python_client_takes_and_gives(environment: dict[str, str], tmp_path: Path) -> None:
    use = tmp_path / "use.py"
    use.write_text("\n".join([*shown("python"), WRONG_PYTHON]))
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    output_of_command(sys.executable, "-m", "mypy", str(use), env=environment, cwd=tmp_path)


@pytest.mark.tools
def test_a_generated_python_client(environment: dict[str, str], tmp_path: Path) -> None:
    tools, package = tmp_path / "tools", tmp_path / "generated_client"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install(*pip, "--target", str(tools), "--requirement", str(CLIENTS / "requirements.txt"), cwd=tmp_path)
    found = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    client_environment = {**environment, "PATH": found, "PYTHONPATH": f"{tools}{os.pathsep}{tmp_path}"}
    arguments = ["--config", str(CLIENTS / "openapi-python-client.yaml"), "--output-path", str(package)]
    document = f"{environment['URL']}/openapi.json"
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    output_of_command(*generate, "--url", document, *arguments, env=client_environment)

    use = str(CLIENTS / "use_generated.py")
    assert output_of_command(sys.executable, use, env=client_environment) == "done\n"
    checked = {**client_environment, "PYTHONPATH": "", "MYPYPATH": client_environment["PYTHONPATH"]}
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        os.devnull,
        "--warn-unused-ignores",
        "--follow-imports",
        "silent",
    ]
    output_of_command(*mypy, "--cache-dir", str(tmp_path / "mypy"), use, env=checked, seconds=INSTALL_SECONDS)


@pytest.mark.tools
def test_openais_own_client(api: httpx.Client, environment: dict[str, str], tmp_path: Path) -> None:
    install(sys.executable, "-m", "venv", "tools", cwd=tmp_path)
    pip = [str(tmp_path / "tools/bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    install(*pip, "--requirement", str(CLIENTS / "requirements-openai.txt"), cwd=tmp_path)
    menu = [model["id"] for model in api.get("/v1/models").json()["data"]]
    python = str(tmp_path / "tools/bin/python")
    assert output_of_command(python, "-c", "\n".join(shown("py")), env=environment) == f"{menu}\n"
    assert output_of_command(python, str(CLIENTS / "use_openai.py"), env=environment) == "done\n"


@pytest.mark.tools
def test_typescript(api: httpx.Client, environment: dict[str, str], tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    install("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=tmp_path)
    [generate] = [line for line in shown("sh")[3].splitlines() if line.startswith("npx openapi-typescript")]
    output_of_command("bash", "-euc", generate, cwd=tmp_path, env=environment)
    [example] = shown("ts")
    (tmp_path / "example.ts").write_text(example)
    (tmp_path / "wrong.ts").write_text(example + WRONG)
    for module, resolution in (("esnext", "bundler"), ("nodenext", "nodenext")):
        options = ["--strict", "--target", "es2022", "--module", module, "--moduleResolution", resolution]
        compiler = ["npx", "tsc", *options, "--outDir", module]
        output_of_command(*compiler, "example.ts", "wrong.ts", cwd=tmp_path, env=environment)

        printed = output_of_command("node", f"{module}/example.js", cwd=tmp_path, env=environment)
        *listed, version, fault = printed.splitlines()
        assert len(listed) == api.get("/api/models/list", params={"query": "sql"}).json()["total"] >= 2
        assert int(version) == api.get("/api/models/model", params={"id": "sql-tuning"}).json()["version"]
        assert fault == "body.name must not be blank"
