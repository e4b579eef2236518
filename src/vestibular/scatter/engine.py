"""Protocol of the engines that run cells; it is small, so that an engine is one short module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vestibular.scatter.cells import Cell
from vestibular.scatter.folders import CellFolder


@dataclass(frozen=True)
class Resources:
    """Resources of a cell."""

    memory: int
    """Memory limit in bytes."""
    minutes: int
    """Time limit in minutes, after which the engine may end the cell."""
    cpus: int
    """CPU cores, and threads of its computation."""
    gpus: int


@dataclass(frozen=True)
class Task:
    """A cell that is ready to run."""

    cell: Cell
    folder: CellFolder
    resources: Resources


class Engine(Protocol):
    """Starts, lists and ends jobs."""

    name: str

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Return whether a cell may be submitted in addition to those queued or running."""

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Start or queue one job for each task, and return the jobs' IDs by the cells' names.

        Raises:
            ScatterError: the engine refuses a job.
        """

    def alive(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Return those jobs that are queued or running, each with a note on where it is.

        Raises:
            ScatterError: the engine does not answer.
        """

    def cancel(self, jobs: Sequence[str]) -> None:
        """End jobs; return once they have ended or the engine is ending them."""
