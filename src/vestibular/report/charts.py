"""Charts of the report: Vega-Lite specifications, drawn as SVG when the page is written.

A drawing needs no code in the page, has a tenth of the bytes of Vega itself, and can be printed;
its colours are the page's CSS variables, so that it follows the reader's light or dark theme. Every
mark has its values in words as `aria-label`, which the page's script shows as a tooltip.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import vl_convert
from markupsafe import Markup

from vestibular.report.formatting import COLOURS
from vestibular.report.slices import Slice

WIDE, NARROW = 560, 350
"""Widths of the drawings in pixels: side by side on a desktop, and on a phone."""

WIDEST_LETTER = 7.5
"""Average width of a letter in pixels, at the charts' font size, in a wide font."""

MOST_POINTS = 60
"""Maximum number of points drawn per loss curve; longer curves are thinned evenly, except for their
end."""

Row = dict[str, Any]

_AXIS = {
    "labelColor": "var(--soft)",
    "titleColor": "var(--soft)",
    "titleFontWeight": "normal",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titlePadding": 8,
    "gridColor": "var(--line)",
    "domainColor": "var(--edge)",
    "tickColor": "var(--edge)",
    "tickSize": 4,
}
_CONFIG = {
    "view": {"stroke": None},
    "axis": _AXIS,
    "font": "system-ui, sans-serif",
    "legend": {"disable": True},
}
_WORDS_OR_LONG_NUMBER = re.compile(r'aria-label="[^"]*"|>[^<]+<|(-?\d+\.\d{3,})')
_NAME = re.compile(r'(id="|url\(#)(clip\d+|gradient_\d+)')


def draw(specification: Mapping[str, Any], name: str) -> str:
    """Return a specification's drawing as SVG, with identifiers unique in the page."""
    svg = vl_convert.vegalite_to_svg(
        {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "background": None,
            "autosize": {"type": "fit", "contains": "padding"},
            "padding": 4,
            "config": _CONFIG,
            **specification,
        }
    )
    # round coordinates to hundredths of a pixel, but leave words unchanged
    svg = _WORDS_OR_LONG_NUMBER.sub(
        lambda found: f"{float(found[1]):.2f}" if found[1] else found[0], svg
    )
    return _NAME.sub(rf"\g<1>{name}-\g<2>", svg)


def both_widths(name: str, describe: Callable[[int], Mapping[str, Any]]) -> dict[str, Markup | str]:
    """Draw a chart for desktop and for phone."""
    return {
        "name": f"chart-{name}",
        "wide": Markup(draw(describe(WIDE), f"{name}-wide")),  # noqa: S704
        "narrow": Markup(draw(describe(NARROW), f"{name}-narrow")),  # noqa: S704
    }


def candidate_colour(candidates: Sequence[str]) -> Row:
    """Describe the colour of each candidate's marks, the same in every chart."""
    names = [f"var(--c{place % COLOURS})" for place in range(len(candidates))]
    scale = {"domain": list(candidates), "range": names}
    return {"field": "candidate", "type": "nominal", "scale": scale}


def _score_axis(title: str) -> Row:
    return {
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 5, "format": ".1f"},
    }


def score_against_cost(
    rows: Sequence[Row], candidates: Sequence[str], titles: tuple[str, str], width: int
) -> Row:
    """Describe the chart of candidates by cost and score, with the Pareto front as a line.

    Args:
        rows: one per candidate: `candidate`, `cost`, `score`, `low`, `high`, `words`, and `pareto`,
            whether it is on the front.
        candidates: all names, in the order of their colours.
        titles: titles of cost and score.
        width: width in pixels.
    """
    costs = [row["cost"] for row in rows]
    wide_range = min(costs) > 0 and max(costs) > 10 * min(costs)
    scale: Row = {"type": "log" if wide_range else "linear", "nice": True}
    if not wide_range:
        scale["domain"] = [0, max(costs) * 1.15 or 1]
    middle = (min(costs) * max(costs)) ** 0.5 if wide_range else max(costs) / 2
    cost_axis = {
        "field": "cost",
        "type": "quantitative",
        "title": titles[0],
        "scale": scale,
        "axis": {"format": "~s", "tickCount": 5, "grid": False},
    }
    score = {"field": "score", **_score_axis(titles[1])}
    front = sorted((row["cost"], row["score"]) for row in rows if row["pareto"])
    steps: list[Row] = []
    for cost, reached in front:
        if steps:
            # between two points the cheaper one's score is the best available
            steps.append({"cost": cost, "score": steps[-1]["score"], "place": len(steps)})
        steps.append({"cost": cost, "score": reached, "place": len(steps)})
    return {
        "width": width,
        "height": 300,
        "layer": [
            {
                "data": {"values": steps},
                "mark": {
                    "type": "line",
                    "color": "var(--edge)",
                    "strokeDash": [5, 4],
                    "aria": False,
                },
                "encoding": {
                    "x": cost_axis,
                    "y": score,
                    "order": {"field": "place", "type": "quantitative"},
                },
            },
            {
                "data": {
                    "values": [
                        {**row, "right": row["cost"] > middle, "up": place % 2 == 1}
                        for place, row in enumerate(rows)
                    ]
                },
                "encoding": {"x": cost_axis, "y": score, "color": candidate_colour(candidates)},
                "layer": [
                    {
                        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.55, "aria": False},
                        "encoding": {"y": {**score, "field": "low"}, "y2": {"field": "high"}},
                    },
                    {
                        "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
                        "encoding": {"description": {"field": "words"}},
                    },
                    {
                        "mark": {
                            "type": "text",
                            # towards the middle, away from the edges, alternating above and below
                            "align": {"expr": "datum.right ? 'right' : 'left'"},
                            "dx": {"expr": "datum.right ? -9 : 9"},
                            "dy": {"expr": "datum.up ? -11 : 13"},
                            "fontSize": 12,
                            "fontWeight": 600,
                            "aria": False,
                        },
                        "encoding": {"text": {"field": "candidate"}},
                    },
                ],
            },
        ],
    }


def thinned(rows: Sequence[Any]) -> list[Any]:
    """Return at most `MOST_POINTS` rows, evenly spaced, including the last one."""
    step = max(1, -(-len(rows) // MOST_POINTS))
    return list(rows[::-1][::step][::-1])


def loss_curves(rows: Sequence[Row], candidates: Sequence[str], width: int) -> Row:
    """Describe the chart of all loss curves, on a logarithmic scale.

    Args:
        rows: one per point: `candidate`, `series`, `epoch`, `loss` (nats per token), `words`.
        candidates: all names, in the order of their colours.
        width: width in pixels.
    """
    # a training with fewer steps than the logging interval has no curve
    losses = [row["loss"] for row in rows] or [1.0]
    exponents = range(math.floor(math.log10(min(losses))), math.ceil(math.log10(max(losses))) + 1)
    steps = (1,) if len(exponents) > 3 else (1, 2, 5)
    return {
        "width": width,
        "height": 300,
        "data": {"values": list(rows)},
        "encoding": {
            "x": {
                "field": "epoch",
                "type": "quantitative",
                "title": "epoch",
                "axis": {"tickCount": 5, "grid": False},
            },
            "y": {
                "field": "loss",
                "type": "quantitative",
                "title": "loss, nats per token (logarithmic)",
                "scale": {"type": "log", "nice": False},
                "axis": {
                    "values": [step * 10.0**exponent for exponent in exponents for step in steps],
                    "format": "~g",
                },
            },
            "color": candidate_colour(candidates),
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2, "aria": False},
                "encoding": {
                    "strokeDash": {
                        "field": "series",
                        "type": "nominal",
                        "scale": {
                            "domain": ["training", "validation"],
                            "range": [[1, 0], [6, 4]],
                        },
                    }
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 22, "opacity": 1},
                "encoding": {"description": {"field": "words"}},
            },
        ],
    }


def slice_scores(
    rows: Sequence[Row], slices: Sequence[Slice], candidates: Sequence[str], title: str
) -> Row:
    """Describe the chart of scores by group of questions: an interval and a point per candidate.

    Args:
        rows: one per group and candidate: `slice`, `candidate`, `score`, `low`, `high`, `words`.
        slices: the groups, from top to bottom.
        candidates: all names, in the order of their colours.
        title: title of the score.
    """
    labels = [part.label for part in slices]
    score = _score_axis(title)
    return {
        "width": NARROW,
        "height": 50 + len(labels) * (14 + 11 * len(candidates)),
        "data": {"values": list(rows)},
        "encoding": {
            "y": {
                "field": "slice",
                "type": "nominal",
                "sort": labels,
                "title": None,
                "axis": {
                    "ticks": False,
                    "domain": False,
                    "labelPadding": 8,
                    # the reader's font may be wider than the one that Vega measures
                    "minExtent": 8 + WIDEST_LETTER * max(map(len, labels)),
                },
                "scale": {"paddingInner": 0.25},
            },
            "yOffset": {"field": "candidate", "type": "nominal", "sort": list(candidates)},
            "color": candidate_colour(candidates),
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45, "aria": False},
                "encoding": {
                    "x": {"field": "low", **score},
                    "x2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {
                    "x": {"field": "score", **score},
                    "description": {"field": "words"},
                },
            },
        ],
    }
