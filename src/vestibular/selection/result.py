"""The choice and what supports it, as in `metrics/selection.json`."""

from typing import Any, Generic, TypeVar

from pydantic import Field

from vestibular.core.errors import DataError
from vestibular.core.exam_results import Scores
from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.metrics import Metric
from vestibular.selection.settings import ReferencePoint, SelectSettings
from vestibular.selection.status import Status

T = TypeVar("T")


class ByMetric(Part, Generic[T]):
    """One value for each of exact match and F1."""

    exact_match: T
    f1: T

    def of(self, metric: Metric) -> T:
        """Return the value for one metric."""
        return self.exact_match if metric == "exact_match" else self.f1


class Estimate(Part):
    """A mean score and its 95 % interval."""

    value: float
    """Mean over the questions, from 0 to 1, and over seeds if there are several."""
    low: float | None
    """Lower end; null if the questions are about one document, and if the answer scores 0 by
    definition."""
    high: float | None
    """Upper end; null if the lower one is."""


class Gap(Part):
    """One score minus another on the same questions.

    If the questions are about one document, all fields except the value are null.
    """

    value: float
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end of the 95 % interval."""
    lower: float | None
    """One-sided 95 % lower bound of the true difference."""
    p_value: float | None
    """Smallest level at which the two-sided interval excludes zero."""


class Limit(Part):
    """One of `select.constraints`, and a candidate's value."""

    limit: float
    measured: float
    met: bool


class CandidateCost(Part):
    """Costs that are the same in every run; measured ones are in `metrics/costs.json`."""

    flops_per_answer: float
    model_bytes: float
    trainable_parameters: int
    total_parameters: int
    seconds_per_answer: float | None = None
    """Only if `select.cost` requires it."""


class Spread(Part):
    """Mean scores of trainings that differ only by seed."""

    mean: float
    low: float
    """Lowest score of a seed."""
    high: float
    """Highest score of a seed."""
    standard_deviation: float


class Seeds(Part):
    """A candidate's scores with each seed, on the validation questions."""

    values: dict[str, Scores]
    """By seed."""
    exact_match: Spread
    f1: Spread

    def of(self, metric: Metric) -> Spread:
        """Return the spread in a metric."""
        return self.exact_match if metric == "exact_match" else self.f1


class CandidateFinding(Part):
    """The findings about a candidate."""

    rank: int
    """Place by score: `select.metric`, then `select.tie_breakers`."""
    status: Status
    """The candidate's status, in a word."""
    why: str
    """The reason for the status, in a sentence."""
    scores: ByMetric[Estimate]
    """After fine-tuning."""
    before: ByMetric[Estimate]
    """Scores of the untouched base: of whole answers or of their first lines, whichever is
    better."""
    gain: ByMetric[Gap]
    """After minus before."""
    against_leader: ByMetric[Gap] | None
    """Minus the leader; null for the leader itself."""
    against: dict[str, ByMetric[Gap]]
    """Minus each reference point, by name."""
    below: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it does not exceed."""
    unclear: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it exceeds by no more than the noise."""
    constraints: dict[str, Limit]
    """By key."""
    cost: CandidateCost
    saving: float | None
    """Share of the leader's cost that it saves; null without a leader."""
    pareto: bool
    """Whether no other candidate scores more at the same or a lower cost, or as much at a lower
    cost."""
    seeds: Seeds | None
    """Null if there is one seed."""


class PointFinding(Part):
    """Score of a reference point."""

    questions: int
    """Number of scored questions: annotator agreement needs several references."""
    scores: ByMetric[Estimate]


class Basis(Part):
    """The questions on which the candidates were compared."""

    basis: str
    """`validation` or `out_of_fold`."""
    count: int
    """Number of questions."""
    documents: int
    effective_documents: float
    """Equivalent number of equally large documents."""
    largest_share: float
    """Share of the questions in the largest document."""
    few: bool
    """Whether there are fewer than five documents."""
    dominated: bool
    """Whether one document holds half of the questions or more."""
    folds: int
    """Number of folds of the cross-validation; 0 if there is none."""
    seeds: int
    """Number of seeds averaged in each score."""


class Method(Part):
    """Parameters of the statistics."""

    level: float
    """Probability that an interval, or a bound, misses the true value."""
    power: float
    """Probability that a difference called detectable is detected."""
    seed: int
    """Seed of the random parts: the cross-validated choice and the simulated datasets."""


class CostMarginFigures(Part):
    """Whether cost can decide with these data."""

    rival: str
    """The best of the candidates that save enough."""
    half_width: float
    """Distance of the lower bound from the middle of its difference."""
    margin_needed: float
    """Margin within which an equally good, cheaper model is accepted with 80 % probability."""
    has_say: bool
    """Whether the half width is within `select.margin`."""


class CorrectedFigures(Part):
    """The chosen candidate's score in `metric`, measured and corrected for selection bias."""

    measured: float
    corrected: float
    optimism: float
    """The first minus the second, never negative."""


class WorstDocument(Part):
    """The document on which the winner is furthest below the leader."""

    name: str
    """Its title, or the beginning of its text."""
    questions: int
    difference: float
    """Mean score of the winner minus the leader's, in `metric`."""


class UnequalSetting(Part):
    """A training setting in which the candidates differ."""

    setting: str
    """Its dotted key under `train`."""
    values: dict[str, str]
    """By candidate, as JSON."""


class Selection(FileFormat):
    """`metrics/selection.json`: the choice and everything that supports it."""

    VERSION = 2
    MADE_BY = "dvc repro select"

    promoted: bool
    """Whether a model has been put into production."""
    reason: str
    """Why this candidate, or why none, in one sentence."""
    reasons: tuple[str, ...]
    """Everything that supports the choice, in sentences."""
    winner: str | None
    """The promoted candidate."""
    leader: str | None
    """The best by score of the candidates that may win."""
    runner_up: str | None
    """The best of the others by score; null if none is promoted."""
    below: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that the winner does not exceed, if a setting allows that."""
    unclear: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it exceeds by no more than the noise; if none is promoted,
    those of the candidate that would be."""
    metric: Metric
    """The score that decided."""
    rule: SelectSettings
    """The settings under `select`."""
    questions: Basis
    method: Method
    smallest_detectable: float | None
    """True difference in `metric` between leader and runner-up that is detected with 80 %
    probability; null for a single candidate, and with one document."""
    cost_say: CostMarginFigures | None
    """Null if no candidate saves enough, and with one document."""
    corrected: CorrectedFigures | None
    """Null with fewer than five documents, or with one that holds half of the questions."""
    worst_document: WorstDocument | None
    """Null if the leader wins."""
    unequal: tuple[UnequalSetting, ...]
    """Training settings that were not the same for all candidates."""
    candidates: dict[str, CandidateFinding] = Field(min_length=1)
    """By name, in order of rank."""
    reference_points: dict[str, PointFinding]
    """By name; each candidate's untouched base is in its own entry."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Refuse: version 1 used other statistics."""
        raise DataError("it was chosen by an earlier rule")

    @property
    def shown(self) -> str:
        """The candidate described by the figures: the winner, or the one closest to winning."""
        return self.winner or self.leader or next(iter(self.candidates))

    def score(self, name: str) -> Estimate:
        """Return a candidate's score in the deciding metric."""
        return self.candidates[name].scores.of(self.metric)

    def point_score(self, name: str, point: str) -> Estimate:
        """Return a reference point's score in that metric; an untouched base's too."""
        if point == "untouched_base":
            return self.candidates[name].before.of(self.metric)
        return self.reference_points[point].scores.of(self.metric)

    def advantage(self, name: str, point: str) -> Gap:
        """Return a candidate's advantage over a reference point in that metric."""
        found = self.candidates[name]
        return (found.gain if point == "untouched_base" else found.against[point]).of(self.metric)
