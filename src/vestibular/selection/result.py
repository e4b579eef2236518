"""What the choice rests on, as `metrics/selection.json` holds it."""

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
    """The same about exact match and F1."""

    exact_match: T
    f1: T

    def of(self, metric: Metric) -> T:
        """Return what is about one of the two."""
        return self.exact_match if metric == "exact_match" else self.f1


class Estimate(Part):
    """A mean score and its 95 % interval."""

    value: float
    """Mean over the questions, from 0 to 1; over seeds too, if there are several."""
    low: float | None
    """Lower end; null where the questions are of one document, and where the answer scores 0 by
    its nature."""
    high: float | None
    """Upper end; null where the lower one is."""


class Gap(Part):
    """One score less another on the same questions.

    All but the value are null where these are of one document.
    """

    value: float
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end of the 95 % interval."""
    lower: float | None
    """One-sided bound: the true difference is above it 95 times in 100."""
    p_value: float | None
    """Least level whose two-sided interval leaves out zero."""


class Limit(Part):
    """One of `select.constraints`, and what a candidate has."""

    limit: float
    measured: float
    met: bool


class CandidateCost(Part):
    """What is the same in every run; what is measured stands in `metrics/costs.json`."""

    flops_per_answer: float
    model_bytes: float
    trainable_parameters: int
    total_parameters: int
    seconds_per_answer: float | None = None
    """Only if `select.cost` asks for it."""


class Spread(Part):
    """Mean scores of trainings that differ by their seeds alone."""

    mean: float
    low: float
    """The least of the seeds."""
    high: float
    """The most of the seeds."""
    standard_deviation: float


class Seeds(Part):
    """What a candidate scores with each seed, on the validation questions."""

    values: dict[str, Scores]
    """By seed."""
    exact_match: Spread
    f1: Spread

    def of(self, metric: Metric) -> Spread:
        """Return the spread in a metric."""
        return self.exact_match if metric == "exact_match" else self.f1


class CandidateFinding(Part):
    """What was found of a candidate."""

    rank: int
    """Place by score: `select.metric`, then `select.tie_breakers`."""
    status: Status
    """What became of it, in a word."""
    why: str
    """The same in a sentence."""
    scores: ByMetric[Estimate]
    """After fine-tuning."""
    before: ByMetric[Estimate]
    """Of the untouched base: of whole answers or of their first lines, whichever is better."""
    gain: ByMetric[Gap]
    """After less before."""
    against_leader: ByMetric[Gap] | None
    """Less the leader; null for the leader itself."""
    against: dict[str, ByMetric[Gap]]
    """Less each reference point, by name."""
    below: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it is not above."""
    unclear: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it is above, by no more than the noise."""
    constraints: dict[str, Limit]
    """By key."""
    cost: CandidateCost
    saving: float | None
    """Share of the leader's cost that it saves; null without a leader."""
    pareto: bool
    """Whether no other scores more at no higher cost, or as much at a lower one."""
    seeds: Seeds | None
    """Null if there is one seed."""


class PointFinding(Part):
    """What a reference point scores."""

    questions: int
    """Those that it has a score for: annotators agree where there are several references."""
    scores: ByMetric[Estimate]


class Basis(Part):
    """What the candidates were compared on."""

    basis: str
    """`validation` or `out_of_fold`."""
    count: int
    """Questions."""
    documents: int
    effective_documents: float
    """Equal documents that would weigh as much."""
    largest_share: float
    """Share of the questions that the largest document holds."""
    few: bool
    """Whether there are fewer than five documents."""
    dominated: bool
    """Whether one document holds half of the questions or more."""
    folds: int
    """Folds of the cross-validation; 0 for none."""
    seeds: int
    """Seeds that each score is the mean of."""


class Method(Part):
    """What the figures mean."""

    level: float
    """Probability with which an interval, or a bound, misses the truth."""
    power: float
    """Probability with which what is called detectable is detected."""
    seed: int
    """Of what is drawn: the parts of the cross-validated choice, and datasets like this one."""


class CostSayFigures(Part):
    """Whether cost can decide with these data."""

    rival: str
    """The best of the candidates that save enough."""
    half_width: float
    """How far the bound of its difference lies below the middle."""
    margin_needed: float
    """Margin within which an equal cheaper model is accepted four times in five."""
    has_say: bool
    """Whether the half width is within `select.margin`."""


class CorrectedFigures(Part):
    """The chosen candidate's score in `metric`, and what it is without the luck of being chosen."""

    measured: float
    corrected: float
    optimism: float
    """The first less the second, never negative."""


class WorstDocument(Part):
    """The document on which the winner is furthest below the leader."""

    name: str
    """Its title, or the beginning of its text."""
    questions: int
    difference: float
    """Mean score of the winner less the leader's, in `metric`."""


class UnequalSetting(Part):
    """A setting of the training in which the candidates differ."""

    setting: str
    """Its dotted key below `train`."""
    values: dict[str, str]
    """By candidate, as JSON."""


class Selection(FileFormat):
    """`metrics/selection.json`: the choice and all that it rests on."""

    VERSION = 2
    MADE_BY = "dvc repro select"

    promoted: bool
    """Whether a model has been put into production."""
    reason: str
    """Why this one, or why none, in a sentence."""
    reasons: tuple[str, ...]
    """All of it, in sentences."""
    winner: str | None
    """The promoted candidate."""
    leader: str | None
    """The best by score of those that may win."""
    runner_up: str | None
    """The best of the others by score; null if none is promoted."""
    below: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that the winner is not above, where a setting allows it."""
    unclear: tuple[ReferencePoint, ...]
    """Points of `select.must_beat` that it is above within the noise; if none is promoted, those
    of the candidate that would be."""
    metric: Metric
    """The score that decided."""
    rule: SelectSettings
    """The settings under `select`."""
    questions: Basis
    method: Method
    smallest_detectable: float | None
    """True difference in `metric` between leader and runner-up that is found four times in five;
    null for a single candidate, and with one document."""
    cost_say: CostSayFigures | None
    """Null where no candidate saves enough, and with one document."""
    corrected: CorrectedFigures | None
    """Null with fewer than five documents, or one that holds half of the questions."""
    worst_document: WorstDocument | None
    """Null where the leader wins."""
    unequal: tuple[UnequalSetting, ...]
    """Settings of the training that were not the same for all candidates."""
    candidates: dict[str, CandidateFinding] = Field(min_length=1)
    """By name, in the order of their rank."""
    reference_points: dict[str, PointFinding]
    """By name; each candidate's untouched base stands with it."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Refuse: version 1 chose by other statistics."""
        raise DataError("it was chosen by another rule")

    @property
    def shown(self) -> str:
        """The candidate that the figures are about: the winner, or whoever is nearest to it."""
        return self.winner or self.leader or next(iter(self.candidates))

    def score(self, name: str) -> Estimate:
        """Return a candidate's score in the metric that decided."""
        return self.candidates[name].scores.of(self.metric)

    def point_score(self, name: str, point: str) -> Estimate:
        """Return a reference point's score in that metric, an untouched base's too."""
        if point == "untouched_base":
            return self.candidates[name].before.of(self.metric)
        return self.reference_points[point].scores.of(self.metric)

    def advantage(self, name: str, point: str) -> Gap:
        """Return how far a candidate is above a reference point in that metric."""
        found = self.candidates[name]
        return (found.gain if point == "untouched_base" else found.against[point]).of(self.metric)
