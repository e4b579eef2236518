"""Cost of a candidate's answers, and whether it meets the constraints."""

from collections.abc import Mapping
from dataclasses import dataclass

from vestibular.core.costs import ExamCost
from vestibular.core.errors import DataError
from vestibular.core.exam_results import ExamDetails
from vestibular.core.paths import PARAMS
from vestibular.selection.result import Limit
from vestibular.selection.settings import SelectSettings


@dataclass(frozen=True)
class CostKind:
    """A cost that `select.cost` can name."""

    key: str
    """Its key in a candidate's costs."""
    name: str
    """Its name in sentences and titles."""
    unit: str
    """Its unit after a number."""


COSTS = {
    "flops": CostKind(
        "flops_per_answer", "floating-point operations per answer", "operations per answer"
    ),
    "seconds": CostKind("seconds_per_answer", "seconds per answer", "seconds per answer"),
    "bytes": CostKind("model_bytes", "bytes of the base model", "bytes of the base model"),
}
"""Costs by their names in `select.cost`."""

CONSTRAINTS = {
    "max_peak_memory_bytes": "peak_memory_bytes",
    "max_latency_p95_seconds": "latency_p95_seconds",
    "min_answers_per_second": "answers_per_second",
    "max_model_bytes": "model_bytes",
    "max_trainable_parameters": "trainable_parameters",
}
"""Cost limited by each of `select.constraints`."""

LASTING = ("flops_per_answer", "model_bytes", "trainable_parameters", "total_parameters")
"""Costs that are the same on every machine; all others are measured."""


def cost_of(details: ExamDetails, measured: ExamCost | None) -> dict[str, float | None]:
    """Return the cost of an answer; None for each figure that was not measured here.

    Args:
        details: results of the exam, the same on every machine.
        measured: measured costs of the exam on this machine.
    """
    return {
        "flops_per_answer": details.flops_per_answer,
        "model_bytes": details.model_bytes,
        "trainable_parameters": details.parameters.trainable,
        "total_parameters": details.parameters.total,
        "seconds_per_answer": 1 / measured.questions_per_second if measured else None,
        "peak_memory_bytes": measured.peak_memory_bytes if measured else None,
        "latency_p95_seconds": measured.latency_p95 if measured else None,
        "answers_per_second": measured.questions_per_second if measured else None,
    }


def known(name: str, cost: Mapping[str, float | None], key: str, setting: str) -> float:
    """Return a cost that the settings require.

    Raises:
        DataError: it was not measured here.
    """
    value = cost[key]
    if value is None:
        raise DataError(
            f"{PARAMS}: {setting}: needs the {key} of {name}, but its exam was not run on this "
            f"machine; run `dvc repro --force --single-item evaluate@{name}`, or use a cost that "
            "is the same everywhere"
        )
    return value


def limits_of(
    name: str, cost: Mapping[str, float | None], settings: SelectSettings
) -> dict[str, Limit]:
    """Return a candidate's value for each of `select.constraints`, by key.

    Raises:
        DataError: it was not measured here.
    """
    found = {}
    for key, limit in settings.constraints.model_dump(exclude_none=True).items():
        measured = known(name, cost, CONSTRAINTS[key], f"select.constraints.{key}")
        met = measured >= limit if key.startswith("min_") else measured <= limit
        found[key] = Limit(limit=limit, measured=measured, met=met)
    return found


def met(limits: Mapping[str, Limit]) -> bool:
    """Return whether all limits are met."""
    return all(limit.met for limit in limits.values())


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other point beats.

    One point (cost, score) beats another if it costs no more, scores no less, and differs.
    """
    return [
        name
        for name, (cost, score) in points.items()
        if not any(
            other[0] <= cost and other[1] >= score and other != (cost, score)
            for other in points.values()
        )
    ]
