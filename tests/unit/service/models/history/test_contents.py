"""The content at a version while old revisions are being removed."""

from typing import Any, cast

import pytest

from service.database.client import Database
from service.errors import NotFoundError
from service.models.history.contents import History, content_at

RECORD = {
    **{"user_id": "ann", "base_model_id": None, "name": "3", "params": {}, "meta": {}},
    **{"access_grants": [], "is_active": True, "version": 3},
}


class Losing:
    """A database with revisions of the versions 2 and 3, of which the first is removed when they are read."""

    def __init__(self) -> None:
        self._recorded = 2

    async def find(self, *_: Any, **__: Any) -> list[Any]:
        return []

    async def aggregate(self, *_: Any) -> list[dict[str, Any]]:
        self._recorded = 1
        return [{"field": "name", "value": "2", "absent": False}]

    async def count(self, *_: Any) -> int:
        return self._recorded


async def test_a_version_is_not_guessed_when_a_revision_is_removed_meanwhile() -> None:
    with pytest.raises(NotFoundError):
        await content_at(cast(Database, Losing()), History("m", 0, RECORD), 1)
