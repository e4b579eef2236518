"""Definition of a way of doing the work, and the list of ways. Nothing here imports torch."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.settings import Settings


@dataclass(frozen=True)
class Way:
    """One way of doing the work, ready to run in a process of its own."""

    questions: int
    """Number of questions in a repeat."""
    tokens: int
    """Number of their tokens; each question counts alone and without padding."""
    configuration: str
    """Description of its configuration."""
    warm_up: Callable[[], object]
    """Does a small part of the work."""
    run: Callable[[], float | None]
    """Does the work once; may return the seconds that count, if not all of them do."""
    model_flops: float
    """FLOPs of a repeat that the model's mathematics needs."""
    hardware_flops: float
    """FLOPs of a repeat with padding and recomputation; 0 if unknown."""
    answers: Callable[[], list[str]] = list
    """Returns the answers of the last repeat."""
    findings: Callable[[], dict[str, Any]] = dict
    """Returns further reported figures, computed after all measurements."""


WAYS = {
    "training": {
        "published": "bench.training_ways:published",
        "trl": "bench.trl_way:trl",
        "padded": "bench.training_ways:padded",
        "shared_context": "bench.training_ways:shared_context",
    },
    "answering": {
        "one_at_a_time": "bench.answering_ways:one_at_a_time",
        "lm_eval": "bench.lm_eval_way:lm_eval",
        "shared_context": "bench.answering_ways:shared_context",
    },
}
"""Ways of each task, with the function that makes each. The others are compared with the first."""

TRIALS = {"trl": "bench.trl_way:trial", "lm_eval": "bench.lm_eval_way:trial"}
"""Functions that find a way's fastest configuration, which is then passed to the way's maker. They
run in processes of their own, so that the memory of the trials does not count for the way. These
ways need packages that are optional for the bench."""

MATRIX_PRODUCTS = "bench.matrix_products:matrix_products"


def call(place: str, settings: Settings, *given: Any) -> Any:
    """Call the function at `place`, "module:function"."""
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)(settings, *given)
