"""What a way of doing the work is, and the ways there are. Nothing here imports torch."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.settings import Settings


@dataclass(frozen=True)
class Way:
    """One way of doing the work, ready to run in a process of its own."""

    questions: int
    """Questions that a repeat goes through."""
    tokens: int
    """Their tokens, each question counted alone and without padding."""
    configuration: str
    """What it is set to, in words."""
    warm_up: Callable[[], object]
    """Do a little of the work."""
    run: Callable[[], float | None]
    """Do the work once; may return the seconds that count, if not all do."""
    model_flops: float
    """FLOPs of a repeat that the mathematics needs."""
    hardware_flops: float
    """FLOPs of a repeat with padding and recomputation; 0 where they are not known."""
    answers: Callable[[], list[str]] = list
    """The answers of the last repeat."""
    findings: Callable[[], dict[str, Any]] = dict
    """What else is reported, found once the measuring is over."""


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
"""The ways of each task, and the function that makes each. The first is what others are
compared with."""

TRIALS = {"trl": "bench.trl_way:trial", "lm_eval": "bench.lm_eval_way:trial"}
"""Functions that find out a way's fastest configuration, which its maker is given then. They run
in processes of their own, so that the memory of what was tried is not the way's. These ways need
a package that the bench can do without."""

MATRIX_PRODUCTS = "bench.matrix_products:matrix_products"


def call(place: str, settings: Settings, *given: Any) -> Any:
    """Call the function at `place`, "module:function"."""
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)(settings, *given)
