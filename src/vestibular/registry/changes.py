"""Changes between two runs, and whether the scores differ beyond noise.

A candidate's answers in both runs are compared in pairs, on the same questions. If one run's
answers are not here, its scores are only shown next to the other's, without a test. Nothing here
imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from vestibular.core.documents import document_numbers
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.metrics import METRICS, Metric
from vestibular.registry.revisions import CommittedScores, NoAnswersError, Revision, flat
from vestibular.selection.clusters import Clusters
from vestibular.selection.differences import Difference, difference

NEVER = ("train.seeds", "evaluate.folds")
"""Settings of which a candidate's own training and exam are independent."""
OF_THE_CHOICE = ("repeats", "select.", *NEVER)
"""Prefixes of settings that affect only the choice between the candidates."""

Rows = Sequence[AnsweredQuestion]
Pair = tuple[AnsweredQuestion, AnsweredQuestion]


class _Source(NamedTuple):
    title: str
    context: str


@dataclass(frozen=True)
class Flip:
    """A question that only one of the two runs answered correctly."""

    id: str
    question: str
    old: str
    """The older run's answer."""
    new: str
    """The newer run's answer."""
    way: Literal["gained", "lost"]


@dataclass(frozen=True)
class ScoreChange:
    """A mean score in both runs."""

    old: float
    new: float
    difference: Difference
    p_corrected: float | None
    """The difference's p-value after Holm's correction over the candidates whose answers changed;
    None if the questions are about one document."""


@dataclass(frozen=True)
class CandidateChange:
    """A candidate in both runs."""

    changed: Mapping[str, Sequence[str]]
    """Differences in settings, data, base and code, one line each."""
    questions: int = 0
    """Number of questions that both runs asked, with equal references."""
    left_out: tuple[int, int] = (0, 0)
    """Number of questions of the old and of the new run that the other did not ask."""
    same_answers: bool = False
    """Whether all answers and scores are equal."""
    missing: Sequence[str] = ()
    """Descriptions of the answers that are not here."""
    committed: tuple[CommittedScores | None, CommittedScores | None] = (None, None)
    """If answers are missing, the scores of both runs as stored in git; None if unknown."""
    scores: Mapping[Metric, ScoreChange] = field(default_factory=dict)
    """Empty if the runs have no question in common."""
    flipped: Sequence[Flip] = ()


@dataclass(frozen=True)
class Changes:
    """Comparison of two runs."""

    out_of_fold: bool
    """Whether the answers come from a cross-validation."""
    candidates: Mapping[str, CandidateChange]
    """The candidates in both runs."""
    added: Sequence[str]
    removed: Sequence[str]
    of_the_choice: Sequence[str]
    """Differences in the settings of the choice between the candidates, one line each."""


def compare(old: Revision, new: Revision) -> Changes:
    """Compare two runs, candidate by candidate.

    Out-of-fold answers are compared if both runs have the same folds, else the answers to the
    validation questions. Only questions that both runs asked, with equal references, count.

    Raises:
        DataError: a run did not examine a candidate.
        GitError: git does not have a revision's files.
    """
    folds = old.folds if old.folds == new.folds else ()
    found = {}
    for name in new.candidates:
        if name in old.candidates:
            found[name] = _compared(old, new, name, folds)
    return Changes(
        out_of_fold=bool(folds),
        candidates=corrected(found),
        added=[name for name in new.candidates if name not in old.candidates],
        removed=[name for name in old.candidates if name not in new.candidates],
        of_the_choice=[
            line
            for line in _differing(flat(old.params), flat(new.params))
            if line.startswith(OF_THE_CHOICE)
        ],
    )


def _compared(old: Revision, new: Revision, name: str, folds: tuple[str, ...]) -> CandidateChange:
    changed = _changed(old, new, name)
    answers: list[Rows] = []
    missing = []
    for revision in (old, new):
        try:
            answers.append(revision.answers(name, folds))
        except NoAnswersError as error:
            missing.append(str(error))
    if missing:
        if old.answer_hashes(name, folds) == new.answer_hashes(name, folds):
            return CandidateChange(changed, same_answers=True)
        committed = (old.scores(name), new.scores(name))
        return CandidateChange(changed, missing=missing, committed=committed)
    before, after = answers
    return compare_answers(before, after, changed)


def compare_answers(
    before: Rows, after: Rows, changed: Mapping[str, Sequence[str]]
) -> CandidateChange:
    """Compare two exams, question by question; the p-values are not corrected yet.

    Args:
        before: rows of the older exam.
        after: rows of the newer exam.
        changed: differences between the inputs of the exams, one line each.
    """
    pairs = _pairs(before, after)
    return CandidateChange(
        changed,
        questions=len(pairs),
        left_out=(len(before) - len(pairs), len(after) - len(pairs)),
        same_answers=bool(pairs) and all(_as_good(*pair) for pair in pairs),
        scores=_scores(pairs),
        flipped=_flipped(pairs),
    )


def _as_good(old: AnsweredQuestion, new: AnsweredQuestion) -> bool:
    return (old.answer, old.exact_match, old.f1) == (new.answer, new.exact_match, new.f1)


def corrected(found: Mapping[str, CandidateChange]) -> dict[str, CandidateChange]:
    """Correct over the candidates whose answers changed; the others are not tested."""
    result = dict(found)
    for metric in METRICS:
        raw = {
            name: p_value
            for name, row in found.items()
            if row.scores
            and not row.same_answers
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
    found: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        found[name] = largest
    return found


def _pairs(old: Rows, new: Rows) -> list[Pair]:
    def key(row: AnsweredQuestion) -> tuple[str, ...]:
        return (row.id, row.title, row.question, *row.references)

    before = {key(row): row for row in old}
    return [(before[key(row)], row) for row in new if key(row) in before]


def _scores(pairs: Sequence[Pair]) -> dict[Metric, ScoreChange]:
    if not pairs:
        return {}
    # rows of earlier versions have no context: there, a title is a document
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
    """Return the questions that only one of the two runs answered correctly."""
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
    """Return the differences in settings, data, base and code, one line each."""
    settings = [
        line
        for line in _differing(old.settings(name), new.settings(name))
        if not line.startswith(NEVER)
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


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {_shown(before, key)} -> {_shown(after, key)}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def _shown(settings: Mapping[str, Any], key: str) -> str:
    text = repr(settings[key]) if key in settings else "not set"
    return text if len(text) <= 60 else text[:57] + "..."
