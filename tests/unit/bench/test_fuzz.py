"""Damaged files are read with their rows accounted for, or refused by name: never a traceback."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz import MAKERS, questions, read

EXAMPLES = 120
"""Of each kind; `python -m bench.fuzz` reads as many as are asked for."""


@pytest.mark.parametrize("kind", MAKERS)
def test_damaged_files_are_read_or_refused(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a few values or bytes are changed to."""
    folder = tmp_path_factory.mktemp(kind)

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.randoms(use_true_random=False))
    def check(draw: random.Random) -> None:
        assert read(kind, MAKERS[kind](draw), folder, draw) in ("read", "refused")

    check()


@pytest.mark.parametrize("kind", ["squad", "jsonl", "csv", "parquet"])
def test_what_is_not_damaged_is_read(kind: str, tmp_path: Path) -> None:
    """So that not everything is refused: an untouched draw is read, with all its questions."""

    class Untouched(random.Random):
        def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
            return 0 if stop is None else start

        def random(self) -> float:
            return 0.99

        def choice(self, seq):  # type: ignore[no-untyped-def]
            return seq[0]

    assert read(kind, MAKERS[kind](Untouched()), tmp_path, Untouched()) == "read"
    assert len(questions()) == 6
