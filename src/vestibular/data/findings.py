"""Record of everything that is converted, corrected, noted, left out or refused."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vestibular.core.data_audit import MOST_SHOWN, Action, AuditRow
from vestibular.core.data_metrics import Converted, Faults, LeftOut
from vestibular.core.errors import DataError, VestibularError
from vestibular.core.paths import PARAMS, REFUSED_DATA

FAULTS_SHOWN = 10
"""Number of faults listed in a message; the record of the refusal has all."""

KEPT = frozenset(
    {
        "answer_not_in_context",
        "answers_in_one_text",
        "answer_in_other_form",
        "answer_of_articles_alone",
        "no_answer_though_possible",
        "duplicate_question",
        "special_token",
    }
)
"""Faults that are kept as they are."""

SEVERAL_ANSWERS = 'several are a JSON list: ["one", "two"]'
"""How to write several answers in one cell."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Position in the source."""

    file: Path
    row: int | None = None
    """Number of the question or table row, counted from 1, header excluded."""
    line: int | None = None
    """Line of the text file on which the row begins."""
    place: str | None = None
    """Path in SQuAD's JSON, or name of the column."""

    def at(self, place: str) -> "Origin":
        """Return a `place` in the same row: a path below it in JSON, or a column."""
        below = f"{self.place}.{place}" if self.place else place
        return Origin(self.file, self.row, self.line, below)

    def __str__(self) -> str:
        """Format file, line, row and place for the beginning of a message."""
        parts = [str(self.file)]
        if self.line is not None:
            parts.append(f"line {self.line}")
        # a JSON path is more precise than the number of the question
        if self.row is not None and not (self.place or "").startswith("data["):
            parts.append(f"row {self.row}")
        if self.place:
            parts.append(self.place)
        return ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding."""

    kind: str
    action: Action
    origin: Origin
    found: str
    done: str
    question: str | None = None
    """The question's id in the source."""

    def as_row(self, split: str | None) -> AuditRow:
        """Return its line of the record."""
        return AuditRow.model_validate(
            {
                "split": split,
                "kind": self.kind,
                "action": self.action,
                "file": str(self.origin.file),
                "row": self.origin.row,
                "line": self.origin.line,
                "place": self.origin.place,
                "question": self.question,
                "found": self.found,
                "done": self.done,
            }
        )


@dataclass
class Findings:
    """All findings in one file, or in one split."""

    rows: list[Finding] = field(default_factory=list)

    def add(
        self, kind: str, origin: Origin, found: object, done: str, question: str | None = None
    ) -> None:
        """Record a finding; `kind` is a field of `LeftOut`, `Faults` or `Converted`."""
        self.rows.append(Finding(kind, action_of(kind), origin, quoted(found), done, question))

    def counts(self) -> Counter[str]:
        """Return the number of findings of each kind."""
        return Counter(finding.kind for finding in self.rows)

    def as_metrics(self) -> tuple[LeftOut, Faults, Converted]:
        """Return the counts of every kind."""
        counts = self.counts()
        return (
            LeftOut(**{kind: counts[kind] for kind in LeftOut.model_fields}),
            Faults(**{kind: counts[kind] for kind in Faults.model_fields}),
            Converted(**{kind: counts[kind] for kind in Converted.model_fields}),
        )

    def divided(self, split_of_row: Mapping[int, str]) -> dict[str, "Findings"]:
        """Return the findings of each split, by the number of their row."""
        parts: dict[str, Findings] = {split: Findings() for split in set(split_of_row.values())}
        for finding in self.rows:
            if finding.origin.row is not None:
                parts[split_of_row[finding.origin.row]].rows.append(finding)
        return parts


class RefusedDataError(DataError):
    """A source file, or some of its rows, cannot be read; each fault is recorded."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        lines = [f"{finding.origin}: {finding.found}" for finding in self.findings]
        more = len(lines) - FAULTS_SHOWN
        if more > 0:
            said = f"and {more} more; all are in .vestibular/{REFUSED_DATA}"
            lines = [*lines[:FAULTS_SHOWN], f"{self.findings[0].origin.file}: {said}"]
        super().__init__("\n".join(lines))


def refusal(kind: str, origin: Origin, what: str) -> RefusedDataError:
    """Return the error for one fault; `what` says what was found and what to do."""
    return RefusedDataError([refused(kind, origin, what)])


def refused(kind: str, origin: Origin, what: str) -> Finding:
    """Return one fault of an error with several."""
    return Finding(kind, "refused", origin, what, "nothing was prepared")


def refused_rows(error: VestibularError) -> list[AuditRow]:
    """Return the record that says why the data were refused."""
    if isinstance(error, RefusedDataError):
        return [finding.as_row(None) for finding in error.findings]
    # a missing file has no row; it is named in the settings
    return [refused("refused", Origin(PARAMS), str(error)).as_row(None)]


def action_of(kind: str) -> Action:
    """Return what happens to a row with a kind of finding.

    Raises:
        KeyError: `metrics/data.json` has no such count.
    """
    if kind in LeftOut.model_fields:
        return "left_out"
    if kind in Converted.model_fields:
        return "converted"
    if kind not in Faults.model_fields:
        raise KeyError(kind)
    return "kept" if kind in KEPT else "mended"


def quoted(value: object) -> str:
    """Return a value as quoted in a row."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
