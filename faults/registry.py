"""All fault tests, in the order in which they run."""

from functools import partial

from faults.pytest_suites import (
    ATTACKS,
    DOCUMENTED,
    DRAIN,
    EMBEDDED,
    EXACT,
    FOLLOWING,
    HANGS,
    HIDDEN,
    IMPORTS,
    ORACLE,
    SAMPLED,
    TAKEOVER,
    Suite,
    run_documented,
    run_suite,
)
from faults.report import Section
from faults.scenarios import (
    clock_skew,
    concurrent_changes,
    failover,
    followers,
    greed,
    greed_controls,
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


def _suites(*suites: Suite) -> tuple[Section, ...]:
    return tuple(Section((suite.id,), suite.test, partial(run_suite, suite)) for suite in suites)


# Groups run one after another; within a group, two sections run at the same time. Only sections that do not disturb
# each other share a group: they measure no times, need less than one core each, or compare times measured side by side.
GROUPS: tuple[tuple[Section, ...], ...] = (
    (Section(("D1",), "failover of the primary", failover.run),),
    (Section(("D1",), "network partition of the primary", network_partition.run),),
    (Section(("C1",), "followers of changes", followers.run),),
    (Section(("D2",), "control: writes without a majority", weak_write_concern.run),),
    (Section(("F6",), "all mongods killed", mongod_outages.run_all_killed),),
    (Section(("O1", "O2"), "overload, and a database that hangs", overload.run),),
    (Section(("G1", "G2", "G3", "G4", "G5", "G6"), "greedy callers", greed.run),),
    (Section(("G1", "G2", "G3", "G4", "G5", "G6"), "controls: greedy callers without bounds", greed_controls.run),),
    (Section(("O3", "S9"), "a large directory", large_directory.run),),
    (
        Section(
            ("F1", "F2", "F3", "F4"),
            "writes without a majority, with lost connections and with errors",
            write_errors.run,
        ),
        Section(("D6",), "an import during which MongoDB is killed", interrupted_changes.run_import),
        Section(("D3",), "reading one's own writes", read_your_writes.run),
        Section(("S11",), "outbound connections", outbound_connections.run),
        Section(("S10",), DOCUMENTED.test, run_documented),
        *_suites(EXACT, FOLLOWING, ORACLE, SAMPLED, *ATTACKS, IMPORTS, EMBEDDED, DRAIN, HANGS),
        Section(("D6",), "changes of many models during which the service is killed", interrupted_changes.run),
        Section(("D4", "D5"), "concurrent changes of the same model", concurrent_changes.run),
    ),
    (
        *_suites(HIDDEN, TAKEOVER),
        Section(("O4", "O7", "F7"), "resource limits", resource_limits.run),
        Section(("F8",), "clock skew", clock_skew.run),
        Section(("O5", "O6"), "graceful shutdown, and health probes", shutdown_and_probes.run),
    ),
    (Section(("F5",), "full disks", mongod_outages.run_full_disks),),
)
