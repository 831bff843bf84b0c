"""Models that people change while they are imported: only those that were changed are decided again."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from service.database.client import Database
from service.importing.plan import OnConflict, Prune
from service.importing.writers import models, pruning
from service.models.store import PlannedWrite
from service.models.store import store_planned as stores
from tests.support.import_samples import imported, write_source
from tests.support.keeping import UPDATE
from tests.support.team import Team

COUNT = 40
# More at once are always changed by somebody.
CALM = 3


@pytest.fixture
def busy(team: Team, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """People who change a model of each large batch just before it is written; return how many each write had."""
    written: list[int] = []

    async def store(database: Database, planned: Sequence[PlannedWrite], *args: Any, **options: Any) -> list[int]:
        if len(planned) > CALM:
            model_id = planned[len(written) % len(planned)].model_id
            await team.by_hand(UPDATE, {"id": model_id, "meta": {"description": f"by hand {len(written)}"}})
        written.append(len(planned))
        return await stores(database, planned, *args, **options)

    def begin() -> list[int]:
        for module in (models, pruning):
            monkeypatch.setattr(module, "store_planned", store)
        return written

    return begin


def _models(name: str, count: int = COUNT) -> dict[str, Any]:
    models = [{"id": f"m{number:02}", "name": name, "params": {"top_p": 1}, "meta": {}} for number in range(count)]
    return {"models": models}


def _options(source: str | None, **options: Any) -> dict[str, Any]:
    policy = OnConflict.MERGE if source else OnConflict.UPDATE
    return {"owner_id": "root", "source": source, "on_conflict": policy, "whole_report": True, **options}


@pytest.mark.parametrize("source", ["prod", None], ids=["in step", "without a source"])
async def test_edits_by_hand_do_not_end_an_import(
    team: Team, busy: Callable[[], list[int]], source: str | None
) -> None:
    folder, options = team.shell.folder, _options(source)
    async with imported(team.directory, write_source(folder, _models("First")), **options) as report:
        assert report.changes == COUNT
    written = busy()
    async with imported(team.directory, write_source(folder, _models("Second")), **options) as report:
        assert (report.clean, report.changes) == (True, COUNT)
        results = list(report.results())
    assert [result.id for result in results] == [model["id"] for model in _models("")["models"]]
    assert team.raw["models"].distinct("name") == ["Second"]
    assert len(written) < COUNT
    # In step, what people did meanwhile stays.
    edited = team.raw["models"].count_documents({"meta.description": {"$exists": True}})
    assert (edited > 0) == (source is not None)


async def test_edits_by_hand_do_not_end_the_retiring(team: Team, busy: Callable[[], list[int]]) -> None:
    folder, options = team.shell.folder, _options("prod", prune=Prune())
    async with imported(team.directory, write_source(folder, _models("First")), **options) as report:
        assert report.changes == COUNT
    busy()
    async with imported(team.directory, write_source(folder, _models("First", count=1)), **options) as report:
        assert (report.clean, report.changes) == (True, COUNT - 1)
    assert team.raw["models"].count_documents({"is_active": False}) == COUNT - 1


async def test_a_model_that_is_changed_all_the_time_is_given_up(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def store(database: Database, planned: Sequence[PlannedWrite], *args: Any, **options: Any) -> list[int]:
        team.raw["models"].update_one({"_id": "slow"}, {"$inc": {"version": 1}})
        return await stores(database, planned, *args, **options)

    team.keep()
    team.entries["slow"]["name"] = "Slower"
    team.write()
    monkeypatch.setattr(models, "store_planned", store)
    done = team.shell.run("import", "models.json", "--source", "prod", "--owner", "root")
    assert (done.status, "changed by others all the time" in done.stderr) == (2, True)
