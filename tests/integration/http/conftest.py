"""A directory with few places, for tests of requests that take long."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from documents.user import Role
from service.database.client import Database
from tests.conftest import settings_in
from tests.support.directory import Directory, grant, model

# Places for two requests of each kind, one for each user; eight requests in flight.
FEW = {"max_in_flight": 8}


@pytest.fixture
async def busy(mongod: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    """A directory with few places: the admins root and other, and the users ann, ben and cat, with models of ann."""
    async with Directory.on(mongod, settings_in(tmp_path).model_copy(update=FEW)) as directory:
        await directory.group("team")
        for admin in ("root", "other"):
            await directory.user(admin, role=Role.ADMIN)
        for user in ("ann", "ben", "cat"):
            await directory.user(user, groups=["team"])
        shared = [model(f"m{n}", "ann", access_grants=[grant("group:team")]) for n in range(6)]
        await directory.load({"models": shared}, tmp_path)
        yield directory
