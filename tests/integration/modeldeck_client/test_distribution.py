"""The Python client as a package: what is installed, and that it needs nothing else of this project."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.documentation import ROOT
from tests.support.tools import install, output_of_command

USE = """
import sys, modeldeck_client
from importlib.metadata import distribution, packages_distributions
assert packages_distributions()["modeldeck_client"] == ["modeldeck-client"]
print(*sorted(file.name for file in distribution("modeldeck-client").files if file.name in ("py.typed", "LICENSE")))
print([name for name in ("service", "documents", "pydantic", "fastapi", "motor") if name in sys.modules])
print(modeldeck_client.Modeldeck("http://localhost:8000", "mdk_key"))
"""


@pytest.mark.tools
def test_it_installs_from_a_clone_with_httpx_alone(tmp_path: Path) -> None:
    # A build leaves files behind.
    clone = shutil.copytree(ROOT / "client", tmp_path / "client", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    install(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = str(tmp_path / "venv/bin/python")
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    install(*pip, "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(clone), cwd=tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    printed = output_of_command(python, "-c", USE, cwd=tmp_path, env=environment).splitlines()
    assert printed == ["LICENSE py.typed", "[]", "Modeldeck('http://localhost:8000')"]
    freeze = output_of_command(*pip, "freeze", cwd=tmp_path, env=environment)
    names = {line.partition("==")[0].partition(" @")[0] for line in freeze.splitlines()}
    assert {"modeldeck-client", "httpx"} <= names
    assert names <= {"modeldeck-client", "httpx", "httpcore", "h11", "anyio", "certifi", "idna", "typing_extensions"}
