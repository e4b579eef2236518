"""What the worker asks of a service."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from vestibular.mirror.records import Point, Run, Stage, Value

Marks = dict[str, str]
"""What a service has of a run, by item: a hash of what was pushed last."""


class Call(Protocol):
    """Told what is about to be asked of the service: the answer has to come before the deadline.

    What is sent with it, in bytes, is given time of its own.
    """

    def __call__(self, what: str, size: int = 0) -> None:
        """Say so."""


class TargetGoneError(Exception):
    """The service does not answer, or not to us: there is no point in going on."""


class Target(Protocol):
    """A service that shows runs and model versions.

    Everything may be done twice: what is there already is written over with the same. Marks are
    kept by the service itself, beside what they are about, so that they go where it goes.
    """

    text_limit: int
    """Most characters of a text; a longer one is put into a file."""
    errors: tuple[type[Exception], ...]
    """What the client raises where the service refuses something."""

    def refresh(self) -> None:
        """Ask for all runs and versions that the service has of ours."""

    def deleted(self, run: Run) -> str | None:
        """Return how to bring back a run that somebody has deleted in the service; None if none."""

    def run_marks(self, run: Run) -> Marks:
        """Return the marks of a run; none if the service does not know it."""

    def settle(self, run: Run, doubtful: Callable[[Marks], Collection[str]]) -> None:
        """Find out which of the service's runs a training is, before anything else is asked of it.

        Trained again on another machine, the same settings, code and packages can give another
        curve. Of two curves in one run a service would show neither.

        Args:
            run: the training that is here.
            doubtful: given marks, returns the series of which they prove no beginning.
        """

    def set_fields(self, run: Run, fields: Mapping[str, Value]) -> None:
        """Set single values."""

    def add_points(self, run: Run, name: str, points: list[Point]) -> None:
        """Add points to a series; those that are there already may come again."""

    def put_file(self, run: Run, name: str, path: Path) -> None:
        """Upload a file."""

    def set_state(self, run: Run) -> None:
        """Say whether the run goes on, and how it ended."""

    def save_run_marks(self, run: Run, marks: Marks) -> None:
        """Keep the marks of a run."""

    def close_run(self, run: Run) -> None:
        """Nothing more comes for this run in this round."""

    def version_marks(self, run: Run) -> Marks:
        """Return the marks of a run's model version; none if there is no version yet."""

    def set_version_fields(self, run: Run, fields: Mapping[str, Value]) -> None:
        """Set single values of the version, which is made if need be."""

    def put_artifacts(self, run: Run, artifacts: Mapping[str, Path]) -> None:
        """Upload the version's files."""

    def save_version_marks(self, run: Run, marks: Marks) -> None:
        """Keep the marks of a version."""

    def in_production(self, run: Run) -> bool:
        """Tell whether the service had a run's version in production when it was last asked."""

    def stage(self, run: Run) -> Stage:
        """Return the stage that a run's version is in."""

    def set_stage(self, run: Run, stage: Stage) -> None:
        """Put a version into a stage; another one in production is archived."""

    def others(self, runs: Iterable[Run]) -> Mapping[str, tuple[str, Stage]]:
        """Return candidate and stage of versions whose runs are not among these.

        The service names them: a run by its id, or by a name that begins with it where one
        training had several curves.
        """

    def set_stage_of_other(self, name: str, stage: Stage) -> None:
        """Put the version of one of the others into a stage, as `set_stage` does."""


def read_marks(text: str | None) -> Marks:
    """Read marks as a service has kept them; a text cut short has none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(mark) for name, mark in found.items()}


def size_of(*files: Path) -> int:
    """Return the bytes of files."""
    return sum(file.stat().st_size for file in files)


@contextlib.contextmanager
def staged(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder in which files lie under the names that they are pushed as."""
    with tempfile.TemporaryDirectory(prefix="vestibular-mirror-") as scratch:
        for name, path in files.items():
            place = Path(scratch, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
        yield Path(scratch)
