"""What a cell may take: the plan's figures, or what the settings say instead."""

import pytest

from vestibular.params.scatter_settings import ScatterSettings
from vestibular.scatter.cells import Cell
from vestibular.scatter.resources import Plan, Planned, resources_of

PLAN = Plan({"a": Planned(training=700, exam=300, seconds=3600.0)}, free=10_000)


def cell(*stages: str) -> Cell:
    """A cell of these stages, which waits for none."""
    return Cell(stages[-1], "key", stages, restored=(), after=(), inputs=())


TRAINING = cell("train@a", "evaluate@a")
EXAM = cell("evaluate_base@a")


@pytest.mark.parametrize(
    ("what", "processes", "memory", "cpus"),
    [(TRAINING, 1, 700, 2), (TRAINING, 3, 2100, 6), (EXAM, 1, 300, 2), (EXAM, 3, 300, 2)],
)
def test_each_of_several_processes_takes_what_one_does(
    what: Cell, processes: int, memory: int, cpus: int
) -> None:
    """Only a training has several."""
    found = resources_of(what, PLAN, ScatterSettings(), 2, processes)
    assert (found.memory, found.cpus) == (memory, cpus)


def test_what_the_settings_say_is_for_the_whole_cell() -> None:
    """Not for each of its processes."""
    wanted = ScatterSettings(memory_gb=2.0, minutes=7, cpus=4)
    found = resources_of(TRAINING, PLAN, wanted, 2, 3)
    assert (found.memory, found.cpus, found.minutes) == (2 * 10**9, 4, 7)
