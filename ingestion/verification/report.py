"""What a verification found out about one file, or about one connection's receipts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingestion.models import Verification

# The rest is counted only: a file may differ in every cell.
DIFFERENCES_TOLD = 20
LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: its kind, a sentence, and where it is (`row` is 1-based) if it is in a cell."""

    kind: str
    sentence: str
    row: int | None = None
    column: str | None = None


@dataclass(slots=True)
class Report:
    """Fills while the comparison runs: the first differences, the number of all, what was not compared."""

    subject: str
    file_id: int | None = None
    rows: int = 0
    told: list[Difference] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    not_compared: list[str] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count the difference, and keep it if it is one of the first."""
        if len(self.told) < DIFFERENCES_TOLD:
            self.told.append(difference)
        self.counts[difference.kind] += 1

    def differs(self, kind: str, sentence: str) -> None:
        """Add a difference that is not in a cell."""
        self.add(Difference(kind, sentence))

    def expect(self, kind: str, what: str, expected: object, found: object) -> None:
        """Add a difference if `found` is not `expected`; the sentence names both."""
        if expected != found:
            self.differs(kind, f"{what}: {shown(expected)} expected, {shown(found)} found.")

    @property
    def outcome(self) -> Verification.Outcome:
        """A difference counts more than something that could not be compared."""
        if self.counts:
            return Verification.Outcome.DIFFERENT
        return Verification.Outcome.NOT_COMPARED if self.not_compared else Verification.Outcome.EQUAL

    def as_json(self) -> dict[str, Any]:
        """The report as commands print it and as it is kept."""
        return {
            "subject": self.subject,
            "file_id": self.file_id,
            "outcome": self.outcome.value,
            "rows": self.rows,
            "differences": self.counts.total(),
            "counts": dict(self.counts),
            "first_differences": [_as_json(difference) for difference in self.told],
            "not_compared": self.not_compared,
        }


def shown(value: object) -> str:
    """A value for people: NULL and '' told apart, long text cut."""
    if value is None:
        return "NULL"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}... ({len(text):,} characters)"


def _as_json(difference: Difference) -> dict[str, Any]:
    facts = {"kind": difference.kind, "sentence": difference.sentence}
    place = {"row": difference.row, "column": difference.column} if difference.row else {}
    return {**facts, **place}
