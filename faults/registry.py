"""All tests, in the order in which they are run."""

from functools import partial

from faults import (
    answers,
    clock,
    contention,
    control,
    crashes,
    disasters,
    failover,
    leaving,
    limits,
    many,
    outward,
    overload,
    partition,
    reads,
)
from faults.report import Section
from faults.suites import (
    DOCUMENTED,
    EMBEDDED,
    EXACT,
    HANGS,
    HIDDEN,
    IMPORTS,
    ORACLE,
    TAKEOVER,
    Suite,
    run_documented,
    run_suite,
)


def _suites(*suites: Suite) -> tuple[Section, ...]:
    return tuple(Section((suite.id,), suite.test, partial(run_suite, suite)) for suite in suites)


# One after another, as they stand; those of one group two at a time. These measure no times, or such that two cores do
# for both, or hold against each other what was measured at the same time.
GROUPS: tuple[tuple[Section, ...], ...] = (
    (Section(("D1",), "failover of the primary", failover.run),),
    (Section(("D1",), "partition of the primary", partition.run),),
    (Section(("D2",), "control of the ledger", control.run),),
    (Section(("F6",), "all mongods killed", disasters.run_killed),),
    (Section(("O1", "O2"), "more than can be answered", overload.run),),
    (Section(("O3", "S9"), "a large directory", many.run),),
    (
        Section(("F1", "F2", "F3", "F4"), "no majority, lost connections, errors", answers.run),
        Section(("D6",), "an import whose MongoDB is killed", crashes.run_import),
        Section(("D3",), "reading what was written", reads.run),
        Section(("S11",), "whom the service calls", outward.run),
        Section(("S10",), DOCUMENTED.test, run_documented),
        *_suites(EXACT, ORACLE, IMPORTS, EMBEDDED, HANGS),
        Section(("D6",), "changes of many models that are cut off", crashes.run),
        Section(("D4", "D5"), "many who change the same", contention.run),
    ),
    (
        *_suites(HIDDEN, TAKEOVER),
        Section(("O4", "O7", "F7"), "limits", limits.run),
        Section(("F8",), "clocks that differ", clock.run),
        Section(("O5", "O6"), "ending, and probes", leaving.run),
    ),
    (Section(("F5",), "disks that are full", disasters.run_full),),
)
