"""All tests, in the order in which they are run."""

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
    suites,
)
from faults.report import Section

SECTIONS = (
    Section(("D1",), "failover of the primary", failover.run),
    Section(("D1",), "partition of the primary", partition.run),
    Section(("D2",), "control of the ledger", control.run),
    Section(("D3",), "reading what was written", reads.run),
    Section(("D6",), "changes of many models that are cut off", crashes.run),
    Section(("F1", "F2", "F3", "F4"), "no majority, lost connections, errors", answers.run),
    Section(("F6",), "all mongods killed", disasters.run_killed),
    Section(("O1", "O2"), "more than can be answered", overload.run),
    Section(("O3", "S9"), "a large directory", many.run),
    Section(("S11",), "whom the service calls", outward.run),
    Section(("S1", "S4", "S5", "S10"), "access and hostile input", suites.run),
    Section(("D4", "D5"), "many who change the same", contention.run),
    Section(("O4", "O7", "F7"), "limits", limits.run),
    Section(("F8",), "clocks that differ", clock.run),
    Section(("O5", "O6"), "ending, and probes", leaving.run),
    Section(("F5",), "disks that are full", disasters.run_full),
)
