"""`HEAD` is answered like `GET`, without the body and without making all of it."""

from pathlib import Path

import pytest

from documents.user import Role
from service.database.client import Database
from service.exporting.content import BATCH
from service.http.places import LongRequest
from service.settings import Settings
from tests.conftest import Commands
from tests.support.directory import Directory, headers_to_compare, model
from tests.support.openapi_document import DOCUMENT, OPERATIONS
from tests.support.raw_requests import send_raw
from tests.support.routes import ENDLESS

EXPORT = "/api/models/export"
GETS = sorted(operation.path + ENDLESS.get(operation.path, "") for operation in OPERATIONS if operation.method == "GET")


async def test_every_get_has_its_head(mongod: Database, settings: Settings, subtests: pytest.Subtests) -> None:
    async with Directory.on(mongod, settings.model_copy(update={"docs": True})) as directory:
        await directory.user("root", role=Role.ADMIN)
        await directory.get("/api/me", "root")
        await directory.wait_for_last_use("root")
        known = {"Authorization": f"Bearer {await directory.key('root')}"}
        for path in (
            *GETS,
            "/api/health/live",
            "/static/favicon.png",
            "/openapi.json",
            "/absent",
            "/api/models/create",
        ):
            for headers in (known, {}):
                with subtests.test(path, known=bool(headers)):
                    got, head = [
                        await directory.client.request(method, path, headers=headers) for method in ("GET", "HEAD")
                    ]
                    assert (head.status_code, head.content) == (got.status_code, b"")
                    # The metrics count the requests themselves.
                    assert path == "/metrics" or headers_to_compare(head) == headers_to_compare(got)


def test_it_is_not_an_operation_of_its_own() -> None:
    assert not any("head" in operations for operations in DOCUMENT["paths"].values())


@pytest.mark.parametrize("query", ["", "?format=jsonl", "?format=csv"])
async def test_of_an_export_only_the_beginning_is_read(
    directory: Directory, commands: Commands, tmp_path: Path, query: str
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model(f"m{number:03}", "ann") for number in range(4 * BATCH)]}, tmp_path)
    credential = [(b"authorization", f"Bearer {await directory.key('ann')}".encode())]
    commands.clear()
    head = await send_raw(directory.app, "HEAD", EXPORT + query, credential)
    assert (head.status, head.body) == (200, b"")
    assert len(commands.on("models")) == 1
    got = await send_raw(directory.app, "GET", EXPORT + query, credential)
    assert got.body.count(b"m099") >= 1
    # Its place among the exports is free again.
    assert directory.app.state.context.places[LongRequest.STREAM].taken == 0
