"""Interface between the worker and a service."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from vestibular.mirror.records import Point, RunRecord, Stage, Value

Marks = dict[str, str]
"""What a service has of a run, by item: a hash of what was last pushed."""


class Call(Protocol):
    """Announces a request to the service: the answer must come before the deadline.

    The bytes sent with it get additional time.
    """

    def __call__(self, what: str, size: int = 0) -> None:
        """Announce the request."""


class TargetGoneError(Exception):
    """The service does not answer, or refuses us: there is no point in continuing."""


class Target(Protocol):
    """A service that shows runs and model versions.

    Every operation may be repeated: existing data are overwritten with the same. The service itself
    stores the marks next to the data they describe, so that they stay together.
    """

    text_limit: int
    """Maximum number of characters of a text; a longer one is put into a file."""
    errors: tuple[type[Exception], ...]
    """Exceptions that the client raises if the service refuses something."""

    def refresh(self) -> None:
        """Read all our runs and versions that the service has."""

    def deleted(self, run: RunRecord) -> str | None:
        """Return how to restore a run that was deleted in the service; None if it was not."""

    def run_marks(self, run: RunRecord) -> Marks:
        """Return a run's marks; empty if the service does not have the run."""

    def settle(self, run: RunRecord, doubtful: Callable[[Marks], Collection[str]]) -> None:
        """Determine which of the service's runs a training is, before any other request about it.

        Repeated on another machine, the same settings, code and packages can give another curve.
        With two curves in one run, a service would show neither properly.

        Args:
            run: the local training.
            doubtful: given marks, returns the series whose beginning they do not prove.
        """

    def set_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set single values."""

    def add_points(self, run: RunRecord, name: str, points: list[Point]) -> None:
        """Add points to a series; existing ones may be repeated."""

    def put_file(self, run: RunRecord, name: str, path: Path) -> None:
        """Upload a file."""

    def set_state(self, run: RunRecord) -> None:
        """Set whether the run is in progress, and how it ended."""

    def save_run_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks of a run."""

    def close_run(self, run: RunRecord) -> None:
        """End the run's requests in this round."""

    def version_marks(self, run: RunRecord) -> Marks:
        """Return the marks of a run's model version; empty if there is no version yet."""

    def set_version_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set single values of the version, creating it if needed."""

    def put_artifacts(self, run: RunRecord, artifacts: Mapping[str, Path]) -> None:
        """Upload the version's files."""

    def save_version_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks of a version."""

    def in_production(self, run: RunRecord) -> bool:
        """Return whether the service had a run's version in production at the last refresh."""

    def stage(self, run: RunRecord) -> Stage:
        """Return the stage of a run's version."""

    def set_stage(self, run: RunRecord, stage: Stage) -> None:
        """Set a version's stage; another version in production is archived."""

    def others(self, runs: Iterable[RunRecord]) -> Mapping[str, tuple[str, Stage]]:
        """Return candidate and stage of versions whose runs are not among these.

        The service names them: a run by its id, or by a name that begins with it if one training
        had several curves.
        """

    def set_stage_of_other(self, name: str, stage: Stage) -> None:
        """Set the stage of another run's version, like `set_stage`."""


def read_marks(text: str | None) -> Marks:
    """Parse marks stored by a service; a truncated text has none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(mark) for name, mark in found.items()}


def size_of(*files: Path) -> int:
    """Return the total size of files in bytes."""
    return sum(file.stat().st_size for file in files)


@contextlib.contextmanager
def staged(files: Mapping[str, Path]) -> Iterator[Path]:
    """Yield a folder that contains files under the names used for pushing."""
    with tempfile.TemporaryDirectory(prefix="vestibular-mirror-") as scratch:
        for name, path in files.items():
            place = Path(scratch, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
        yield Path(scratch)
