"""Collects what is converted, mended, noted, left out or refused, for `data/audit.jsonl`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vestibular.core.data_audit import MOST_SHOWN, Action, AuditRow
from vestibular.core.data_metrics import Converted, Faults, LeftOut
from vestibular.core.errors import DataError, VestibularError
from vestibular.core.paths import PARAMS, REFUSED_DATA

FAULTS_SHOWN = 10
"""Faults that a message lists; the file of the refusal has all."""

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
"""Faults that nothing is done about."""

SEVERAL_ANSWERS = 'several are a JSON list: ["one", "two"]'
"""How a cell of a table holds more than one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something stands in the source."""

    file: Path
    row: int | None = None
    """Number of the question or of the table's row, counted from 1 without a header."""
    line: int | None = None
    """Line of a text file on which the row begins."""
    place: str | None = None
    """Path into SQuAD's JSON, or name of the column."""

    def at(self, place: str) -> "Origin":
        """Return the same row's `place`: what is below it in JSON, or a column."""
        below = f"{self.place}.{place}" if self.place else place
        return Origin(self.file, self.row, self.line, below)

    def __str__(self) -> str:
        """Write file, line, row and place, as messages begin."""
        parts = [str(self.file)]
        if self.line is not None:
            parts.append(f"line {self.line}")
        # a path into JSON says more than the number of the question
        if self.row is not None and not (self.place or "").startswith("data["):
            parts.append(f"row {self.row}")
        if self.place:
            parts.append(self.place)
        return ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    kind: str
    action: Action
    origin: Origin
    found: str
    done: str
    question: str | None = None
    """The question's id in the source."""

    def as_row(self, split: str | None) -> AuditRow:
        """Return the line of the file for it."""
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
    """All that was found in one file, or in one split."""

    rows: list[Finding] = field(default_factory=list)

    def add(
        self, kind: str, origin: Origin, found: object, done: str, question: str | None = None
    ) -> None:
        """Write something down; its kind is a field of `LeftOut`, `Faults` or `Converted`."""
        self.rows.append(Finding(kind, action_of(kind), origin, quoted(found), done, question))

    def counts(self) -> Counter[str]:
        """Return how many rows there are of each kind."""
        return Counter(finding.kind for finding in self.rows)

    def as_metrics(self) -> tuple[LeftOut, Faults, Converted]:
        """Return the counts, every kind named."""
        counts = self.counts()
        return (
            LeftOut(**{kind: counts[kind] for kind in LeftOut.model_fields}),
            Faults(**{kind: counts[kind] for kind in Faults.model_fields}),
            Converted(**{kind: counts[kind] for kind in Converted.model_fields}),
        )

    def divided(self, split_of_row: Mapping[int, str]) -> dict[str, "Findings"]:
        """Return the findings of each split, by the number of the row that they are about."""
        parts: dict[str, Findings] = {split: Findings() for split in set(split_of_row.values())}
        for finding in self.rows:
            if finding.origin.row is not None:
                parts[split_of_row[finding.origin.row]].rows.append(finding)
        return parts


class RefusedDataError(DataError):
    """A source file, or some of its rows, cannot be read: each fault is a row of the record."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        lines = [f"{finding.origin}: {finding.found}" for finding in self.findings]
        more = len(lines) - FAULTS_SHOWN
        if more > 0:
            said = f"and {more} more; .vestibular/{REFUSED_DATA} has all of them"
            lines = [*lines[:FAULTS_SHOWN], f"{self.findings[0].origin.file}: {said}"]
        super().__init__("\n".join(lines))


def refusal(kind: str, origin: Origin, what: str) -> RefusedDataError:
    """Return the error for one fault; `what` says what was found and what to do."""
    return RefusedDataError([refused(kind, origin, what)])


def refused(kind: str, origin: Origin, what: str) -> Finding:
    """Return one of the faults of an error that has several."""
    return Finding(kind, "refused", origin, what, "nothing was prepared")


def refused_rows(error: VestibularError) -> list[AuditRow]:
    """Return the lines of the file that says why the data were refused."""
    if isinstance(error, RefusedDataError):
        return [finding.as_row(None) for finding in error.findings]
    # a file that is not there has no row, and is in the settings
    return [refused("refused", Origin(PARAMS), str(error)).as_row(None)]


def action_of(kind: str) -> Action:
    """Return what becomes of a row by what was found.

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
    """Return what a row quotes of a value."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
