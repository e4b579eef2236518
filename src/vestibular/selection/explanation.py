"""The choice in words: sentences built from the findings of `selecting` alone."""

from collections.abc import Sequence

from vestibular.core.metrics import METRIC_NAMES
from vestibular.selection.answer_costs import COSTS
from vestibular.selection.phrases import (
    amount,
    bounded,
    number,
    p_value_words,
    scored,
)
from vestibular.selection.remarks import detectable, documents, notes
from vestibular.selection.result import CandidateFinding, Selection
from vestibular.selection.status import Status


def permission(found: Selection) -> str:
    """Return the setting that lets a candidate win that is not above `select.must_beat`."""
    published = found.rule.rule == "published"
    return "select.rule: published" if published else "select.allow_below_reference"


def explained(found: Selection) -> Selection:
    """Return the selection with all its sentences."""
    candidates = {
        name: row.model_copy(update={"why": why(found, name)})
        for name, row in found.candidates.items()
    }
    told = found.model_copy(update={"candidates": candidates, "reason": reason(found)})
    return told.model_copy(update={"reasons": tuple(reasons(told))})


def why(found: Selection, name: str) -> str:
    """Return the reason for a candidate's status, in one sentence."""
    row = found.candidates[name]
    label, within = METRIC_NAMES[found.metric], f"within {found.rule.margin:g}"
    gap = None if row.against_leader is None else row.against_leader.of(found.metric)
    match row.status:
        case Status.CONSTRAINT:
            return f"fails {_violations(row)}"
        case Status.BELOW_REFERENCE:
            score = number(found.score(name).value)
            return f"its {label} {score} is not above {_points(found, name, row.below)}"
        case Status.UNCLEAR:
            return f"not clearly above {_points(found, name, row.unclear)}"
        case Status.OUTRANKED:
            return f"ranked behind {found.winner} by the plain sort"
        case Status.DOMINATED:
            return f"{_dominator(found, name)} scores no less and costs no more"
        case Status.UNDERCUT:
            return f"the best by {label}; {found.winner} is {within} of it and cheaper"
        case Status.SAVES_TOO_LITTLE:
            return (
                f"saves {row.saving or 0:.1%} of {found.leader}'s {COSTS[found.rule.cost].name}; "
                f"select.minimum_saving requires {found.rule.minimum_saving:.0%}"
            )
        case Status.WITHIN_MARGIN if gap is not None:
            return (
                f"{within} {label} of {found.leader} ({bounded(gap)}), but another such candidate "
                "is cheaper"
            )
        case Status.BEYOND_MARGIN if gap is not None:
            if gap.lower is not None and gap.lower > -found.rule.margin:
                return (
                    f"{within} {label} of {found.leader} ({bounded(gap)}), but not shown to be "
                    "within it of every candidate that scores better"
                )
            return f"not shown to be {within} {label} of {found.leader} ({bounded(gap)})"
    return reason(found)


def reason(found: Selection) -> str:
    """Return in one sentence which candidate is promoted and why, or why none is."""
    label, winner, leader = METRIC_NAMES[found.metric], found.winner, found.leader
    if leader is None:
        each = "; ".join(f"{name}: {_violations(row)}" for name, row in found.candidates.items())
        return f"nothing is promoted: every candidate fails select.constraints ({each})"
    if winner is None:
        return _refusal(found, leader)
    if found.rule.rule == "published":
        return f"{winner} is promoted: first in the plain sort by exact match, then F1"
    promoted = f"{winner} is promoted"
    if found.below:
        promoted += (
            ", since select.allow_below_reference allows it, although it is not above "
            f"{_points(found, winner, found.below)}"
        )
    elif found.unclear:
        promoted += f", though not clearly above {_points(found, winner, found.unclear)}"
    row = found.candidates[winner]
    if row.against_leader is not None:
        return (
            f"{promoted}: within {found.rule.margin:g} {label} of the best, {leader} "
            f"({bounded(row.against_leader.of(found.metric))}), at {row.saving or 0:.0%} less "
            f"{COSTS[found.rule.cost].name}"
        )
    best = scored(found.score(winner))
    if len(found.candidates) == 1:
        return f"{promoted}: the only candidate, with {label} {best}"
    end = f"no cheaper candidate is shown to be within {found.rule.margin:g} of it"
    if found.cost_say is None:
        end = f"no other candidate in the running saves {found.rule.minimum_saving:.0%} of its cost"
        if found.questions.documents == 1:
            end = "with one document, cost cannot decide"
    return f"{promoted}: its {label}, {best}, is the best, and {end}"


def _refusal(found: Selection, leader: str) -> str:
    label, best = METRIC_NAMES[found.metric], number(found.score(leader).value)
    row = found.candidates[leader]
    short, points = ("not above", row.below) if row.below else ("not clearly above", row.unclear)
    return (
        f"nothing is promoted: the best candidate, {leader}, has {label} {best}, {short} "
        f"{_points(found, leader, points)}; {remedy(found, leader)}"
    )


def remedy(found: Selection, name: str) -> str:
    """Return what to do to get a candidate promoted that was refused for its score."""
    if found.candidates[name].below:
        return "improve it, or set select.allow_below_reference: true to promote it anyway"
    return (
        "improve it, ask more questions, or set select.must_beat_clearly: false to promote it "
        "anyway"
    )


def reasons(found: Selection) -> list[str]:
    """Return everything that supports the choice, in sentences."""
    said = [found.reason, documents(found), *notes(found)]
    if (least := detectable(found)) is not None:
        said.insert(2, least)
    said += [
        f"{name}: {row.why}."
        for name, row in found.candidates.items()
        if row.status is not Status.WINNER
    ]
    if found.leader is not None:
        name = found.shown
        for point in (*found.candidates[name].against, "untouched_base"):
            gap = found.advantage(name, point)
            end = ""
            if gap.p_value is not None:
                surely = "significant" if gap.p_value < found.method.level else "noise"
                end = f", {p_value_words(gap.p_value)} ({surely})"
            said.append(
                f"{name} minus {point.replace('_', ' ')} in {METRIC_NAMES[found.metric]}: "
                f"{scored(gap)}{end}."
            )
    return said


def _violations(row: CandidateFinding) -> str:
    return "; ".join(
        f"{key} {amount(each.limit)} (measured: {amount(each.measured)})"
        for key, each in row.constraints.items()
        if not each.met
    )


def _points(found: Selection, name: str, points: Sequence[str]) -> str:
    """Name reference points with their scores."""
    return " and ".join(
        f"the {point.replace('_', ' ')} ({number(found.point_score(name, point).value)})"
        for point in points
    )


def _dominator(found: Selection, name: str) -> str:
    """Return the best candidate in the running that outranks `name` and costs no more."""
    key = COSTS[found.rule.cost].key
    row = found.candidates[name]
    out = (Status.CONSTRAINT, Status.BELOW_REFERENCE)
    return next(
        other
        for other, one in found.candidates.items()
        if one.status not in out
        and one.rank < row.rank
        and getattr(one.cost, key) <= getattr(row.cost, key)
    )
