"""D6, F9, O2 and S1 to S12: pytest suites that `make test` runs with fewer cases, or not at all."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import ROOT
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row

TIMEOUT_SECONDS = 900
DOCUMENTED_REQUESTS = 20_000
_PASSED = re.compile(r"(\d+) passed")


@dataclass(frozen=True, slots=True)
class Suite:
    """Test files, and the settings that make them try more cases than in `make test`."""

    id: str
    test: str
    files: str
    must_hold: str
    processes: int = 1
    # The pytest markers of the tests that run; by default those that `make test` runs too.
    marks: str = "not faults"
    settings: Mapping[str, str] = field(default_factory=dict)


# Try every case instead of a sample; see `tests.support.every_case`.
_EVERY_CASE = {"EVERY_CASE": "1"}

ORACLE = Suite(
    "S1",
    "5,000 random list requests, all other reads of a random directory, and 300 changes during use, against a naive "
    "checker of the access rule",
    "tests/integration/auth/test_oracle.py tests/integration/auth/test_oracle_reads.py "
    "tests/integration/auth/test_oracle_over_time.py",
    "0 differences; totals count visible models only",
    settings={"ORACLE_REQUESTS": "5000", "ORACLE_SEED": "20261124", **_EVERY_CASE},
)
ATTACKS = (
    Suite(
        "S3",
        "4 users who may write a model try every way to take ownership of it or to share it",
        "tests/integration/auth/test_escalation.py",
        "0 owners, grants or rights changed",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S6",
        "search for hidden values in all answers, the log and the metrics",
        "tests/integration/auth/test_markers.py",
        "0 found; no search and no sort order reveals them",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S7",
        "fields that no client may set, at each place in each body",
        "tests/integration/http/test_mass_assignment.py",
        "422 that names them, or no effect; 0 stored",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S8",
        "MongoDB operators and expressions at each place in each request",
        "tests/integration/http/test_operators.py",
        "no 5xx; the database gets them as plain values",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S9",
        "regular expressions as search terms in a small directory, in each search",
        "tests/integration/listing/test_regex_bombs.py",
        "they match as plain text only",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S11",
        "each invalid image, by each route to a model",
        "tests/integration/models/test_image_attacks.py",
        "422, or not imported and reported; no connection is opened",
        settings=_EVERY_CASE,
    ),
)
FOLLOWING = Suite(
    "C2",
    "1,500 random changes of models, grants, groups and roles, while followers come and go, against a naive reader of "
    "all lists; 40 times out of a group and back while others change its model",
    "tests/integration/changes",
    "0 missed, 0 shown twice, 0 shown that may not be seen",
    settings=_EVERY_CASE,
)
SAMPLED = Suite(
    "S12",
    "each malformed record, and concurrent changes and deletions of users, groups and models more often",
    "tests/integration/people tests/integration/models tests/integration/indexes tests/integration/doctor "
    "tests/integration/importing tests/integration/http/test_slow_requests.py",
    "as with `make test`, which tries a sample of them",
    processes=2,
    marks="not faults and not tools",
    settings=_EVERY_CASE,
)
TAKEOVER = Suite(
    "S4",
    "60 imports onto ids of models of others, who change, delete and create them at the same time",
    "tests/integration/importing/test_takeover.py",
    "0 fields of others changed",
    settings={"TAKEOVER_ROUNDS": "60"},
)
HIDDEN = Suite(
    "S5",
    "each route requested 500 times for a hidden and a missing model, alternately",
    "tests/integration/auth/test_hidden_and_absent.py",
    "same status, headers and body; medians less than 1 ms apart",
    settings={"TIMED_PAIRS": "500"},
)
EXACT = Suite(
    "S10",
    "500 hostile values for ids, names, params and meta, others for each field of each body, and 120 directories "
    "exported and imported again",
    "tests/integration/http/test_exact_values.py tests/integration/http/test_hostile_values.py "
    "tests/integration/exporting/test_export_roundtrip.py",
    "no 5xx; accepted values are returned exactly",
    settings={"HOSTILE_EXAMPLES": "500", **_EVERY_CASE},
)
IMPORTS = Suite(
    "D6",
    "imports by the command line that are killed or interrupted 10 times each, or whose mongod is killed 3 times or "
    "stays down; also with --atomic; requests with an idempotency key whose service is killed",
    "tests/integration/importing/test_import_crashes.py tests/integration/middleware/test_cancelled_requests.py "
    "tests/integration/idempotency/test_killed_service.py",
    "nothing left open; repeated: all as requested; repeated once more: 0 changes; with --atomic all or nothing; "
    "the lock of a killed import is waited for",
    marks="faults",
)
EMBEDDED = Suite(
    "F9",
    "commands that are killed or interrupted while their embedded mongod starts, runs or stops, and one that hangs",
    "tests/integration/embedded_mongo/test_embedded.py",
    "the next command is not blocked; no mongod is left running, and none that is only busy is stopped",
    marks="faults",
)
DRAIN = Suite(
    "O5",
    "SIGTERM to a service of two workers with a request in flight; a worker that is killed with a request in flight",
    "tests/integration/middleware/test_drain.py tests/integration/cli/test_serve.py "
    "tests/integration/observability/test_logs.py tests/integration/observability/test_tracing.py",
    "not ready first, new requests are still served, those in flight are finished; the metrics of a killed worker stay",
    marks="faults",
)
HANGS = Suite(
    "O2",
    "mongod hangs during 20 lists and 20 changes at once; whether the driver notices",
    "tests/integration/middleware/test_overload.py tests/integration/database/test_hung_mongod.py",
    "503 or 504 by the deadline + 3 s; works again afterwards; noticed within 8 s",
    marks="faults",
)
DOCUMENTED = Suite(
    "S10",
    "valid and invalid requests generated from the OpenAPI document",
    "tests/integration/http/test_schemathesis.py",
    f"at least {DOCUMENTED_REQUESTS:,}, no 5xx, every answer as documented",
    processes=2,
    marks="tools",
    settings={"SCHEMATHESIS_EXAMPLES": "230", **_EVERY_CASE},
)


def run_suite(suite: Suite, workspace: Workspace) -> Iterator[Row]:
    """Yield the row of a suite."""
    yield _run(workspace, suite)


def _run(workspace: Workspace, suite: Suite, **more: str) -> Row:
    folder = workspace.folder_for(suite.id.lower())
    environment = {**os.environ, **suite.settings, **more}
    workers = ["--numprocesses", str(suite.processes)] if suite.processes > 1 else []
    command = [*END_WITH_PARENT, sys.executable, "-m", "pytest", f"--basetemp={folder / 'tests'}", "-m", suite.marks]
    command += [*workers, *suite.files.split()]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    seconds = time.monotonic() - began
    (folder / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    passed = _PASSED.search(done.stdout)
    problems = [line for line in done.stdout.splitlines() if line.startswith(("E  ", "FAILED", "ERROR"))]
    if done.returncode != 0 and not problems:
        problems = [f"pytest ended with status {done.returncode}"]
    measured = f"{passed[1] if passed else 'no'} tests passed in {seconds:.0f} s"
    return checked_row(suite.id, suite.test, measured, suite.must_hold, problems if done.returncode != 0 else [])


def run_documented(workspace: Workspace) -> Iterator[Row]:
    """Yield the row of the requests generated from the OpenAPI document, which also counts them."""
    counts = workspace.folder_for("answer-counts")
    row = _run(workspace, DOCUMENTED, SCHEMATHESIS_ANSWERS=str(counts))
    answers: Counter[str] = Counter()
    for file in counts.iterdir():
        answers.update(json.loads(file.read_text(encoding="utf-8")))
    total, failed = sum(answers.values()), sum(n for status, n in answers.items() if status.startswith("5"))
    problems = [row.reason] if row.reason else []
    problems += [f"{total:,} requests were sent"] if total < DOCUMENTED_REQUESTS else []
    problems += [f"{failed} answers 5xx"] if failed else []
    yield checked_row(
        row.id, row.test, f"{total:,} requests, {failed} answers 5xx; {row.measured}", row.must_hold, problems
    )
