"""What the doctor saw: counts and examples by kind, and what was mended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 10


class Kind(StrEnum):
    """What can be wrong, named as it is counted."""

    INTERRUPTED_DELETION = "interrupted deletions"
    STALE_KEYS = "stale keys"
    INTERRUPTED_CHANGE = "interrupted changes"
    REPEATED_EMAIL = "emails of several users"
    ODD_ID = "ids that are no text"
    MALFORMED = "malformed records"
    GRANT_TO_NOBODY = "grants to nobody"
    TOO_LARGE = "records beyond the size limit"
    ORPHANED_HISTORY = "histories without a model"
    LARGE = "records near the size limit"
    NO_OWNER = "models without an owner"


# By design, or not yet a fault: told, and no reason for an exit status.
WARNINGS = frozenset({Kind.LARGE, Kind.NO_OWNER})


@dataclass(slots=True)
class Finding:
    """All of one kind: how many there were and how many of them were mended, and the first few."""

    count: int = 0
    mended: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Diagnosis:
    """What the doctor saw, and whether it mends."""

    repair: bool = False
    progress: Callable[[int], None] = lambda _: None
    seen: int = 0
    findings: dict[Kind, Finding] = field(default_factory=dict)

    def look(self, documents: int) -> None:
        """Count documents that have been looked at."""
        self.seen += documents
        self.progress(self.seen)

    def note(self, kind: Kind, what: str, count: int = 1) -> None:
        """Count a finding, and keep the first few of each kind as examples."""
        finding = self.findings.setdefault(kind, Finding())
        finding.count += count
        if len(finding.examples) < EXAMPLES:
            finding.examples.append(what)

    def wants_example(self, kind: Kind) -> bool:
        """Whether the next finding of this kind would be kept as an example."""
        return kind not in self.findings or len(self.findings[kind].examples) < EXAMPLES

    def mend(self, kind: Kind, count: int = 1) -> None:
        """Count what has been mended."""
        if count:
            self.findings[kind].mended += count

    @property
    def problems(self) -> int:
        """How many problems there were, warnings aside."""
        return sum(finding.count for kind, finding in self.findings.items() if kind not in WARNINGS)

    @property
    def warnings(self) -> int:
        """How many warnings there were."""
        return sum(finding.count for kind, finding in self.findings.items() if kind in WARNINGS)

    @property
    def mended(self) -> int:
        """How many problems were mended."""
        return sum(finding.mended for finding in self.findings.values())

    @property
    def examples(self) -> list[str]:
        """Examples of problems, in the order of their kinds."""
        found = [self.findings[kind].examples for kind in Kind if kind in self.findings and kind not in WARNINGS]
        return [example for examples in found for example in examples]

    def lines(self) -> list[str]:
        """Return what to tell: of each kind the examples and how many there are, and the sums at the end."""
        told: list[str] = []
        for kind in Kind:
            if kind in self.findings:
                told += [*self.findings[kind].examples, self._counted(kind)]
        sums = [f"{self.seen:,} documents examined", f"{self.problems:,} problems"]
        if self.warnings:
            sums.append(f"{self.warnings:,} warnings")
        if self.repair:
            sums.append(f"{self.mended:,} mended")
        return [*told, ", ".join(sums)]

    def _counted(self, kind: Kind) -> str:
        finding = self.findings[kind]
        mended = f", {finding.mended:,} mended" if self.repair and kind not in WARNINGS else ""
        return f"{'warning: ' if kind in WARNINGS else ''}{kind}: {finding.count:,}{mended}"
