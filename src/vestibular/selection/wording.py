"""The choice in words: sentences made of what `verdict` has found, and of nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from vestibular.core.metrics import Metric

METRIC_NAMES = {"exact_match": "exact match", "f1": "F1"}
COST_NAMES = {
    "flops": "floating-point operations an answer",
    "seconds": "seconds an answer",
    "bytes": "bytes of its base model",
}
COST_KEYS = {"flops": "flops_per_answer", "seconds": "seconds_per_answer", "bytes": "model_bytes"}
"""What `select.cost` names, by the key under which a candidate's cost holds it."""

Found = Mapping[str, Any]


def number(value: float) -> str:
    """Write a score or a difference."""
    return f"{value:.3f}"


def amount(value: float) -> str:
    """Write a cost or a limit: whole, or in four digits."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.4g}"


def probability(value: float) -> str:
    """Write a p-value with its sign of comparison."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def scored(score: Mapping[str, float]) -> str:
    """Write a score with its interval."""
    return f"{number(score['value'])} ({number(score['low'])} to {number(score['high'])})"


def listed(names: Sequence[str]) -> str:
    """Join names with commas and an `and`, underscores as spaces."""
    plain = [name.replace("_", " ") for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"


def metric_of(found: Found) -> Metric:
    """Return the metric that decided."""
    published = found["rule"]["rule"] == "published"
    return "exact_match" if published else cast(Metric, found["rule"]["metric"])


def permission(found: Found) -> str:
    """Return the setting that lets a candidate win which is not above `select.must_beat`."""
    published = found["rule"]["rule"] == "published"
    return "select.rule: published" if published else "select.allow_below_reference"


def why(found: Found, name: str) -> str:
    """Say in one sentence what became of a candidate."""
    row, metric = found["candidates"][name], metric_of(found)
    label, leader = METRIC_NAMES[metric], found["leader"]
    status = row["status"]
    if status == "winner":
        return reason(found)
    if status == "constraint":
        return f"fails {_violations(row)}"
    if status == "below_reference":
        return f"its {label} {number(row['scores'][metric]['value'])} is not above " + _points(
            found, name, metric
        )
    if status == "outranked":
        return f"the plain sort puts it behind {found['winner']}"
    if status == "dominated":
        other = _dominator(found, name)
        return f"{other} scores no less and costs no more"
    if row["against_leader"] is None:
        return f"the best by {label}, but {found['winner']} is not significantly worse and cheaper"
    against = row["against_leader"][metric]
    verb = "not significantly worse" if status == "tied" else "significantly worse"
    return (
        f"{verb} than {leader} in {label} (difference {scored(against)}, "
        f"{probability(against['p_holm'])} after Holm's correction)"
    )


def _violations(row: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{key} {amount(each['limit'])} (it has {amount(each['measured'])})"
        for key, each in row["constraints"].items()
        if not each["met"]
    )


def reason(found: Found) -> str:
    """Say in one sentence which candidate is promoted and why, or why none is."""
    metric, winner, leader = metric_of(found), found["winner"], found["leader"]
    label, rule = METRIC_NAMES[metric], found["rule"]
    if leader is None:
        each = "; ".join(f"{name}: {_violations(row)}" for name, row in found["candidates"].items())
        return f"nothing is promoted: every candidate fails select.constraints ({each})"
    best = found["candidates"][leader]["scores"][metric]
    if winner is None:
        points = _points(found, leader, metric)
        return (
            f"nothing is promoted: the best candidate, {leader}, has {label} "
            f"{number(best['value'])}, not above {points}; improve it, or set "
            "select.allow_below_reference: true to promote it all the same"
        )
    if rule["rule"] == "published":
        return f"{winner} is promoted: first in the plain sort by exact match, then F1"
    below = ""
    if found["below"]:
        below = (
            f"; select.allow_below_reference lets it pass although it is not above "
            f"{_points(found, winner, metric)}"
        )
    if winner != leader:
        row = found["candidates"][winner]
        key = COST_KEYS[rule["cost"]]
        share = 1 - row["cost"][key] / found["candidates"][leader]["cost"][key]
        against = row["against_leader"][metric]
        return (
            f"{winner} is promoted: its {label} {number(row['scores'][metric]['value'])} is not "
            f"significantly worse than {leader}'s {number(best['value'])} "
            f"({probability(against['p_holm'])}), and it needs {share:.0%} fewer "
            f"{COST_NAMES[rule['cost']]}{below}"
        )
    others = [name for name in found["candidates"] if name != winner]
    if not others:
        return f"{winner} is promoted: the only candidate, with {label} {scored(best)}{below}"
    # the others that may win cost less, so that a tie was decided by the settings alone
    tied = [name for name in others if found["candidates"][name]["status"] == "tied"]
    end = "no cheaper one is as good within the noise"
    if tied:
        end = f"{listed(tied)} cannot be told apart from it, and select.when_tied prefers the score"
    return f"{winner} is promoted: its {label} {scored(best)} is the best, and {end}{below}"


def reasons(found: Found) -> list[str]:
    """Say all that the choice rests on, a sentence each."""
    metric, questions = metric_of(found), found["questions"]
    basis = (
        f"the out-of-fold answers of a {questions['folds']}-fold cross-validation"
        if questions["folds"]
        else "the validation questions"
    )
    smallest = found["smallest_detectable"]
    said = [
        found["reason"],
        f"Compared on {basis}: {questions['count']} questions of {questions['documents']} "
        f"documents (as good as {questions['effective_documents']:.1f} equal ones).",
        "Two candidates must differ in exact match by at least "
        f"{smallest['exact_match']['questions']} questions, all one way "
        f"({number(smallest['exact_match']['difference'])}), to be told apart."
        + (
            f" A true difference in F1 of {number(smallest['f1']['difference'])} is found four "
            "times in five."
            if smallest["f1"]
            else ""
        ),
    ]
    said += [
        f"{name}: {row['why']}."
        for name, row in found["candidates"].items()
        if row["status"] != "winner"
    ]
    shown = found["winner"] or found["leader"]
    if shown is not None:
        row = found["candidates"][shown]
        for point, differences in {**row["against"], "untouched base": row["gain"]}.items():
            difference = differences[metric]
            surely = "significant" if difference["p_value"] < found["method"]["level"] else "noise"
            said.append(
                f"{shown} less {point.replace('_', ' ')} in {METRIC_NAMES[metric]}: "
                f"{scored(difference)}, {probability(difference['p_value'])} ({surely})."
            )
    return said


def _points(found: Found, name: str, metric: str) -> str:
    row = found["candidates"][name]
    return " and ".join(
        f"the {point.replace('_', ' ')} ({number(_value(found, name, point, metric))})"
        for point in row["below"]
    )


def _value(found: Found, name: str, point: str, metric: str) -> float:
    if point == "untouched_base":
        return float(found["candidates"][name]["before"][metric]["value"])
    return float(found["reference_points"][point]["scores"][metric]["value"])


def _dominator(found: Found, name: str) -> str:
    """Return the best candidate in the running that ranks before `name` and costs no more."""
    key = COST_KEYS[found["rule"]["cost"]]
    row = found["candidates"][name]
    return next(
        str(other)
        for other, one in found["candidates"].items()
        if one["status"] in ("winner", "tied", "worse")
        and one["rank"] < row["rank"]
        and one["cost"][key] <= row["cost"][key]
    )
