"""Settings of the choice: `select` in `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from vestibular.core.metrics import Metric
from vestibular.core.settings import Settings

ReferencePoint = Literal[
    "untouched_base", "empty_answer", "whole_context", "overlap_sentence", "annotators"
]


class Constraints(Settings):
    """Limits that a candidate must meet, whatever its score; an omitted limit does not apply.

    All but the last two are measured on the machine that evaluates.
    """

    max_peak_memory_bytes: int | None = Field(None, gt=0)
    """Peak memory of the evaluation, in bytes: the accelerator's, or the process's without one."""
    max_latency_p95_seconds: float | None = Field(None, gt=0)
    """95th percentile of the latency, one question at a time, in seconds."""
    min_answers_per_second: float | None = Field(None, gt=0)
    """Answers per second in evaluation, the questions of a context together."""
    max_model_bytes: int | None = Field(None, gt=0)
    """Size of the base model in memory, in bytes, as stored by `train.quantization`."""
    max_trainable_parameters: int | None = Field(None, gt=0)
    """Number of trainable parameters: those of the adapter."""


class SelectSettings(Settings):
    """How the candidate for production is chosen."""

    rule: Literal["vestibular", "published"]
    """`vestibular` applies the settings below; `published` is the plain sort by exact match, then
    F1, and ignores them."""
    metric: Metric
    """The deciding score."""
    tie_breakers: Annotated[tuple[Metric, ...], Field(strict=False)]
    """Scores that rank candidates with an equal `metric`, in order."""
    must_beat: Annotated[tuple[ReferencePoint, ...], Field(strict=False)]
    """Reference points that a candidate's `metric` must exceed; `untouched_base` is its own
    base."""
    allow_below_reference: bool
    """Promote the best candidate even if none exceeds all of `must_beat`."""
    must_beat_clearly: bool
    """Whether the winner must exceed them by more than the noise: the lower 95 % bound of its
    advantage over each is above 0."""
    margin: float = Field(ge=0, lt=1)
    """How much worse than a better candidate a cheaper one may be, in `metric`, a fraction: it wins
    if the lower 95 % bound of its difference is above minus this value."""
    minimum_saving: float = Field(ge=0, lt=1)
    """Share of the best candidate's `cost` that a cheaper candidate must save to win, a
    fraction."""
    cost: Literal["flops", "seconds", "bytes"]
    """Cost of a candidate: floating-point operations per answer (the same on every machine),
    measured seconds per answer, or bytes of the base model."""
    constraints: Constraints
    """Limits; a candidate beyond one stays in the table but cannot win."""

    @field_validator("tie_breakers", "must_beat")
    @classmethod
    def _names_each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("lists a name twice")
        return names
