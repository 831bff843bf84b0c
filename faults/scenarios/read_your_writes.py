"""D3: a client sees its own write at once, in the model and in the list, while a secondary lags."""

from collections.abc import Iterator

import httpx

from faults.environment.service import DEFAULT_URI_OPTIONS, WEAKENING_URI_OPTIONS, Installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress

ROUNDS = 500
MODELS = 50
MUST_HOLD = "0 stale, whatever the options of the URI"


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield a row for a default URI, and for one whose options weaken reads and writes."""
    with workspace.replica_set() as replica_set:
        for number, options in enumerate((DEFAULT_URI_OPTIONS, WEAKENING_URI_OPTIONS)):
            uri = replica_set.uri + options
            installation = Installation(workspace.folder_for("reads"), uri, f"faults_reads_{number}")
            with (
                installation.serving() as service,
                replica_set.secondaries()[0].failpoint("rsSyncApplyStop"),
                service.client() as client,
            ):
                stale = [problem for round_ in range(ROUNDS) if (problem := _write_and_read(client, round_))]
            replica_set.wait_until_healthy()
            progress(f"D3: {len(stale)} of {ROUNDS} stale")
            test = f"write, get, list while a secondary applies nothing (rsSyncApplyStop){_options_text(options)}"
            measured = f"{len(stale)} of {ROUNDS} rounds stale"
            yield checked_row("D3", test, measured, MUST_HOLD, stale + installation.doctor_problems())


def _options_text(options: str) -> str:
    return f"; URI with {options[1:].replace('&', ', ')}" if options else ""


def _write_and_read(client: httpx.Client, number: int) -> str:
    """Write a model, then read it; return what was read without the change, or an empty string."""
    model_id, name = f"probe-{number % MODELS}", f"Probe {number:05}"
    route = "/api/models/create" if number < MODELS else "/api/models/model/update"
    written = client.post(route, json={"id": model_id, "name": name})
    if written.status_code != 200:
        return f"the write was answered {written.status_code}"
    got = client.get("/api/models/model", params={"id": model_id})
    if got.status_code != 200 or got.json()["name"] != name:
        return f"{model_id} was read without the change"
    listed = client.get("/api/models/list", params={"query": name})
    if listed.status_code != 200 or [item["name"] for item in listed.json()["items"]] != [name]:
        return f"{model_id} was listed without the change"
    return ""
