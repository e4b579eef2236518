"""Scores of candidates and reference points on the same questions, ready to be compared.

Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError
from vestibular.core.exam_results import Prediction, Scores
from vestibular.core.metrics import METRICS, Metric
from vestibular.core.questions import Question
from vestibular.selection.reference_points import (
    ANNOTATORS,
    EMPTY_ANSWER,
    UNTOUCHED_BASE,
    annotator_scores,
    mindless_scores,
)
from vestibular.selection.uncertainty import Bootstrap, Difference, mcnemar


@dataclass(frozen=True)
class Examined:
    """What is known of a candidate before the choice."""

    rows: Sequence[Prediction]
    """A row a question, in the questions' order."""
    cost: Mapping[str, float | None]
    """As `cost_of` returns it."""
    seeds: Mapping[str, Scores]
    """Mean scores by seed; empty if there is only one."""


class Comparison:
    """All scores on the same questions, ready to be compared."""

    def __init__(
        self,
        questions: Sequence[Question],
        candidates: Mapping[str, Examined],
        articles: str,
        seed: int,
    ) -> None:
        """Score the reference points and resample everything.

        Raises:
            DataError: a candidate has been examined on other questions.
        """
        self.questions = questions
        self.scores: dict[tuple[str, str], dict[str, list[float]]] = {}
        asked = [question.question for question in questions]
        for name, examined in candidates.items():
            if [row.after.question for row in examined.rows] != asked:
                raise DataError(
                    f"{name}: examined on other questions than those prepared; run "
                    f"`dvc repro evaluate@{name}`"
                )
            answers = {
                "before": [row.before for row in examined.rows],
                "after": [row.after for row in examined.rows],
            }
            for when, rows in answers.items():
                self.scores[when, name] = {
                    metric: [row.score(metric) for row in rows] for metric in METRICS
                }
        for name, scores in mindless_scores(questions, articles).items():
            self.scores["point", name] = scores
        documents = document_numbers(questions)
        self.bootstraps = {
            metric: Bootstrap(
                documents, {_key(*who): each[metric] for who, each in self.scores.items()}, seed
            )
            for metric in METRICS
        }
        # annotators can be compared where a question has several references only
        self.several = [place for place, asked in enumerate(questions) if len(asked.answers) > 1]
        self.annotators: dict[str, Bootstrap] = {}
        if self.several:
            agreement = annotator_scores(questions, articles)
            numbers = document_numbers([questions[place] for place in self.several])
            for metric in METRICS:
                columns = {
                    _key(*who): [each[metric][place] for place in self.several]
                    for who, each in self.scores.items()
                }
                columns[_key("point", ANNOTATORS)] = agreement[metric]
                self.annotators[metric] = Bootstrap(numbers, columns, seed)

    def points(self) -> list[str]:
        """Return the reference points' names but for the untouched bases."""
        names = [name for kind, name in self.scores if kind == "point"]
        return [*names, ANNOTATORS] if self.annotators else names

    def score(self, kind: str, name: str) -> dict[str, Any]:
        """Return both scores of `before`, `after` or `point`, with intervals."""
        scores: dict[str, Any] = {}
        for metric in METRICS:
            found = self._bootstrap(kind, name, metric).interval(_key(kind, name))
            scores[metric] = rounded({"value": found.value, "low": found.low, "high": found.high})
            if (kind, name) == ("point", EMPTY_ANSWER) and found.value == 0:
                # it scores nothing by its nature, not by the luck of the questions
                scores[metric]["high"] = 0.0
        return scores

    def against(self, candidate: str, kind: str, name: str) -> dict[str, Any]:
        """Return both differences of a candidate after fine-tuning less something else."""
        return {
            metric: difference_as_json(self.difference(candidate, kind, name, metric))
            for metric in METRICS
        }

    def difference(self, candidate: str, kind: str, name: str, metric: Metric) -> Difference:
        """Return one difference, resampled in pairs."""
        found = self._bootstrap(kind, name, metric)
        return found.difference(_key("after", candidate), _key(kind, name))

    def _bootstrap(self, kind: str, name: str, metric: Metric) -> Bootstrap:
        agreement = (kind, name) == ("point", ANNOTATORS)
        return (self.annotators if agreement else self.bootstraps)[metric]

    def split(self, candidate: str, other: str) -> tuple[int, int]:
        """Return how many questions the first candidate alone has right, and the second."""
        pairs = list(
            zip(
                self.scores["after", candidate]["exact_match"],
                self.scores["after", other]["exact_match"],
                strict=True,
            )
        )
        return sum(one > two for one, two in pairs), sum(one < two for one, two in pairs)

    def p_value(self, candidate: str, other: str, metric: Metric) -> float:
        """Return the p-value of the difference between two candidates in a metric."""
        if metric == "exact_match":
            return mcnemar(*self.split(candidate, other))
        return self.difference(candidate, "after", other, metric).p_value

    def is_below(self, candidate: str, point: str, metric: Metric) -> bool:
        """Return whether a candidate's score is not above a reference point's.

        Scores of single answers are stored with six places, so that less is no difference.
        """
        kind, name = ("before", candidate) if point == UNTOUCHED_BASE else ("point", point)
        return round(self.difference(candidate, kind, name, metric).value, 6) <= 0


def _key(kind: str, name: str) -> str:
    return f"{kind}:{name}"


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Round scores to six places: they have no more to say."""
    return {name: round(value, 6) for name, value in values.items()}


def difference_as_json(found: Difference) -> dict[str, float]:
    """Return a difference as the file holds it."""
    ends = {"value": found.value, "low": found.low, "high": found.high}
    return {**rounded(ends), "p_value": probability(found.p_value)}


def probability(value: float) -> float:
    """Round a p-value to six digits."""
    return float(f"{value:.6g}")
