"""Settings of the choice: `select` in `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from vestibular.core.metrics import Metric
from vestibular.core.settings import Settings

ReferencePoint = Literal[
    "untouched_base", "empty_answer", "whole_context", "overlap_sentence", "annotators"
]


class Constraints(Settings):
    """What a candidate must keep to, whatever it scores; a limit that is left out is none.

    All but the last two are measured on the machine that evaluates.
    """

    max_peak_memory_bytes: int | None = Field(None, gt=0)
    """Most memory in evaluation, in bytes: the accelerator's, or the process's without one."""
    max_latency_p95_seconds: float | None = Field(None, gt=0)
    """Time in which 95 of 100 answers must come, one question at a time, in seconds."""
    min_answers_per_second: float | None = Field(None, gt=0)
    """Answers a second in evaluation, a context's questions together."""
    max_model_bytes: int | None = Field(None, gt=0)
    """The base model in memory, in bytes, as `train.quantization` stores it."""
    max_trainable_parameters: int | None = Field(None, gt=0)
    """Parameters of the adapter."""


class SelectSettings(Settings):
    """How the candidate for production is chosen."""

    rule: Literal["vestibular", "published"]
    """`vestibular` is what the settings below say; `published` is the plain sort by exact
    match, then F1, of which the others decide nothing."""
    metric: Metric
    """Score that decides."""
    tie_breakers: Annotated[tuple[Metric, ...], Field(strict=False)]
    """Scores that rank candidates with an equal `metric`, the first one first."""
    must_beat: Annotated[tuple[ReferencePoint, ...], Field(strict=False)]
    """Reference points that a candidate's `metric` must be above; `untouched_base` is its own."""
    allow_below_reference: bool
    """Promote the best even if no candidate is above all of `must_beat`."""
    must_beat_clearly: bool
    """Whether the winner must be above them by more than the noise: the lower 95 % bound of its
    advantage over each is above 0."""
    margin: float = Field(ge=0, lt=1)
    """How much worse a cheaper candidate may be than a better one, in `metric`, a fraction: it
    wins if the lower 95 % bound of its difference is above minus this."""
    minimum_saving: float = Field(ge=0, lt=1)
    """Share of the best candidate's `cost` that a cheaper one must save to win, a fraction."""
    cost: Literal["flops", "seconds", "bytes"]
    """What a candidate costs: floating-point operations an answer (the same on every machine),
    seconds an answer as measured, or bytes of the base model."""
    constraints: Constraints
    """Limits; a candidate beyond one stays in the table and cannot win."""

    @field_validator("tie_breakers", "must_beat")
    @classmethod
    def _names_each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names one twice")
        return names
