"""How long the tests wait: far longer than anything takes, also on a slow and busy machine."""

import subprocess
import threading
import time
from typing import IO

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


def read_until(process: "subprocess.Popen[str]", stream: IO[str] | None, text: str) -> str:
    """Return what a process writes to one of its pipes, up to a line with the text."""
    assert stream is not None
    killer = threading.Timer(FOREVER, process.kill)
    killer.start()
    lines = []
    try:
        for line in iter(stream.readline, ""):
            lines.append(line)
            if text in line:
                return "".join(lines)
    finally:
        killer.cancel()
    raise AssertionError(f"ended without {text!r}: {''.join(lines)}")
