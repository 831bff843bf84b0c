"""Fixtures of the tests of imports."""

from pathlib import Path

import pytest

from documents.user import Role
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.import_samples import Raw
from tests.support.team import Team


@pytest.fixture
async def team(directory: Directory, raw: Raw, mongo_uri: str, tmp_path: Path) -> Team:
    """An admin `root`, the user `ann`, the groups `ops` and `legal`, and a file with two models."""
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    for group in ("ops", "legal"):
        await directory.group(group)
    return Team(directory, raw, CommandLine(tmp_path, mongodb_uri=mongo_uri, database=directory.database.name))
