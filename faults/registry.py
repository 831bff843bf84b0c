"""All tests, in the order in which they are run."""

from functools import partial

from faults.report import Section
from faults.scenarios import (
    clock_skew,
    concurrent_changes,
    failover,
    interrupted_changes,
    large_directory,
    mongod_outages,
    network_partition,
    outbound_connections,
    overload,
    read_your_writes,
    resource_limits,
    shutdown_and_probes,
    weak_write_concern,
    write_errors,
)
from faults.suites import (
    ATTACKS,
    DOCUMENTED,
    DRAIN,
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
    (Section(("D1",), "partition of the primary", network_partition.run),),
    (Section(("D2",), "control of the ledger", weak_write_concern.run),),
    (Section(("F6",), "all mongods killed", mongod_outages.run_all_killed),),
    (Section(("O1", "O2"), "more than can be answered", overload.run),),
    (Section(("O3", "S9"), "a large directory", large_directory.run),),
    (
        Section(("F1", "F2", "F3", "F4"), "no majority, lost connections, errors", write_errors.run),
        Section(("D6",), "an import whose MongoDB is killed", interrupted_changes.run_import),
        Section(("D3",), "reading what was written", read_your_writes.run),
        Section(("S11",), "whom the service calls", outbound_connections.run),
        Section(("S10",), DOCUMENTED.test, run_documented),
        *_suites(EXACT, ORACLE, *ATTACKS, IMPORTS, EMBEDDED, DRAIN, HANGS),
        Section(("D6",), "changes of many models that are cut off", interrupted_changes.run),
        Section(("D4", "D5"), "many who change the same", concurrent_changes.run),
    ),
    (
        *_suites(HIDDEN, TAKEOVER),
        Section(("O4", "O7", "F7"), "limits", resource_limits.run),
        Section(("F8",), "clocks that differ", clock_skew.run),
        Section(("O5", "O6"), "ending, and probes", shutdown_and_probes.run),
    ),
    (Section(("F5",), "disks that are full", mongod_outages.run_full_disks),),
)
