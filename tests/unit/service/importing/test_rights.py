"""An import writes nothing more once its caller has lost rights."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from service.database.client import Database
from service.errors import RightsChangedError
from service.importing.plan import ImportOptions
from service.importing.records import ImportedGroup, ImportedUser
from service.importing.report import Report
from service.importing.writers.groups import GroupWriter
from service.importing.writers.users import UserWriter


class Unwritable:
    """A database with a user and a group of other names, in which nothing may be written."""

    async def find(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"_id": "x", "name": "Old", "email": EMAIL, "keys": {"email": EMAIL}}]


EMAIL = "x@example.com"
DATABASE = cast(Database, Unwritable())


async def lost() -> None:
    """Find that the caller has lost rights."""
    raise RightsChangedError


OPTIONS = ImportOptions(check=lost)


@pytest.fixture
def report() -> Iterator[Report]:
    report = Report()
    yield report
    report.close()


async def test_no_user_is_written(report: Report) -> None:
    users = UserWriter(DATABASE, OPTIONS, report)
    await users.add("line 1", ImportedUser.model_validate({"id": "x", "name": "New", "email": EMAIL}))
    with pytest.raises(RightsChangedError):
        await users.finish()


async def test_neither_a_group_nor_its_members_are_written(report: Report) -> None:
    groups = GroupWriter(DATABASE, OPTIONS, report)
    groups.add("line 1", ImportedGroup.model_validate({"id": "x", "name": "New"}))
    with pytest.raises(RightsChangedError):
        await groups.finish(UserWriter(DATABASE, OPTIONS, report).existing)
    with pytest.raises(RightsChangedError):
        await groups._change_members("x", ["x"], "$addToSet")
