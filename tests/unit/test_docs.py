"""The documentation agrees with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from indexes.dictionary.page import data_page
from service.cli.command_line import LazyCommand, modeldeck
from service.importing.records import ImportedModel
from service.listing.params import ListParams
from service.settings import PREFIX, Settings
from tests.support.client_types import TYPES, client_types
from tests.support.documentation import ROOT, blocks
from tests.support.permission_matrix import COMPATIBLE_CASES
from tests.support.routes import COMPATIBLE

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "client/README.md"]


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    documented = {name: (default.strip("`"), meaning) for name, default, meaning in rows}
    expected = {}
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        expected[f"{PREFIX}{name.upper()}"] = (default, field.description)
    assert documented == expected


def test_variables_named_anywhere_exist() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{PREFIX}SECRETS_DIR"}
    files = [*DOCUMENTS, ROOT / "docker-compose.yml", ROOT / "Dockerfile"]
    named = {name for path in files for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))}
    assert named <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(path, "sh"):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["make"]:
                assert words[1] in targets
            elif words and words[0].endswith("modeldeck"):
                command: Any = modeldeck
                for word in words[1:]:
                    if word.startswith("--"):
                        assert word in {option for parameter in command.params for option in parameter.opts}, line
                    elif word in getattr(command, "commands", {}):
                        found = command.commands[word]
                        command = found.load() if isinstance(found, LazyCommand) else found


def test_the_data_dictionary_is_what_make_docs_would_write() -> None:
    page = data_page(ROOT / "docs/queries")
    assert page == (ROOT / "docs/data.md").read_text(encoding="utf-8"), "it is stale; run: make docs"


def test_the_types_of_the_python_client_are_what_make_docs_would_write() -> None:
    assert client_types() == TYPES.read_text(encoding="utf-8"), "they are stale; run: make docs"


def test_files_named_in_decisions_exist() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        for name in re.findall(r"`((?:tests|service|documents|indexes)/[\w/*.]+)`", path.read_text(encoding="utf-8")):
            assert list(ROOT.glob(name)), f"{path.name}: {name}"


def test_the_answer_in_the_readme_has_the_shape_of_an_answer() -> None:
    [answer] = blocks(ROOT / "README.md", "json")
    page = json.loads(answer)
    assert page.keys() == {"items", "total", "next_cursor"}
    shown = page["items"][0].keys()
    assert shown == (ImportedModel.model_fields.keys() | {"write_access", "user"})


def test_the_parameters_of_the_list_are_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{field.alias or name}`" in text for name, field in ListParams.model_fields.items())


def test_the_bundle_of_the_documentation_is_a_bundle() -> None:
    bundle, lines = blocks(ROOT / "docs/importing.md", "json")
    assert bundle == (ROOT / "docs/example-bundle.json").read_text(encoding="utf-8")
    assert json.loads(bundle).keys() == {"users", "groups", "models"}
    assert {json.loads(line)["kind"] for line in lines.splitlines()} == {"user", "model"}


def test_the_routes_of_the_compatibility_page_exist() -> None:
    text = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    routes = {
        part: re.findall(r"^\| `([A-Z]+) (/[^`?]+)", section, re.MULTILINE)
        for part, section in (block.split("\n", 1) for block in text.split("\n## ")[1:])
    }
    existing = {(route.method, route.inner.removeprefix("/models")) for route in COMPATIBLE}
    assert set(routes["Route by route"]) <= existing
    only_compatible = {tuple(name.replace(" /models", " ").split(" ")) for name in COMPATIBLE_CASES}
    assert only_compatible <= set(routes["Route by route"])
    assert len(routes["Route by route"]) == 20
