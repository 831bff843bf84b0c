"""The metrics of several processes are combined, also while some of them start."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from service.observability import metrics


async def test_the_file_of_a_process_that_has_not_filled_it_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newcomer = tmp_path / "counter_1.db"
    newcomer.touch()

    def fill(_: float) -> None:
        file = MmapedDict(str(newcomer))
        file.write_value(mmap_key("modeldeck_things_total", "modeldeck_things_total", [], [], "Things."), 3.0, 0.0)
        file.close()

    monkeypatch.setattr(metrics, "time", SimpleNamespace(sleep=fill))
    monkeypatch.setenv(metrics.SHARED_FOLDER, str(tmp_path))
    assert b"modeldeck_things_total 3.0" in await metrics.Metrics().rendered()
