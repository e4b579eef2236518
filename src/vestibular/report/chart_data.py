"""Tables of the two charts in `dvc plots`: all loss curves, and scores before and after."""

from collections.abc import Mapping, Sequence

from vestibular.core.files import write_table
from vestibular.core.metrics import METRICS
from vestibular.core.paths import CHARTS
from vestibular.selection.stage_results import CandidateResult


def write_charts(order: Sequence[str], results: Mapping[str, CandidateResult]) -> None:
    """Write both tables, with the candidates in order of rank."""
    write_table(
        CHARTS / "loss.tsv",
        ["candidate", "series", "epoch", "loss"],
        (
            (name, series, row["epoch"], row[column])
            for name in order
            for series, column in (("training", "loss"), ("validation", "validation_loss"))
            for row in results[name].curve
            if row[column]
        ),
    )
    write_table(
        CHARTS / "scores.tsv",
        ["candidate", "metric", "when", "score"],
        (
            (name, label, when, scores.score(metric))
            for name in order
            for metric, label in METRICS.items()
            for when, scores in (
                ("before", results[name].base_scores),
                ("after", results[name].details.scores),
            )
        ),
    )
