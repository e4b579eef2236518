"""What changed between two runs, and whether the scores differ beyond noise.

A candidate's answers of both runs are compared on the same questions, in pairs. Nothing here
imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from vestibular.core.documents import document_numbers
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.metrics import METRICS, Metric
from vestibular.registry.revisions import Revision
from vestibular.selection.clusters import Clusters
from vestibular.selection.differences import Difference, difference
from vestibular.selection.means import LEVEL
from vestibular.selection.phrases import METRIC_NAMES, amount, number, probability

MARKS = {"gained": "+", "lost": "-"}
NEVER = ("train.seeds", "evaluate.folds")
"""Settings of which a candidate's own training and exam are independent."""

Rows = Sequence[AnsweredQuestion]
Pair = tuple[AnsweredQuestion, AnsweredQuestion]


class _Source(NamedTuple):
    title: str
    context: str


@dataclass(frozen=True)
class Flip:
    """A question that one of the two runs alone has right."""

    id: str
    question: str
    old: str
    """The older run's answer."""
    new: str
    """The newer run's answer."""
    way: Literal["gained", "lost"]


@dataclass(frozen=True)
class ScoreChange:
    """A mean score of both runs."""

    old: float
    new: float
    difference: Difference
    p_corrected: float | None
    """The difference's p-value after Holm's correction over the candidates whose answers changed;
    None where these are of one document."""


@dataclass(frozen=True)
class CandidateChange:
    """A candidate of both runs."""

    questions: int
    """Questions that both runs asked, with equal references."""
    answers_changed: bool
    """Whether any answer differs."""
    scores: Mapping[Metric, ScoreChange]
    """Empty where no question is the same."""
    flipped: Sequence[Flip]
    changed: Mapping[str, Sequence[str]]
    """What differs in settings, data, base and code, a line each."""


@dataclass(frozen=True)
class Changes:
    """Two runs compared."""

    out_of_fold: bool
    """Whether the answers are those of a cross-validation."""
    candidates: Mapping[str, CandidateChange]
    """Those that are in both."""
    added: Sequence[str]
    removed: Sequence[str]


def compare(old: Revision, new: Revision) -> Changes:
    """Compare two runs, candidate by candidate.

    Both runs' out-of-fold answers are compared if both have the same folds, else those to the
    validation questions. Of these the ones count that both runs asked, with equal references.

    Raises:
        DataError: a run's answers are not in DVC's cache.
    """
    folds = old.folds if old.folds == new.folds else ()
    found = {}
    for name in new.candidates:
        if name in old.candidates:
            pairs = _pairs(old.answers(name, folds), new.answers(name, folds))
            found[name] = CandidateChange(
                questions=len(pairs),
                answers_changed=any(before.answer != after.answer for before, after in pairs),
                scores=_scores(pairs),
                flipped=_flipped(pairs),
                changed=_changed(old, new, name),
            )
    return Changes(
        out_of_fold=bool(folds),
        candidates=_corrected(found),
        added=[name for name in new.candidates if name not in old.candidates],
        removed=[name for name in old.candidates if name not in new.candidates],
    )


def _corrected(found: Mapping[str, CandidateChange]) -> dict[str, CandidateChange]:
    """Correct over the candidates whose answers changed: of the others nothing is asked."""
    result = dict(found)
    for metric in METRICS:
        raw = {
            name: p_value
            for name, row in found.items()
            if row.answers_changed
            and (p_value := row.scores[metric].difference.p_value) is not None
        }
        for name, p_value in holm(raw).items():
            row = result[name]
            one = replace(row.scores[metric], p_corrected=p_value)
            result[name] = replace(row, scores={**row.scores, metric: one})
    return result


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct the p-values of several comparisons made at once.

    Source: Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
    Journal of Statistics 6(2).
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return corrected


def _pairs(old: Rows, new: Rows) -> list[Pair]:
    def key(row: AnsweredQuestion) -> tuple[str, ...]:
        return (row.id, row.title, row.question, *row.references)

    before = {key(row): row for row in old}
    return [(before[key(row)], row) for row in new if key(row) in before]


def _scores(pairs: Sequence[Pair]) -> dict[Metric, ScoreChange]:
    if not pairs:
        return {}
    # rows of earlier versions name no context: there a title is a document
    clusters = Clusters(
        document_numbers(
            [_Source(new.title, new.context or old.context or new.title) for old, new in pairs]
        )
    )
    found: dict[Metric, ScoreChange] = {}
    for metric in METRICS:
        old = np.array([row.score(metric) for row, _ in pairs])
        new = np.array([row.score(metric) for _, row in pairs])
        apart = difference(new, old, clusters)
        found[metric] = ScoreChange(float(old.mean()), float(new.mean()), apart, apart.p_value)
    return found


def _flipped(pairs: Sequence[Pair]) -> list[Flip]:
    """Return the questions that one of the two runs alone has right."""
    return [
        Flip(
            id=new.id,
            question=new.question,
            old=old.answer,
            new=new.answer,
            way="gained" if new.exact_match else "lost",
        )
        for old, new in pairs
        if old.exact_match != new.exact_match
    ]


def _changed(old: Revision, new: Revision, name: str) -> dict[str, list[str]]:
    """Say what differs in settings, data, base and code, a line each."""
    before, after = old.settings(name), new.settings(name)
    settings = [
        f"{key}: {_shown(before, key)} -> {_shown(after, key)}"
        for key in sorted({*before, *after})
        if key not in NEVER and before.get(key) != after.get(key)
    ]
    read_before, read_after = old.inputs(name), new.inputs(name)
    differing = [
        path
        for path in sorted({*read_before, *read_after})
        if read_before.get(path) != read_after.get(path)
    ]
    return {
        "settings": settings,
        "data": [path for path in differing if path.startswith("data/prepared")],
        "base": [path for path in differing if path.startswith("data/bases/")],
        "code": [path for path in differing if path.startswith(("src/", "stages/", "code/"))],
    }


def _shown(settings: Mapping[str, Any], key: str) -> str:
    text = repr(settings[key]) if key in settings else "not set"
    return text if len(text) <= 60 else text[:57] + "..."


def as_text(found: Changes, old: Revision, new: Revision, most: int | None) -> str:
    """Lay a comparison out for a terminal, with at most so many flipped questions a candidate."""
    basis = "out-of-fold answers" if found.out_of_fold else "validation questions"
    lines = [f"{old.name} -> {new.name}, on the {basis}"]
    for name, row in found.candidates.items():
        lines += ["", name]
        if not row.questions:
            lines.append("  no question is the same in both, so that nothing can be compared")
        elif not row.answers_changed:
            scores = ", ".join(
                f"{label} {number(row.scores[metric].new)}" for metric, label in NAMED
            )
            lines.append(f"  every answer is the same: {scores}")
        else:
            lines += [f"  {_sentence(row.scores[metric], label)}" for metric, label in NAMED]
            lines += _flips(row, most)
        for kind, changes in row.changed.items():
            lines += [f"  {kind}: {change}" for change in changes]
        if not any(row.changed.values()):
            lines.append("  settings, data, base and code are the same")
    for kind, names in (("added", found.added), ("removed", found.removed)):
        if names:
            lines += ["", f"{kind}: {', '.join(names)}"]
    return "\n".join(lines)


NAMED: tuple[tuple[Metric, str], ...] = tuple((metric, METRIC_NAMES[metric]) for metric in METRICS)
"""Both metrics with their names in sentences."""


def _sentence(row: ScoreChange, label: str) -> str:
    said = f"{label} {number(row.old)} -> {number(row.new)}"
    apart = row.difference
    if row.p_corrected is None or apart.low is None or apart.high is None:
        return f"{said}: of one document, so that nothing tells how sure the difference is"
    verdict = "within the noise"
    if row.p_corrected < LEVEL:
        verdict = f"{'better' if apart.value > 0 else 'worse'}, beyond noise"
    return (
        f"{said}: {verdict} (difference {apart.value:+.3f}, {number(apart.low)} to "
        f"{number(apart.high)}, {probability(row.p_corrected)} after Holm's correction)"
    )


def _flips(row: CandidateChange, most: int | None) -> list[str]:
    counts = {way: sum(one.way == way for one in row.flipped) for way in MARKS}
    lines = [
        f"  of {amount(row.questions)} questions {counts['gained']} are right now that were "
        f"not, {counts['lost']} no longer are"
    ]
    lines += [
        f"    {MARKS[one.way]} {one.question} [{one.id}]  {one.old!r} -> {one.new!r}"
        for one in row.flipped[:most]
    ]
    if most is not None and len(row.flipped) > most:
        lines.append(f"    and {len(row.flipped) - most} more (--all shows them)")
    return lines
