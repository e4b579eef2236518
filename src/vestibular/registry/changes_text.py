"""A comparison of two runs, formatted for a terminal."""

from collections.abc import Callable

from vestibular.core.metrics import METRIC_NAMES, METRICS, Metric
from vestibular.registry.changes import CandidateChange, Changes, ScoreChange
from vestibular.registry.revisions import Interval, Revision
from vestibular.selection.means import LEVEL
from vestibular.selection.phrases import amount, number, p_value_words

MARKS = {"gained": "+", "lost": "-"}
NAMED: tuple[tuple[Metric, str], ...] = tuple((metric, METRIC_NAMES[metric]) for metric in METRICS)
"""Both metrics with their names in sentences."""


def as_text(found: Changes, old: Revision, new: Revision, most: int | None) -> str:
    """Format a comparison, with at most `most` changed answers per candidate."""
    basis = "out-of-fold answers" if found.out_of_fold else "validation questions"
    lines = [f"{old.name} -> {new.name}, on the {basis}"]
    if found.of_the_choice:
        lines += ["", "the choice", *(f"  settings: {change}" for change in found.of_the_choice)]
    for name, row in found.candidates.items():
        lines += ["", name]
        if row.same_answers:
            lines += ["  every answer is the same", *_left_out(row)]
        elif row.missing:
            lines += _unpaired(row, old, new)
        elif not row.questions:
            lines.append("  the runs have no question in common, so that nothing can be compared")
        else:
            lines += [f"  {score_sentence(row.scores[metric], label)}" for metric, label in NAMED]
            lines += _flips(row, most)
        for kind, changes in row.changed.items():
            lines += [f"  {kind}: {change}" for change in changes]
        if not any(row.changed.values()):
            lines.append("  settings, data, base and code are the same")
            if row.missing or row.flipped:
                lines.append(
                    "  so the differences come from the processor or the packages: on another "
                    "machine, a run is similar to this one but not always equal"
                )
    for kind, names in (("added", found.added), ("removed", found.removed)):
        if names:
            lines += ["", f"{kind}: {', '.join(names)}"]
    return "\n".join(lines)


def _unpaired(row: CandidateChange, old: Revision, new: Revision) -> list[str]:
    """Say which answers are missing, and show the scores next to each other."""
    lines = [f"  not compared question by question: {reason}" for reason in row.missing]
    before, after = row.committed
    for revision, scores in ((old, before), (new, after)):
        if scores is None:
            lines.append(f"  the scores of {revision.name} are unknown too")
    if before is None or after is None:
        return lines
    lines.append("  on the validation questions, by scores alone:")
    for metric, label in NAMED:
        one, other = before.values.score(metric), after.values.score(metric)
        first, second = before.intervals.get(metric), after.intervals.get(metric)
        lines.append(f"    {label} {_with_interval(one, first)} -> {_with_interval(other, second)}")
        if first and second:
            similar = first.low <= other <= first.high and second.low <= one <= second.high
            lines[-1] += (
                ": similar, each within the other's interval"
                if similar
                else ": outside the other's interval; comparing the answers in pairs would tell "
                "more"
            )
    return lines


def _with_interval(score: float, interval: Interval | None) -> str:
    if interval is None:
        return number(score)
    return f"{number(score)} ({number(interval.low)} to {number(interval.high)})"


def advice(found: Changes, remote: Callable[[], bool]) -> str | None:
    """Say how to get missing answers; None if none are missing.

    Args:
        found: result of `compare`.
        remote: returns whether DVC has a remote, which takes a second.
    """
    if not any(row.missing for row in found.candidates.values()):
        return None
    if remote():
        return (
            "`dvc fetch --all-commits` downloads the missing answers, if they were pushed; then "
            "run this again"
        )
    return (
        "no DVC remote is set up here, so the missing answers exist only on the machine that "
        "made them"
    )


def score_sentence(row: ScoreChange, label: str) -> str:
    """Say how a mean score changed, and whether beyond noise."""
    said = f"{label} {number(row.old)} -> {number(row.new)}"
    apart = row.difference
    if row.p_corrected is None or apart.low is None or apart.high is None:
        return f"{said}: about one document, so nothing shows how certain the difference is"
    outcome = "within the noise"
    if row.p_corrected < LEVEL:
        outcome = f"{'better' if apart.value > 0 else 'worse'}, beyond noise"
    return (
        f"{said}: {outcome} (difference {apart.value:+.3f}, {number(apart.low)} to "
        f"{number(apart.high)}, {p_value_words(row.p_corrected)} after Holm's correction)"
    )


def _left_out(row: CandidateChange) -> list[str]:
    if not any(row.left_out):
        return []
    before, after = map(amount, row.left_out)
    return [
        f"  not compared: {before} questions of the old run and {after} of the new one, which the "
        "other did not ask in the same words"
    ]


def _flips(row: CandidateChange, most: int | None) -> list[str]:
    counts = {way: sum(one.way == way for one in row.flipped) for way in MARKS}
    lines = [
        f"  of {amount(row.questions)} questions, {counts['gained']} are newly right and "
        f"{counts['lost']} newly wrong"
    ]
    lines += _left_out(row)
    lines += [
        f"    {MARKS[one.way]} {one.question} [{one.id}]  {one.old!r} -> {one.new!r}"
        for one in row.flipped[:most]
    ]
    if most is not None and len(row.flipped) > most:
        lines.append(f"    and {len(row.flipped) - most} more (--all shows them)")
    return lines
