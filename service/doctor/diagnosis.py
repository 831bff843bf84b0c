"""What the doctor found: counts and examples of each kind of problem, and how many were repaired."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 10


class Kind(StrEnum):
    """The kinds of problem, worded as in the output."""

    INTERRUPTED_DELETION = "interrupted deletions"
    STALE_KEYS = "stale derived keys"
    INTERRUPTED_CHANGE = "interrupted changes"
    REPEATED_EMAIL = "emails of several users"
    BROKEN_ORIGIN = "origins that can't be read"
    REPEATED_ORIGIN = "origins of several models"
    NON_TEXT_ID = "ids that are not text"
    MALFORMED = "malformed records"
    ABSENT_GRANTEE = "grants to users or groups that do not exist"
    TOO_LARGE = "records beyond the size limit"
    ORPHANED_HISTORY = "histories without a model"
    LARGE = "records near the size limit"
    NO_OWNER = "models without an owner"


# These can occur in normal operation: they are reported, but do not change the exit status.
WARNINGS = frozenset({Kind.LARGE, Kind.NO_OWNER})


@dataclass(slots=True)
class Finding:
    """All problems of one kind: how many were found, how many were repaired, and the first few as examples."""

    count: int = 0
    repaired: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Diagnosis:
    """What the doctor found; `repair` is set if it repairs."""

    repair: bool = False
    progress: Callable[[int], None] = lambda _: None
    examined: int = 0
    findings: dict[Kind, Finding] = field(default_factory=dict)

    def count_examined(self, documents: int) -> None:
        """Count documents that have been examined."""
        self.examined += documents
        self.progress(self.examined)

    def add(self, kind: Kind, example: str, count: int = 1) -> None:
        """Count a problem, and keep the first few of each kind as examples."""
        finding = self.findings.setdefault(kind, Finding())
        finding.count += count
        if len(finding.examples) < EXAMPLES:
            finding.examples.append(example)

    def wants_example(self, kind: Kind) -> bool:
        """Return whether the next problem of this kind would be kept as an example."""
        return kind not in self.findings or len(self.findings[kind].examples) < EXAMPLES

    def add_repaired(self, kind: Kind, count: int = 1) -> None:
        """Count problems that have been repaired."""
        if count:
            self.findings[kind].repaired += count

    @property
    def problems(self) -> int:
        """The number of problems, without warnings."""
        return sum(finding.count for kind, finding in self.findings.items() if kind not in WARNINGS)

    @property
    def warnings(self) -> int:
        """The number of warnings."""
        return sum(finding.count for kind, finding in self.findings.items() if kind in WARNINGS)

    @property
    def repaired(self) -> int:
        """The number of repaired problems."""
        return sum(finding.repaired for finding in self.findings.values())

    @property
    def examples(self) -> list[str]:
        """Examples of problems, in the order of their kinds."""
        found = [self.findings[kind].examples for kind in Kind if kind in self.findings and kind not in WARNINGS]
        return [example for examples in found for example in examples]

    def lines(self) -> list[str]:
        """Return the report: the examples and the count of each kind, and the totals at the end."""
        lines: list[str] = []
        for kind in Kind:
            if kind in self.findings:
                lines += [*self.findings[kind].examples, self._count_line(kind)]
        totals = [f"{self.examined:,} documents examined", f"{self.problems:,} problems"]
        if self.warnings:
            totals.append(f"{self.warnings:,} warnings")
        if self.repair:
            totals.append(f"{self.repaired:,} repaired")
        return [*lines, ", ".join(totals)]

    def _count_line(self, kind: Kind) -> str:
        finding = self.findings[kind]
        repaired = f", {finding.repaired:,} repaired" if self.repair and kind not in WARNINGS else ""
        return f"{'warning: ' if kind in WARNINGS else ''}{kind}: {finding.count:,}{repaired}"
