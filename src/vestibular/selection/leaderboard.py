"""The table of all candidates, as a file and for the terminal."""

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from vestibular.core.errors import DataError
from vestibular.core.exam_results import ExamDetails, Parameters
from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.metrics import METRICS
from vestibular.selection.remarks import notes
from vestibular.selection.result import ByMetric, Estimate, Selection
from vestibular.selection.stage_results import CandidateResult
from vestibular.selection.status import Status

DASH = "-"
"""Shown where there is no interval."""


class Shortened(Part):
    """Contexts that did not fit into the model."""

    train: int
    """Contexts cut in training."""
    validation: int
    """Contexts asked in several windows."""


class BothExams(Part):
    """Further results of the exams of the untouched base and of the fine-tuned model."""

    before: ExamDetails
    after: ExamDetails


class BoardRow(Part):
    """One candidate."""

    rank: int
    status: Status
    before: ByMetric[Estimate]
    after: ByMetric[Estimate]
    parameters: Parameters
    shortened: Shortened
    details: BothExams


class Leaderboard(FileFormat):
    """`metrics/leaderboard.json`: all candidates by rank, then the reference points."""

    VERSION = 2
    MADE_BY = "dvc repro select"

    promoted: bool
    winner: str | None
    reason: str
    """Which candidate is promoted and why, or why none is, in one sentence."""
    notes: tuple[str, ...]
    """What a reader must know in addition, in sentences."""
    candidates: dict[str, BoardRow]
    reference_points: dict[str, ByMetric[Estimate]]

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Refuse: version 1 used other statistics."""
        raise DataError("it was made by an earlier rule")


def leaderboard(found: Selection, results: Mapping[str, CandidateResult]) -> Leaderboard:
    """Return the table of all candidates, by rank."""
    return Leaderboard(
        promoted=found.promoted,
        winner=found.winner,
        reason=found.reason,
        notes=tuple(notes(found)),
        candidates={
            name: BoardRow(
                rank=row.rank,
                status=row.status,
                before=row.before,
                after=row.scores,
                parameters=results[name].details.parameters,
                shortened=Shortened(
                    train=results[name].training.shortened,
                    validation=results[name].details.windowed_questions,
                ),
                details=BothExams(before=results[name].base_details, after=results[name].details),
            )
            for name, row in found.candidates.items()
        },
        reference_points={name: point.scores for name, point in found.reference_points.items()},
    )


def as_text(board: Leaderboard) -> str:
    """Format the leaderboard for a terminal, the reference points below the candidates."""
    table = [["", "candidate"]]
    for label in METRICS.values():
        table[0] += [f"{label} before", f"{label} after", "95 % interval"]
    table[0] += ["parameters", "trained", "status"]
    for name, row in board.candidates.items():
        line = [str(row.rank), name]
        for metric in METRICS:
            line += [f"{row.before.of(metric).value:.3f}", *_score(row.after.of(metric))]
        parameters = row.parameters
        share = parameters.trainable / parameters.total
        line += [f"{parameters.total:,}", f"{share:.2%}", row.status.replace("_", " ")]
        table.append(line)
    for name, point in board.reference_points.items():
        line = ["", name.replace("_", " ")]
        for metric in METRICS:
            line += ["", *_score(point.of(metric))]
        table.append([*line, "", "", "reference"])
    aligned = ("left", "left", *["right"] * (len(table[0]) - 3), "left")
    return tabulate(table, tablefmt="plain", colalign=aligned, disable_numparse=True)


def _score(score: Estimate) -> list[str]:
    if score.low is None or score.high is None:
        return [f"{score.value:.3f}", DASH]
    return [f"{score.value:.3f}", f"{score.low:.3f} - {score.high:.3f}"]
