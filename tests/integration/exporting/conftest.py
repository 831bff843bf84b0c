"""Fixtures of the tests of exports."""

from pathlib import Path

import pytest

from tests.support.commands import CommandLine
from tests.support.export_samples import BUNDLE
from tests.support.import_samples import write_source


@pytest.fixture
def filled(shell: CommandLine, tmp_path: Path) -> CommandLine:
    shell.ok("import", str(write_source(tmp_path, BUNDLE)))
    return shell
