"""The service conforms to its OpenAPI document, for valid and invalid requests generated from it.

A few for each operation with `make check`; thousands, from every phase of Schemathesis, with `python -m faults S10`,
or: SCHEMATHESIS_EXAMPLES=200 pytest -m tools tests/integration/http/test_schemathesis.py
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
import requests
import schemathesis
from pymongo.database import Database as SyncDatabase
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.database.client import Database
from service.settings import Settings
from tests.conftest import DATABASE, MANY_FAILURES
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.examples import Records, fill, restore
from tests.support.openapi_document import DOCUMENT, OPERATIONS, Operation
from tests.support.routes import ENDLESS

pytestmark = pytest.mark.tools

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "1"))
# If set, the folder into which each process writes the number of responses with each status.
ANSWERS_FOLDER = os.environ.get("SCHEMATHESIS_ANSWERS", "")
SECONDS = 120

# A body can match its schema and yet be refused, because it names an absent group or an invalid image.
UNTRUE: list[CheckFunction] = [positive_data_acceptance]

# A generated credential would be replaced by the valid one and then reported as accepted; `ignored_auth` covers it.
CONFIG: dict[str, Any] = {
    "generation": {"with-security-parameters": False},
    # 413 also counts as a refusal.
    "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
}
# The coverage phase tries every deviation from the schemas in turn: as an admin, who is refused least, and only if
# there is time.
WITHOUT_COVERAGE = {**CONFIG, "phases": {"coverage": {"enabled": False}}}
THOROUGH = CONFIG if EXAMPLES > 1 else WITHOUT_COVERAGE
# Schemathesis would wait for the end of an answer that has none.
ENDING = {**DOCUMENT, "paths": {path: paths for path, paths in DOCUMENT["paths"].items() if path not in ENDLESS}}
as_admin = schemathesis.openapi.from_dict(ENDING, config=schemathesis.Config.from_dict(THOROUGH))
as_user = schemathesis.openapi.from_dict(ENDING, config=schemathesis.Config.from_dict(WITHOUT_COVERAGE))
bounded = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    # The requests of one test share a directory, including what earlier ones changed.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


class ExampleDirectory(NamedTuple):
    """A directory with all records that the document's examples name, as it is before each test."""

    records: Records
    keys: dict[str, str]


@pytest.fixture(scope="module")
async def example_directory(
    real_database: Database, raw: SyncDatabase[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> ExampleDirectory:
    settings = Settings(
        _env_file=None, data_dir=tmp_path_factory.mktemp("data"), auth_failures_per_minute=MANY_FAILURES
    )
    async with Directory.on(real_database, settings) as directory:
        records = await fill(directory, raw)
        keys = {user: await directory.key(user) for user in ("u-admin", "u-anna")}
    return ExampleDirectory(records, keys)


class Service(NamedTuple):
    """A running service, and the API keys of its users."""

    url: str
    session: requests.Session
    keys: dict[str, str]

    def conforms(self, case: schemathesis.Case[Any], user: str) -> None:
        """Send one request and check the response against the document."""
        case.call_and_validate(
            base_url=self.url,
            session=self.session,
            headers={"Authorization": f"Bearer {self.keys[user]}"},
            excluded_checks=UNTRUE,
            timeout=SECONDS,
            allow_redirects=False,
        )


@pytest.fixture(scope="module")
def running(
    mongo_uri: str, example_directory: ExampleDirectory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    shell = CommandLine(
        tmp_path_factory.mktemp("served"),
        mongodb_uri=mongo_uri,
        database=DATABASE,
        auth_failures_per_minute=str(MANY_FAILURES),
    )
    with shell.serving() as served, requests.Session() as session:
        answers: Counter[int] = Counter()
        session.hooks["response"].append(lambda answer, **_: answers.update([answer.status_code]))
        yield Service(served.url, session, example_directory.keys)
    if ANSWERS_FOLDER:
        (Path(ANSWERS_FOLDER) / f"{os.getpid()}.json").write_text(json.dumps(answers), encoding="utf-8")


@pytest.fixture
def service(running: Service, example_directory: ExampleDirectory, raw: SyncDatabase[dict[str, Any]]) -> Service:
    """The service with all records restored, so that no test depends on what another one changed."""
    restore(raw, example_directory.records)
    return running


@as_admin.parametrize()
@bounded
def test_it_conforms_to_its_document_for_an_admin(case: schemathesis.Case[Any], service: Service) -> None:
    service.conforms(case, "u-admin")


@as_user.parametrize()
@bounded
def test_it_conforms_to_its_document_for_a_user(case: schemathesis.Case[Any], service: Service) -> None:
    service.conforms(case, "u-anna")


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_the_examples_of_the_document_are_understood(operation: Operation, service: Service) -> None:
    given: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation.definition.get("parameters", ()):
        # A cursor fits only the list that it came from, and a token only its user.
        if "example" in parameter and parameter["name"] not in ("cursor", "since", "Last-Event-ID"):
            example = parameter["example"]
            given[parameter["in"]][parameter["name"]] = str(example).lower() if isinstance(example, bool) else example
    answer = service.session.request(
        operation.method,
        service.url + operation.path.format(**given["path"]),
        params=given["query"],
        headers={"Authorization": f"Bearer {service.keys['u-admin']}", **given["header"]},
        json=next((body["example"] for body in operation.bodies), None),
        timeout=SECONDS,
        allow_redirects=False,
    )
    # The id in an example may already exist, or may not exist in this directory.
    assert answer.status_code in (200, 307, 404, 409), answer.text
