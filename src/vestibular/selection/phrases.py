"""Wording of the choice: numbers and names."""

from collections.abc import Sequence

from vestibular.selection.result import Estimate, Gap

LEAST_P = 1e-6
"""Smallest p-value that is written out."""


def number(value: float) -> str:
    """Format a score or a difference."""
    return f"{value:.3f}"


def amount(value: float) -> str:
    """Format a cost or a limit: whole, or with four digits."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.4g}"


def p_value_words(value: float) -> str:
    """Format a p-value with its comparison sign and as many places as it needs."""
    if value < LEAST_P:
        return f"p < {LEAST_P:.6f}"
    places = 3
    while round(value, places) == 0:
        places += 1
    return f"p = {value:.{places}f}"


def scored(score: Estimate | Gap) -> str:
    """Format a score or a difference with its interval, if it has one."""
    if score.low is None or score.high is None:
        return number(score.value)
    return f"{number(score.value)} ({number(score.low)} to {number(score.high)})"


def bounded(gap: Gap) -> str:
    """Format a difference with its lower bound."""
    if gap.lower is None:
        return f"difference {gap.value:+.3f}"
    return f"difference {gap.value:+.3f}, lower bound {gap.lower:+.3f}"


def listed(names: Sequence[str]) -> str:
    """Join names with commas and `and`; underscores become spaces."""
    plain = [name.replace("_", " ") for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"


def counted(number_of: int, what: str) -> str:
    """Format a count with its noun."""
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"
