"""Moving in from services that only list their models: each is tried first, then imported, and once more."""

from pathlib import Path

import pytest

from documents.user import Role
from service.importing import ImportOutcome
from tests.support.catalogue_sources import SAMPLES, write_sample
from tests.support.directory import Directory
from tests.support.import_samples import Raw, dump, imported

EACH = [(wanted, name) for wanted, samples in SAMPLES.items() for name in samples]


@pytest.mark.parametrize(("wanted", "name"), EACH)
async def test_a_rehearsal_says_what_is_done_and_a_second_run_does_nothing(
    directory: Directory, raw: Raw, tmp_path: Path, wanted: str, name: str
) -> None:
    await directory.user("root", role=Role.ADMIN)
    path = write_sample(tmp_path, wanted, name)
    results = []
    for dry_run in (True, False):
        async with imported(directory, path, owner_id="root", dry_run=dry_run, whole_report=True) as report:
            assert report.fatal is None
            results.append((report.changes, report.summary(), list(report.results())))
    assert results[0] == results[1]
    before = dump(raw)
    async with imported(directory, path, owner_id="root") as report:
        assert report.changes == 0
    assert dump(raw) == before
    stored = list(raw["models"].find())
    assert len(stored) == results[0][1].get("model", {}).get(ImportOutcome.CREATED, 0)
    assert {model["user_id"] for model in stored} <= {"root"}
    assert [model["_id"] for model in stored if model["access_grants"]] == []
