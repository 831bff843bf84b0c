"""`python -m benchmarks --quick` measures everything, in a small directory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.list_requests import LIST_REQUESTS
from benchmarks.throughput import ROUTES, WORKERS

SECONDS = 900


@pytest.mark.tools
def test_everything_is_measured_and_compared(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--sizes", "1000", "--json", str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    # 1: a threshold is exceeded, which says nothing about a short run on a busy machine.
    assert done.returncode in {0, 1}, done.stderr
    figures = json.loads(written.read_text())
    [size] = figures["sizes"]
    assert [result["case"] for result in size["results"]] == 2 * [request.name for request in LIST_REQUESTS]
    assert {load["route"] for load in size["throughput"]["alone"]} == set(ROUTES)
    loaded = [(load["workers"], load["route"]) for load in size["throughput"]["loaded"]]
    assert loaded == [(workers, route) for workers in WORKERS for route in ROUTES]
    assert all(load["per_second"] > 0 for load in size["throughput"]["loaded"])
    compared = {one["name"] for one in figures["compared"]}
    assert {"import", "user, first page", "admin, cursor", "GET list"} <= compared
    assert len(compared) == 1 + 2 * len(LIST_REQUESTS) + len(size["routes"]) + len(ROUTES) * (1 + len(WORKERS))
    assert "ratio to the floor" in done.stdout
