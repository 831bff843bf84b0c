"""D3: whoever has written sees it at once, in one model and in the list, while a secondary lags behind."""

from collections.abc import Iterator

import httpx

from faults.place import Place
from faults.report import Row, judged, progress
from faults.services import Installation, Service

ROUNDS = 500
# What an administrator of a database may have written into its URI.
PLAIN, WEAKENING = "", "&readPreference=secondaryPreferred&w=1&retryWrites=false"
MUST_HOLD = "0 stale, whatever the URI says"


def run(place: Place) -> Iterator[Row]:
    """Yield a row for a plain URI, and for one that asks for less."""
    with place.replica_set() as replica_set:
        for number, options in enumerate((PLAIN, WEAKENING)):
            uri = replica_set.uri + options
            installation = Installation(place.folder_for("reads"), uri, f"faults_reads_{number}")
            with (
                installation.serving() as service,
                replica_set.secondaries()[0].failing("rsSyncApplyStop"),
                service.client() as client,
            ):
                stale = [problem for round_ in range(ROUNDS) if (problem := _round(client, round_))]
            replica_set.whole()
            progress(f"D3: {len(stale)} of {ROUNDS} stale")
            test = f"write, get, list while a secondary applies nothing (rsSyncApplyStop){_named(options)}"
            measured = f"{len(stale)} of {ROUNDS} rounds stale"
            yield judged("D3", test, measured, MUST_HOLD, stale + installation.problems())


def _named(options: str) -> str:
    return f"; URI with {options[1:].replace('&', ', ')}" if options else ""


def _round(client: httpx.Client, number: int) -> str:
    """Write, and return what is not seen of it."""
    model_id, name = f"probe-{number % 50}", f"Probe {number:05}"
    route = "/api/models/create" if number < 50 else "/api/models/model/update"
    wrote = client.post(route, json={"id": model_id, "name": name})
    if wrote.status_code != 200:
        return f"the write was answered {wrote.status_code}"
    got = client.get("/api/models/model", params={"id": model_id})
    if got.status_code != 200 or got.json()["name"] != name:
        return f"{model_id} was read as it had been"
    listed = client.get("/api/models/list", params={"query": name})
    if listed.status_code != 200 or [item["name"] for item in listed.json()["items"]] != [name]:
        return f"{model_id} was listed as it had been"
    return ""


def asked(service: Service) -> list[str]:
    """Return which of the reads do not work."""
    broken = []
    with service.client(5.0) as client:
        for path in ("/api/models/list", "/api/models/export", "/api/me", "/health/live", "/health/ready"):
            try:
                status = client.get(path).status_code
            except httpx.HTTPError as error:
                broken.append(f"{path}: {type(error).__name__}")
            else:
                broken += [f"{path} was answered {status}"] if status != 200 else []
    return broken
