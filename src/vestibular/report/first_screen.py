"""The report's first screen: which, how sure, why, and at what cost.

Everything is taken from `metrics/selection.json`, whose fields `verdict.py` describes.
"""

from collections.abc import Mapping
from typing import Any

from vestibular.core.costs import CandidateCosts
from vestibular.core.metrics import METRICS
from vestibular.report.figures import (
    SPACE,
    capitalised,
    cost_words,
    plain,
    score_range,
    sentence,
    signed,
    signed_range,
    size,
)
from vestibular.selection.reference_points import UNTOUCHED_BASE
from vestibular.selection.uncertainty import LEVEL
from vestibular.selection.wording import listed, metric_of, permission, probability

Selection = Mapping[str, Any]


def first_screen(selection: Selection, costs: Mapping[str, CandidateCosts]) -> dict[str, Any]:
    """Return the page's `title`, `headline`, four `answers` and `notices`.

    Args:
        selection: what the choice rests on.
        costs: what was measured of each candidate.
    """
    name = selection["winner"] or selection["leader"] or next(iter(selection["candidates"]))
    notices = []
    if not selection["promoted"]:
        notices.append(capitalised(sentence(selection["reason"])))
    elif selection["below"]:
        notices.append(
            f"{name} is in production although it is not above {points_below(selection, name)}: "
            f"{permission(selection)} is set."
        )
    return {
        "title": f"{name} is chosen" if selection["promoted"] else "no model is chosen",
        "headline": headline(selection),
        "answers": [
            {"question": "Which?", **_which(selection, name)},
            {"question": "How sure?", **_how_sure(selection, name)},
            {"question": "Why?", **_why(selection, name)},
            {"question": "At what cost?", **_cost(selection, costs, name)},
        ],
        "notices": notices,
    }


def headline(selection: Selection) -> str:
    """Return the answer in a sentence."""
    metric = metric_of(selection)
    name = selection["winner"] or selection["leader"]
    if name is None:
        return "No model goes into production: every candidate is beyond a constraint."
    score = selection["candidates"][name]["scores"][metric]
    has = f"{METRICS[metric]} {score['value']:.3f} ({score_range(score)})"
    if not selection["promoted"]:
        return (
            f"No model goes into production: the best, {name}, has {has}, not above "
            f"{points_below(selection, name)}."
        )
    but = f", though not above {points_below(selection, name)}" if selection["below"] else ""
    return (
        f"{name} goes into production: {has}, {standing(selection)}, at "
        f"{cost_words(selection, name)}{but}."
    )


def points_below(selection: Selection, name: str) -> str:
    """Return the reference points, with their scores, that a candidate is not above."""
    metric = metric_of(selection)
    found = selection["candidates"][name]
    named = []
    for point in found["below"]:
        scores = (
            found["before"]
            if point == UNTOUCHED_BASE
            else selection["reference_points"][point]["scores"]
        )
        named.append(f"the {point} ({scores[metric]['value']:.3f})")
    return listed(named)


def rival(selection: Selection, name: str) -> str | None:
    """Return whom a candidate is compared with: the leader, or the runner-up if it leads."""
    if name != selection["leader"]:
        return selection["leader"]  # type: ignore[no-any-return]
    return selection["runner_up"]  # type: ignore[no-any-return]


def difference(selection: Selection, name: str, other: str, metric: str) -> Mapping[str, float]:
    """Return how much better `name` is than `other`, one of which is the leader."""
    found = selection["candidates"][other]["against_leader"]
    if found is not None:
        gap = found[metric]
        return {**gap, "value": -gap["value"], "low": -gap["high"], "high": -gap["low"]}
    return selection["candidates"][name]["against_leader"][metric]  # type: ignore[no-any-return]


def standing(selection: Selection) -> str:
    """Return in words where the winner stands among the others."""
    name = selection["winner"]
    other = rival(selection, name)
    if other is None:
        return "the only candidate"
    gap = difference(selection, name, other, metric_of(selection))
    clear = gap["p_holm"] < LEVEL
    if name != selection["leader"]:
        return f"not significantly below {other}" if not clear else f"below {other}"
    if clear:
        return f"significantly ahead of {other}"
    return f"ahead of {other}, but not significantly"


def _which(selection: Selection, name: str) -> dict[str, str]:
    rule = selection["rule"]
    found = selection["candidates"][name]
    metrics = (
        ("exact_match", "f1")
        if rule["rule"] == "published"
        else (rule["metric"], *rule["tie_breakers"])
    )
    sort = ", then ".join(METRICS[metric] for metric in metrics)
    count = len(selection["candidates"])
    if not selection["promoted"]:
        return {"figure": "none", "text": f"The figures here are those of {name}."}
    text = f"Rank {found['rank']} of {count} by {sort}" if count > 1 else "The only candidate"
    other = selection["runner_up"]
    text += f"; runner-up {other}." if other else "."
    return {"figure": name, "text": text}


def _how_sure(selection: Selection, name: str) -> dict[str, str]:
    metric = metric_of(selection)
    label = METRICS[metric]
    score = selection["candidates"][name]["scores"][metric]
    other = rival(selection, name)
    if other is None:
        return {
            "figure": f"{label} {score['value']:.3f}",
            "text": f"95 % interval {score_range(score)}.",
        }
    gap = difference(selection, name, other, metric)
    least = selection["smallest_detectable"][metric]
    power = selection["method"]["power"]
    room = (
        f"{least['questions']} questions, all one way, are the fewest that count."
        if "questions" in least
        else f"A true difference of {least['difference']:.3f} would be found {power:.0%} of the "
        "time."
    )
    return {
        "figure": probability(gap["p_holm"]),
        "text": f"{label} {signed(gap['value'])} against {other}, 95 % interval "
        f"{signed_range(gap)}. {room}",
    }


def _why(selection: Selection, name: str) -> dict[str, str]:
    found = selection["candidates"][name]
    rule = selection["rule"]
    if not selection["promoted"]:
        words = {"below_reference": "below a reference", "constraint": "beyond a constraint"}
        return {"figure": words[found["status"]], "text": capitalised(sentence(found["why"]))}
    if rule["rule"] == "published":
        figure = "the plain sort"
    elif selection["runner_up"] is None:
        figure = "nobody else"
    elif name != selection["leader"]:
        figure = "cheapest of the tied"
    else:
        figure = "the best score"
    # who it is stands in the card before
    text = capitalised(sentence(selection["reason"].removeprefix(f"{name} is promoted: ")))
    metric = metric_of(selection)
    margins = {
        point: (found["gain"] if point == UNTOUCHED_BASE else found["against"][point])[metric]
        for point in rule["must_beat"]
    }
    if margins and not selection["below"] and rule["rule"] != "published":
        nearest = min(margins, key=lambda point: (margins[point]["value"], point))
        text += f" The reference point nearest to it: {plain(nearest)}, {METRICS[metric]} "
        text += f"{signed(margins[nearest]['value'])}."
    return {"figure": figure, "text": text}


def _cost(selection: Selection, costs: Mapping[str, CandidateCosts], name: str) -> dict[str, str]:
    figure, unit = cost_words(selection, name).split(" ", 1)
    measured, exam, training = [], costs[name].evaluate, costs[name].train
    if exam is not None:
        measured += [
            f"95 of 100 answers within {exam.latency_p95:.3g}{SPACE}s",
            f"{size(exam.peak_memory_bytes)} of memory at most",
        ]
    if training is not None:
        measured.append(f"trained in {training.seconds:.3g}{SPACE}s")
    text = f"Measured: {', '.join(measured)}." if measured else "Not measured on this machine."
    return {"figure": figure, "text": f"{unit}. {text}"}
