"""How figures of the choice are written, and what things are called."""

from collections.abc import Sequence

from vestibular.selection.result import Estimate, Gap

METRIC_NAMES = {"exact_match": "exact match", "f1": "F1"}
COST_NAMES = {
    "flops": "floating-point operations an answer",
    "seconds": "seconds an answer",
    "bytes": "bytes of its base model",
}
COST_KEYS = {"flops": "flops_per_answer", "seconds": "seconds_per_answer", "bytes": "model_bytes"}
"""What `select.cost` names, by the key under which a candidate's cost holds it."""
LEAST_P = 1e-6
"""Probability below which nobody asks how small it is."""


def number(value: float) -> str:
    """Write a score or a difference."""
    return f"{value:.3f}"


def amount(value: float) -> str:
    """Write a cost or a limit: whole, or in four digits."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.4g}"


def probability(value: float) -> str:
    """Write a p-value with its sign of comparison, in as many places as it takes."""
    if value < LEAST_P:
        return f"p < {LEAST_P:.6f}"
    places = 3
    while round(value, places) == 0:
        places += 1
    return f"p = {value:.{places}f}"


def scored(score: Estimate | Gap) -> str:
    """Write a score or a difference with its interval, if it has one."""
    if score.low is None or score.high is None:
        return number(score.value)
    return f"{number(score.value)} ({number(score.low)} to {number(score.high)})"


def bounded(gap: Gap) -> str:
    """Write a difference with its lower bound."""
    if gap.lower is None:
        return f"difference {gap.value:+.3f}"
    return f"difference {gap.value:+.3f}, lower bound {gap.lower:+.3f}"


def listed(names: Sequence[str]) -> str:
    """Join names with commas and an `and`, underscores as spaces."""
    plain = [name.replace("_", " ") for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"


def counted(number_of: int, what: str) -> str:
    """Write a number of things."""
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"
