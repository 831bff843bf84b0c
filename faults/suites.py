"""D6, F9, O2 and S1 to S11: tests of `make test` that have more to do here than there, or no time at all there."""

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

SECONDS = 900
DOCUMENTED_REQUESTS = 20_000
_PASSED = re.compile(r"(\d+) passed")


@dataclass(frozen=True, slots=True)
class Suite:
    """A module of tests, and how much it has to do."""

    id: str
    test: str
    module: str
    must_hold: str
    processes: int = 1
    # Which of its tests are run; by default those that `make test` runs too.
    marks: str = "not faults"
    settings: Mapping[str, str] = field(default_factory=dict)


# See `tests.support.effort`.
_EVERY_CASE = {"EVERY_CASE": "1"}

ORACLE = Suite(
    "S1",
    "5,000 random requests to the list, all other reads of a random directory, and 300 changes of one in use, against "
    "a naive checker",
    "tests/integration/auth/test_oracle.py tests/integration/auth/test_oracle_reads.py "
    "tests/integration/auth/test_oracle_over_time.py",
    "0 differences; the totals are what can be seen",
    settings={"ORACLE_REQUESTS": "5000", "ORACLE_SEED": "20261124", **_EVERY_CASE},
)
ATTACKS = (
    Suite(
        "S3",
        "each of 4 who may write a model tries each way to own it or to share it",
        "tests/integration/auth/test_escalation.py",
        "0 owners, grants or rights changed",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S6",
        "what is hidden is looked for in all answers, the log and the metrics",
        "tests/integration/auth/test_markers.py",
        "0 found; no search and no order finds out",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S7",
        "fields that nobody may set, in each place of each body",
        "tests/integration/http/test_mass_assignment.py",
        "422 with their names, or no effect; 0 stored",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S8",
        "operators and expressions in each place of each request",
        "tests/integration/http/test_operators.py",
        "no 5xx; they reach the database as values",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S9",
        "patterns in each search of a small directory",
        "tests/integration/listing/test_regex_bombs.py",
        "they find what they are a part of",
        settings=_EVERY_CASE,
    ),
    Suite(
        "S11",
        "each image that is none, by each way to a model",
        "tests/integration/models/test_image_attacks.py",
        "422, or left behind and reported; nobody is called",
        settings=_EVERY_CASE,
    ),
)
TAKEOVER = Suite(
    "S4",
    "60 races of imports onto the ids of others, who change, delete and make them anew",
    "tests/integration/importing/test_takeover.py",
    "0 foreign fields changed",
    settings={"TAKEOVER_ROUNDS": "60"},
)
HIDDEN = Suite(
    "S5",
    "each route asked 500 times for a hidden and an absent model, in turns",
    "tests/integration/auth/test_hidden_and_absent.py",
    "status, headers and body alike; medians less than 1 ms apart",
    settings={"TIMED_PAIRS": "500"},
)
EXACT = Suite(
    "S10",
    "500 hostile values for ids, names, params and meta; more in each field of each body; 120 directories exported and "
    "imported again",
    "tests/integration/http/test_exact_values.py tests/integration/http/test_hostile_values.py "
    "tests/integration/exporting/test_export_roundtrip.py",
    "no 5xx; what is accepted comes back exactly",
    settings={"HOSTILE_EXAMPLES": "500", **_EVERY_CASE},
)
IMPORTS = Suite(
    "D6",
    "imports by the command line that are killed or interrupted 10 times each, or whose mongod is killed 3 times or "
    "stays away; with --atomic too",
    "tests/integration/importing/test_import_crashes.py tests/integration/middleware/test_cancelled_requests.py",
    "nothing open; done again: all as asked, 0 changes when done once more; of --atomic all or nothing; "
    "what a killed one has locked is waited for",
    marks="faults",
)
EMBEDDED = Suite(
    "F9",
    "commands that are killed or interrupted while their embedded mongod starts, runs or stops, and one that hangs",
    "tests/integration/embedded_mongo/test_embedded.py",
    "the next command is not blocked; no mongod is left, and none is stopped that is only busy",
    marks="faults",
)
DRAIN = Suite(
    "O5",
    "SIGTERM to a service of two workers with a request in flight",
    "tests/integration/middleware/test_drain.py",
    "not ready first, who comes is still served, what was begun is finished",
    marks="faults",
)
HANGS = Suite(
    "O2",
    "mongod hangs: 20 lists and 20 changes at once, and the driver that watches it",
    "tests/integration/middleware/test_overload.py tests/integration/database/test_hung_mongod.py",
    "503 or 504 by the deadline + 3 s, all goes on afterwards; noticed within 8 s",
    marks="faults",
)
DOCUMENTED = Suite(
    "S10",
    "requests made from the OpenAPI document, right and wrong",
    "tests/integration/http/test_schemathesis.py",
    f"at least {DOCUMENTED_REQUESTS:,}, no 5xx, every answer as documented",
    processes=2,
    settings={"SCHEMATHESIS_EXAMPLES": "230"},
)


def run_suite(suite: Suite, place: Workspace) -> Iterator[Row]:
    """Yield the row of a suite."""
    yield _run(place, suite)


def _run(place: Workspace, suite: Suite, **more: str) -> Row:
    folder = place.folder_for(suite.id.lower())
    environment = {**os.environ, **suite.settings, **more}
    spread = ["--numprocesses", str(suite.processes)] if suite.processes > 1 else []
    command = [*END_WITH_PARENT, sys.executable, "-m", "pytest", f"--basetemp={folder / 'tests'}", "-m", suite.marks]
    command += [*spread, *suite.module.split()]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    seconds = time.monotonic() - began
    (folder / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    passed = _PASSED.search(done.stdout)
    broken = [line for line in done.stdout.splitlines() if line.startswith(("E  ", "FAILED", "ERROR"))]
    if done.returncode != 0 and not broken:
        broken = [f"pytest ended with status {done.returncode}"]
    measured = f"{passed[1] if passed else 'no'} tests passed in {seconds:.0f} s"
    return checked_row(suite.id, suite.test, measured, suite.must_hold, broken if done.returncode != 0 else [])


def run_documented(place: Workspace) -> Iterator[Row]:
    """Yield the row of the suite that counts its requests."""
    told = place.folder_for("answers-told")
    row = _run(place, DOCUMENTED, SCHEMATHESIS_ANSWERS=str(told))
    answers: Counter[str] = Counter()
    for file in told.iterdir():
        answers.update(json.loads(file.read_text(encoding="utf-8")))
    total, failed = sum(answers.values()), sum(n for status, n in answers.items() if status.startswith("5"))
    broken = [row.reason] if row.reason else []
    broken += [f"{total:,} requests were sent"] if total < DOCUMENTED_REQUESTS else []
    broken += [f"{failed} answers 5xx"] if failed else []
    yield checked_row(
        row.id, row.test, f"{total:,} requests, {failed} answers 5xx; {row.measured}", row.must_hold, broken
    )
