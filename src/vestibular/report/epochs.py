"""Duration of the epochs: in words, and as a chart if there are several."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from vestibular.core.costs import CandidateCosts
from vestibular.report import charts
from vestibular.report.formatting import NOT_MEASURED, duration, seconds_alone

Row = dict[str, Any]


def epoch_words(seconds: Sequence[float]) -> str:
    """Return the duration of an epoch, or minimum, median and maximum of several."""
    if not seconds:
        return NOT_MEASURED
    ends = f"{seconds_alone(min(seconds))} to {seconds_alone(max(seconds))}"
    return seconds_alone(median(seconds)) + (f" ({ends})" if len(seconds) > 1 else "")


def epoch_chart(
    costs: Mapping[str, CandidateCosts], candidates: Sequence[str]
) -> dict[str, Any] | None:
    """Return the chart and table of all candidates' epochs; None if no candidate has several.

    Args:
        costs: measured costs of each candidate.
        candidates: all names, in the order of their colours.
    """
    trainings = {name: costs[name].train for name in candidates}
    epochs = {name: train.epoch_seconds if train else () for name, train in trainings.items()}
    most = max(len(seconds) for seconds in epochs.values())
    if most < 2:
        return None
    rows = [
        {
            "candidate": name,
            "epoch": number,
            "seconds": seconds,
            "words": f"{name}: epoch {number} took {duration(seconds)}",
        }
        for name, each in epochs.items()
        for number, seconds in enumerate(each, 1)
    ]
    return {
        **charts.both_widths("epochs", lambda width: _durations(rows, candidates, width)),
        "title": "Duration of each epoch",
        "text": "Seconds of training, including the validation in each epoch.",
        "table": {
            "titles": ["Candidate", *(f"Epoch {number}, s" for number in range(1, most + 1))],
            "rows": [
                [name, *(seconds_alone(seconds) for seconds in each), *[""] * (most - len(each))]
                for name, each in epochs.items()
            ],
        },
    }


def _durations(rows: Sequence[Row], candidates: Sequence[str], width: int) -> Row:
    """Describe the chart: a line with points per candidate."""
    return {
        "width": width,
        "height": 300,
        "data": {"values": list(rows)},
        "encoding": {
            "x": {
                "field": "epoch",
                "type": "quantitative",
                "title": "epoch",
                "scale": {"nice": False, "zero": False},
                "axis": {"tickMinStep": 1, "format": "d", "grid": False},
            },
            "y": {
                "field": "seconds",
                "type": "quantitative",
                "title": "seconds",
                "scale": {"zero": True},
                "axis": {"tickCount": 5, "format": "~g"},
            },
            "color": charts.candidate_colour(candidates),
        },
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2, "aria": False}},
            {
                "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
                "encoding": {"description": {"field": "words"}},
            },
        ],
    }
