"""How long the tests wait: far longer than anything takes, also on a slow and busy machine."""

import time

FOREVER = 900
"""Seconds after which what has not happened counts as never happening."""
ROUNDS = 2_000_000
IDLE_SECONDS = 0.15
"""What these rounds take on an idle machine of two cores in the cloud."""


def slowness() -> float:
    """Return how many times slower than an idle machine this one is now, at least 1.

    For promises in seconds, which are made of a machine that does nothing else.
    """
    before = time.monotonic()
    total = 0
    for number in range(ROUNDS):
        total += number * number % 7
    return max(1.0, (time.monotonic() - before) / IDLE_SECONDS)
