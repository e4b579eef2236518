"""Scores of candidates and reference points on the same questions, ready for comparison."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError
from vestibular.core.exam_results import AnsweredQuestion, Prediction, Scores, base_column
from vestibular.core.metrics import METRICS, Metric
from vestibular.core.questions import Question
from vestibular.scoring.normalization import Normalization
from vestibular.selection.clusters import Clusters, Flags, Numbers
from vestibular.selection.contest import PLACES, Contestant, Reference
from vestibular.selection.differences import difference
from vestibular.selection.means import mean_interval
from vestibular.selection.reference_points import (
    ANNOTATORS,
    EMPTY_ANSWER,
    UNTOUCHED_BASE,
    annotator_scores,
    baseline_scores,
)
from vestibular.selection.result import ByMetric, Estimate, Gap

Kind = Literal["before", "after", "point"]
"""A candidate's untouched base, the candidate itself, or a reference point."""
T = TypeVar("T")


@dataclass(frozen=True)
class Examined:
    """What is known about a candidate before the choice."""

    rows: Sequence[Prediction]
    """One row per question, in the order of the questions."""
    cost: Mapping[str, float | None]
    """Costs as returned by `cost_of`."""
    seeds: Mapping[str, Scores]
    """Mean scores by seed; empty if there is only one seed."""
    further_answers: Sequence[Sequence[AnsweredQuestion]] = ()
    """For each further seed, the answers to the same questions."""


class Comparison:
    """All scores on the same questions, ready for comparison."""

    def __init__(
        self,
        questions: Sequence[Question],
        candidates: Mapping[str, Examined],
        rules: Normalization,
    ) -> None:
        """Score the reference points and arrange all scores by question.

        Raises:
            DataError: a candidate has been examined on other questions.
        """
        self.questions = questions
        self.clusters = Clusters(document_numbers(questions))
        self._scores: dict[tuple[Kind, str, Metric], Numbers] = {}
        """Each of shape (seeds, questions)."""
        asked = [question.question for question in questions]
        for name, examined in candidates.items():
            answers = [[row.after for row in examined.rows], *examined.further_answers]
            for rows in answers:
                if [row.question for row in rows] != asked:
                    raise DataError(
                        f"{name}: examined on other questions than those prepared; run "
                        f"`dvc repro evaluate@{name}`"
                    )
            before = [row.before for row in examined.rows]
            for metric in METRICS:
                after = np.array([[row.score(metric) for row in rows] for rows in answers])
                self._scores["after", name, metric] = after
                self._scores["before", name, metric] = np.array([base_column(before, metric)])
        for name, scores in baseline_scores(questions, rules).items():
            for metric in METRICS:
                self._scores["point", name, metric] = np.array([scores[metric]])
        # annotators can be compared only on questions with several references
        self.several: Flags = np.array([len(question.answers) > 1 for question in questions])
        if self.several.any():
            agreement = annotator_scores(questions, rules)
            for metric in METRICS:
                spread = np.zeros((1, len(questions)))
                spread[0, self.several] = agreement[metric]
                self._scores["point", ANNOTATORS, metric] = spread

    @property
    def points(self) -> list[str]:
        """The reference points' names, without the untouched bases."""
        return list(dict.fromkeys(name for kind, name, _ in self._scores if kind == "point"))

    def estimate(self, kind: Kind, name: str) -> ByMetric[Estimate]:
        """Return both scores with their intervals."""

        def one(metric: Metric) -> Estimate:
            asked, clusters = self._asked(kind, name)
            scores = self._scores[kind, name, metric].mean(axis=0)[asked]
            found = mean_interval(scores, clusters)
            # an empty answer scores 0 by definition, not by chance
            fixed = (kind, name) == ("point", EMPTY_ANSWER) and found.value == 0
            return Estimate(
                value=rounded(found.value),
                low=None if fixed or found.low is None else rounded(found.low),
                high=None if fixed or found.high is None else rounded(found.high),
            )

        return _both(one)

    def gap(self, candidate: str, kind: Kind, name: str) -> ByMetric[Gap]:
        """Return a fine-tuned candidate's scores minus those of something else, in both metrics."""

        def one(metric: Metric) -> Gap:
            asked, clusters = self._asked(kind, name)
            found = difference(
                self._scores["after", candidate, metric][:, asked],
                self._scores[kind, name, metric][:, asked],
                clusters,
            )
            return Gap(
                value=rounded(found.value),
                low=None if found.low is None else rounded(found.low),
                high=None if found.high is None else rounded(found.high),
                lower=None if found.lower is None else rounded(found.lower),
                p_value=None if found.p_value is None else float(f"{found.p_value:.6g}"),
            )

        return _both(one)

    def contestant(
        self, name: str, metric: Metric, ties: Sequence[Metric], cost: float, fits: bool
    ) -> Contestant:
        """Return a candidate in the form the rule takes.

        Args:
            name: the candidate.
            metric: the deciding score.
            ties: scores that order equal candidates.
            cost: the cost that the rule compares.
            fits: whether it meets the constraints.
        """
        further = [self._scores["after", name, each].mean(axis=0) for each in ties]
        none = np.zeros((0, len(self.questions)))
        return Contestant(
            name=name,
            scores=self._scores["after", name, metric],
            cost=cost,
            tie_breakers=np.array(further) if further else none,
            meets_constraints=fits,
        )

    def reference(self, point: str, names: Sequence[str], metric: Metric) -> Reference:
        """Return a reference point in the form the rule takes, for each of the candidates."""
        if point == UNTOUCHED_BASE:
            return Reference(
                point, np.stack([self._scores["before", name, metric][0] for name in names])
            )
        scores = np.tile(self._scores["point", point, metric], (len(names), 1))
        return Reference(point, scores, self.several if point == ANNOTATORS else None)

    def by_document(self, name: str, other: str, metric: Metric) -> Numbers:
        """Return each document's mean score difference of two candidates."""
        apart = self._scores["after", name, metric].mean(axis=0)
        apart = apart - self._scores["after", other, metric].mean(axis=0)
        return self.clusters.sums(apart) / self.clusters.sizes

    def _asked(self, kind: Kind, name: str) -> tuple[Flags, Clusters]:
        """Return the questions that have a score, and their documents."""
        if (kind, name) == ("point", ANNOTATORS):
            return self.several, Clusters(self.clusters.index[self.several])
        return np.ones(len(self.questions), dtype=np.bool_), self.clusters


def rounded(value: float) -> float:
    """Round a score to the six places that are meaningful."""
    return round(float(value), PLACES)


def _both(one: Callable[[Metric], T]) -> ByMetric[T]:
    return ByMetric(exact_match=one("exact_match"), f1=one("f1"))
