"""The report's first screen: which candidate, how certain, why, and at what cost."""

from collections.abc import Mapping
from typing import Any

from vestibular.core.costs import CandidateCosts
from vestibular.core.metrics import METRICS
from vestibular.report.formatting import (
    capitalised,
    cost_words,
    duration,
    plain,
    score_words,
    sentence,
    signed,
    signed_range,
    size,
)
from vestibular.selection.explanation import permission, points_with_scores, remedy
from vestibular.selection.phrases import p_value_words
from vestibular.selection.remarks import cost_remark, detectable, too_few, weakness
from vestibular.selection.result import Gap, Selection


def summarize(selection: Selection, costs: Mapping[str, CandidateCosts]) -> dict[str, Any]:
    """Return the page's `title`, `headline`, four `answers` and `notices`.

    Args:
        selection: the choice and what supports it.
        costs: measured costs of each candidate.
    """
    name = selection.shown
    notices = []
    if selection.leader is None:
        notices.append(capitalised(sentence(selection.reason)))
    elif selection.promoted and selection.below:
        notices.append(
            f"{name} is in production although it does not exceed "
            f"{points_with_scores(selection, name, selection.below)}: "
            f"{permission(selection)} is set."
        )
    weak = [weakness(selection), too_few(selection)]
    notices += [said for said in weak if said is not None]
    if selection.cost_say is not None and not selection.cost_say.has_say:
        notices.append(cost_remark(selection) or "")
    return {
        "title": f"{name} is chosen" if selection.promoted else "no model is chosen",
        "headline": headline(selection, costs),
        "answers": [
            {"question": "Which?", **_which(selection, name)},
            {"question": "How sure?", **_how_sure(selection, name)},
            {"question": "Why?", **_why(selection, name)},
            {"question": "At what cost?", **_cost(selection, costs, name)},
        ],
        "notices": notices,
    }


def headline(selection: Selection, costs: Mapping[str, CandidateCosts]) -> str:
    """Return the result in a sentence."""
    if selection.leader is None:
        return "No model goes into production: every candidate fails a constraint."
    name = selection.shown
    has = f"{METRICS[selection.metric]} {score_words(selection.score(name))}"
    if not selection.promoted:
        row = selection.candidates[name]
        short = "not above" if row.below else "not clearly above"
        return (
            f"No model goes into production: the best, {name}, has {has}, {short} "
            f"{points_with_scores(selection, name, row.below or row.unclear)}."
        )
    but = ""
    if selection.below:
        but = f", though not above {points_with_scores(selection, name, selection.below)}"
    elif selection.unclear:
        but = f", though not clearly above {points_with_scores(selection, name, selection.unclear)}"
    return (
        f"{name} goes into production{but}: {has}{corrected_words(selection)}, "
        f"{standing(selection)}, at {felt_words(selection, costs, name)}."
    )


def corrected_words(selection: Selection) -> str:
    """Return the corrected score, to follow the measured one; empty if there is none."""
    if selection.corrected is None or len(selection.candidates) == 1:
        return ""
    return f", corrected for selection bias {selection.corrected.corrected:.3f}"


def felt_words(selection: Selection, costs: Mapping[str, CandidateCosts], name: str) -> str:
    """Return a candidate's latency, or its operations if the latency is unknown."""
    exam = costs[name].evaluate
    if exam is None:
        return cost_words(selection, name)
    return f"{duration(exam.latency_p95)} per answer"


def rival(selection: Selection, name: str) -> str | None:
    """Return the candidate to compare with: the leader, or the runner-up of the leader."""
    return selection.leader if name != selection.leader else selection.runner_up


def gap_to(selection: Selection, name: str, other: str) -> Gap:
    """Return the advantage of `name` over `other`, one of which is the leader."""
    found = selection.candidates[other].against_leader
    if found is None:
        own = selection.candidates[name].against_leader
        if own is None:
            raise ValueError(f"{name} and {other} were not compared with each other")
        return own.of(selection.metric)
    gap = found.of(selection.metric)
    return Gap(
        value=-gap.value,
        low=None if gap.high is None else -gap.high,
        high=None if gap.low is None else -gap.low,
        lower=None,
        p_value=gap.p_value,
    )


def standing(selection: Selection) -> str:
    """Return the winner's position among the others in words."""
    name = selection.shown
    other = rival(selection, name)
    if other is None:
        return "the only candidate" if len(selection.candidates) == 1 else "the only one in the run"
    if name != selection.leader:
        label = METRICS[selection.metric]
        return f"within {selection.rule.margin:g} {label} of the best, {other}, and cheaper"
    gap = gap_to(selection, name, other)
    if gap.p_value is not None and gap.p_value < selection.method.level:
        return f"significantly ahead of {other}"
    return f"ahead of {other}, but not significantly"


def _which(selection: Selection, name: str) -> dict[str, str]:
    rule = selection.rule
    metrics = (
        ("exact_match", "f1") if rule.rule == "published" else (rule.metric, *rule.tie_breakers)
    )
    sort = ", then ".join(METRICS[metric] for metric in metrics)
    count = len(selection.candidates)
    if not selection.promoted:
        return {"figure": "none", "text": f"The figures here are those of {name}."}
    rank = selection.candidates[name].rank
    text = f"Rank {rank} of {count} by {sort}" if count > 1 else "The only candidate"
    other = selection.runner_up
    text += f"; runner-up {other}." if other else "."
    return {"figure": name, "text": text}


def _how_sure(selection: Selection, name: str) -> dict[str, str]:
    label, score = METRICS[selection.metric], selection.score(name)
    other = rival(selection, name)
    fixed, text = selection.corrected, ""
    if fixed is not None:
        text = (
            f" {label} {fixed.measured:.3f} measured, {fixed.corrected:.3f} corrected for "
            f"selection bias (optimism {fixed.optimism:.3f})."
        )
    if other is None:
        return {
            "figure": f"{label} {score.value:.3f}",
            "text": f"{label} {score_words(score)}.{text}",
        }
    gap = gap_to(selection, name, other)
    if gap.p_value is None:
        return {"figure": "unknown", "text": "With one document, nothing shows how certain it is."}
    found = detectable(selection)
    room = "" if found is None else f" {found}"
    return {
        "figure": p_value_words(gap.p_value),
        "text": f"{label} {signed(gap.value)} against {other}, 95 % interval "
        f"{signed_range(gap)}.{room}{text}",
    }


def _why(selection: Selection, name: str) -> dict[str, str]:
    found, rule = selection.candidates[name], selection.rule
    if not selection.promoted:
        words = {
            "below_reference": "below a reference",
            "unclear": "within the noise",
            "constraint": "beyond a constraint",
        }
        # the headline gives the reason; if every candidate fails a constraint, the notice does
        said = "" if selection.leader is None else sentence(remedy(selection, name))
        return {"figure": words.get(found.status, "refused"), "text": capitalised(said)}
    if rule.rule == "published":
        figure = "the plain sort"
    elif len(selection.candidates) == 1:
        figure = "no other candidate"
    elif name != selection.leader:
        figure = "equally good, and cheaper"
    else:
        figure = "the best score"
    # the previous card names the candidate
    text = capitalised(sentence(selection.reason.removeprefix(f"{name} is promoted: ")))
    if rule.must_beat and not selection.below and rule.rule != "published":
        nearest = min(
            rule.must_beat, key=lambda point: (selection.advantage(name, point).value, point)
        )
        gap = selection.advantage(name, nearest)
        text += f" The closest reference point: {plain(nearest)}, "
        text += f"{METRICS[selection.metric]} {signed(gap.value)}"
        text += "." if gap.lower is None else f" (lower bound {signed(gap.lower)})."
    return {"figure": figure, "text": text}


def _cost(selection: Selection, costs: Mapping[str, CandidateCosts], name: str) -> dict[str, str]:
    exam, training = costs[name].evaluate, costs[name].train
    operations = cost_words(selection, name)
    if exam is None:
        figure, unit = operations.split(" ", 1)
        text = f"{unit}. Latency and memory: not measured on this machine."
    else:
        figure = duration(exam.latency_p95)
        text = (
            f"95 of 100 answers take at most that time, and {size(exam.peak_memory_bytes)} of "
            f"memory. {operations}."
        )
    if training is not None:
        text += f" Trained in {duration(training.seconds)}."
    return {"figure": figure, "text": text}
