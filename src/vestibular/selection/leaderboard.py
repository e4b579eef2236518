"""The table of all candidates, as a file and for a terminal."""

from collections.abc import Mapping
from typing import Any

from vestibular.core.metrics import METRICS
from vestibular.selection.results import CandidateResult


def leaderboard(found: Mapping[str, Any], results: Mapping[str, CandidateResult]) -> dict[str, Any]:
    """Return the table of all candidates, by rank, from what `verdict` found.

    `before` and `after` are plain numbers, for `dvc metrics`; `intervals` are about `after`.
    """
    return {
        "promoted": found["promoted"],
        "winner": found["winner"],
        "reason": found["reason"],
        "candidates": {
            name: {
                "rank": row["rank"],
                "status": row["status"],
                "before": {metric: row["before"][metric]["value"] for metric in METRICS},
                "after": {metric: row["scores"][metric]["value"] for metric in METRICS},
                "intervals": _intervals(row["scores"]),
                "parameters": results[name].details.parameters.model_dump(),
                "shortened": {
                    "train": results[name].training.shortened,
                    "validation": results[name].details.windowed_questions,
                },
                "details": {
                    "before": results[name].base_details.model_dump(mode="json"),
                    "after": results[name].details.model_dump(mode="json"),
                },
            }
            for name, row in found["candidates"].items()
        },
        "reference_points": {
            name: {
                **{metric: point["scores"][metric]["value"] for metric in METRICS},
                "intervals": _intervals(point["scores"]),
            }
            for name, point in found["reference_points"].items()
        },
    }


def _intervals(scores: Mapping[str, Any]) -> dict[str, list[float]]:
    return {metric: [scores[metric]["low"], scores[metric]["high"]] for metric in METRICS}


def as_text(board: Mapping[str, Any]) -> str:
    """Lay the leaderboard out for a terminal, the reference points below the candidates."""
    table = [["", "candidate"]]
    for label in METRICS.values():
        table[0] += [f"{label} before", f"{label} after", "95 % interval"]
    table[0] += ["parameters", "trained", "status"]
    for name, row in board["candidates"].items():
        line = [str(row["rank"]), name]
        for metric in METRICS:
            low, high = row["intervals"][metric]
            line += [f"{row['before'][metric]:.3f}", f"{row['after'][metric]:.3f}"]
            line.append(f"{low:.3f} - {high:.3f}")
        parameters = row["parameters"]
        share = parameters["trainable"] / parameters["total"]
        line += [f"{parameters['total']:,}", f"{share:.2%}", row["status"].replace("_", " ")]
        table.append(line)
    for name, point in board["reference_points"].items():
        line = ["", name.replace("_", " ")]
        for metric in METRICS:
            low, high = point["intervals"][metric]
            line += ["", f"{point[metric]:.3f}", f"{low:.3f} - {high:.3f}"]
        table.append([*line, "", "", "reference"])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 1, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
