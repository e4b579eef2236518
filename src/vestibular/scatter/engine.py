"""What runs cells: a small protocol, so that an engine is one short module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vestibular.scatter.cells import Cell
from vestibular.scatter.folders import CellFolder


@dataclass(frozen=True)
class Resources:
    """What a cell takes."""

    memory: int
    """Bytes at most."""
    minutes: int
    """After which it may be ended."""
    cpus: int
    """Processors, and threads of its computing."""
    gpus: int


@dataclass(frozen=True)
class Task:
    """A cell that is ready to run."""

    cell: Cell
    folder: CellFolder
    resources: Resources


class Engine(Protocol):
    """Starts jobs, says which there are, and ends them."""

    name: str

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Say whether a cell may be submitted beside those that are queued or run."""

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Start or queue a job each, and return its id by the cell's name.

        Raises:
            ScatterError: the engine refuses them.
        """

    def alive(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Return those jobs that are queued or run, each with a word of where.

        Raises:
            ScatterError: the engine does not answer.
        """

    def cancel(self, jobs: Sequence[str]) -> None:
        """End jobs, and return once they are ended or are being ended by the engine."""
