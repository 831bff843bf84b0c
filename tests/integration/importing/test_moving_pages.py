"""The pages on sources: their commands are run on a small file of the kind, first the rehearsal and then the import."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.importing import SourceFormat
from tests.support import postgres
from tests.support.catalogue_sources import LIBRECHAT, MODELFILES, MODELS_DEV
from tests.support.commands import CommandLine
from tests.support.directory import model
from tests.support.documentation import ROOT, blocks
from tests.support.import_samples import EXPORT, IMPORTABLE, PRICES, Raw, write_source
from tests.support.litellm_configurations import A_MODEL
from tests.support.litellm_databases import make_litellm_database
from tests.support.model_answers import OLLAMA_TAGS, OPENROUTER
from tests.support.openwebui_databases import make_database
from tests.support.web_server import answering, web_server

PAGES = ROOT / "docs" / "migrating"


def _modelfiles(folder: Path) -> None:
    (folder / "models").mkdir()
    for name, content in MODELFILES.items():
        write_source(folder, content, f"models/{name}")


def _users_map(folder: Path, *there: str) -> None:
    write_source(folder, "from,to\n" + "".join(f"{user},ann@example.com\n" for user in there), "users.csv")


def _openwebui_export(folder: Path) -> None:
    write_source(folder, EXPORT, "models.json")
    _users_map(folder, "somebody")


def _openwebui_database(folder: Path) -> None:
    make_database(folder / "webui.db", *IMPORTABLE)
    _users_map(folder, "ann", "ben")


def _bundle(folder: Path) -> None:
    write_source(folder, {"models": [model("m", "somebody")]}, "bundle.json")
    _users_map(folder, "somebody")


FILES: dict[str, tuple[SourceFormat, Any]] = {
    "litellm": (SourceFormat.LITELLM, ("config.yaml", {"proxy_config": {"model_list": [A_MODEL]}})),
    "litellm-prices": (SourceFormat.LITELLM_PRICES, ("model_prices_and_context_window.json", PRICES)),
    "open-webui-export": (SourceFormat.OPENWEBUI, _openwebui_export),
    "open-webui-database": (SourceFormat.OPENWEBUI_DB, _openwebui_database),
    "bundle": (SourceFormat.MODELDECK, _bundle),
    "model-lists": (SourceFormat.OPENAI_MODELS, ("models.json", OPENROUTER)),
    "ollama": (SourceFormat.OLLAMA, ("tags.json", OLLAMA_TAGS)),
    "modelfiles": (SourceFormat.MODELFILE, _modelfiles),
    "librechat": (SourceFormat.LIBRECHAT, ("librechat.yaml", LIBRECHAT["everything"])),
    "models-dev": (SourceFormat.MODELS_DEV, ("api.json", MODELS_DEV["two providers"])),
}


def run_commands(
    shell: CommandLine, store: Raw, page: str, wanted: str, real: Callable[[str], str] = lambda word: word
) -> None:
    """Run the two commands of a page, with what is theirs alone put in place of words."""
    shell.ok("user", "add", "--id", "ann", "--email", "ann@example.com", "--name", "Ann", "--role", "admin")
    [block] = blocks(PAGES / f"{page}.md", "sh")
    lines = [line for line in block.splitlines() if line.startswith("modeldeck ")]
    rehearsal, command = ([real(word) for word in shlex.split(line)[1:]] for line in lines)
    assert [word for word in rehearsal if word not in command] == ["--dry-run"]
    rehearsed = shell.ok(*rehearsal)
    assert rehearsed.startswith(f"read as {wanted}, since ")
    changes = re.search(r"\n(\d+ changes?), had this not been a dry run\Z", rehearsed)
    assert changes is not None
    assert store["models"].count_documents({}) == 0
    assert shell.ok(*command).endswith(f"\n{changes[1]}")
    assert shell.ok(*command).endswith("\n0 changes")
    assert store["models"].count_documents({"user_id": "ann"}) > 0


def test_every_page_has_its_commands_tried() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {*FILES, "litellm-database", "web-addresses"}
    index = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    assert all(f"(migrating/{path.name})" in index for path in PAGES.glob("*.md"))


@pytest.mark.parametrize("page", FILES)
def test_the_commands_of_a_page_import_a_file_of_its_kind(
    shell: CommandLine, store: Raw, tmp_path: Path, page: str
) -> None:
    wanted, content = FILES[page]
    if callable(content):
        content(tmp_path)
    else:
        name, held = content
        write_source(tmp_path, held, name)
    run_commands(shell, store, page, wanted)


@pytest.mark.skipif(postgres.program_folder() is None, reason="there is no PostgreSQL on this machine")
def test_the_commands_of_the_page_on_litellm_import_a_database(shell: CommandLine, store: Raw) -> None:
    programs = postgres.program_folder()
    assert programs is not None
    with postgres.running(programs) as address:
        url = make_litellm_database(address, "page", [("m1", "gpt-4o", {"rpm": 5}, {"access_groups": ["beta"]})])
        run_commands(
            shell, store, "litellm-database", "litellm-db", lambda word: url if word.startswith("postgresql:") else word
        )


def test_the_commands_of_the_page_on_addresses_fetch_a_file(shell: CommandLine, store: Raw) -> None:
    shell.environment["SERVICE_HEADER"] = "Authorization: Bearer key"
    with web_server(answering(json.dumps(OPENROUTER).encode())) as server:
        run_commands(
            shell, store, "web-addresses", "openai-models", lambda word: server.url() if "://" in word else word
        )
    assert all("Authorization: Bearer key" in request for request in server.requests)
