"""Repetition of stages in a clone, one after the other, with progress on the log."""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from vestibular.clones.clone import Clone
from vestibular.clones.stages import LAST
from vestibular.core.costs import Costs, ExamCost, TrainingCost
from vestibular.core.errors import DataError
from vestibular.core.paths import COSTS
from vestibular.core.yaml_files import read_yaml
from vestibular.registry.commits import LOCK
from vestibular.verification.pipeline import Stage

RUNNING = re.compile(r"^Running stage '(.+)':$")
"""DVC's line at the start of a stage."""
LOOK_SECONDS = 0.2
LAST_LINES = 8
"""Number of lines shown of a failed stage's output."""
OPTIONS = ("--single-item", "--force", "--no-run-cache", "--no-commit", "--keep-going")
"""Options of `dvc repro`: each named stage runs, nothing is restored, and nothing is stored."""
MEASURED = Path(".vestibular/costs")
ASIDE = "measured"
"""In a clone's folder: costs of this run, which `select` must not see."""


@dataclass
class Rerun:
    """Result of running the stages."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of each stage that was started."""
    said: dict[str, list[str]] = field(default_factory=dict)
    """Output of each stage, and of DVC after it."""
    lock: dict[str, Any] = field(default_factory=dict)
    """Content of `dvc.lock` for the stages that succeeded."""

    def last_lines(self, stage: str) -> list[str]:
        """Return the end of a stage's output, which tells why it failed."""
        return self.said.get(stage, [f"{stage}: was not started"])[-LAST_LINES:]


def run_again(clone: Clone, stages: Sequence[Stage]) -> Rerun:
    """Run stages in a clone, and log the duration of each.

    `select` gets the costs that the commit's own run measured, where the trainings are equal, so
    that its outputs are comparable.

    Args:
        clone: contains what the stages read and none of them makes.
        stages: each after those that it depends on.
    """
    (clone.project / LOCK).unlink(missing_ok=True)
    result = Rerun()
    with _shown(len(stages)) as bar:
        last = [stage for stage in stages if stage.name == LAST]
        for part in ([stage for stage in stages if stage not in last], last):
            if part == last:
                _put_aside_costs(clone)
            if part:
                _run(clone, [stage.name for stage in part], result, bar)
    # it contains nothing about a failed stage
    if (lock := clone.project / LOCK).is_file():
        result.lock = read_yaml(lock)
    return result


def costs_of(clone: Clone) -> Iterator[tuple[str, TrainingCost | ExamCost]]:
    """Yield the costs measured in a clone, with the name of their run."""
    for folder in (clone.folder / ASIDE, clone.project / MEASURED):
        for path in sorted(folder.glob("*.json")):
            run, _, stage = path.stem.rpartition("-")
            kind = TrainingCost if stage == "train" else ExamCost
            yield run, kind.read(path)


def _put_aside_costs(clone: Clone) -> None:
    path = clone.project / COSTS
    if not path.is_file():
        return
    try:
        known = {costs.run for costs in Costs.read(path).candidates.values()}
    except DataError:
        # `select` drops a damaged file too
        return
    aside = clone.folder / ASIDE
    aside.mkdir()
    for measured in (clone.project / MEASURED).glob("*.json"):
        if measured.stem.rpartition("-")[0] in known:
            measured.rename(aside / measured.name)


@contextmanager
def _shown(stages: int) -> Iterator["tqdm[NoReturn]"]:
    with tqdm(total=stages, desc="running again", unit="stage", leave=False, disable=None) as bar:
        yield bar


def _run(clone: Clone, names: Sequence[str], result: Rerun, bar: "tqdm[NoReturn]") -> None:
    log = clone.folder / "log"
    command = [sys.executable, "-u", "-m", "dvc", "repro", *OPTIONS, *names]
    with (
        log.open("wb") as output,
        log.open("rb") as written,
        clone.running(*command, output=output, errors=output) as process,
    ):
        follower = _Follower(result, bar)
        while process.poll() is None:
            follower.hear(written.read())
            bar.refresh()
            time.sleep(LOOK_SECONDS)
        follower.hear(written.read())
        follower.end_stage()


class _Follower:
    """Follows the output of DVC and the stages."""

    def __init__(self, result: Rerun, bar: "tqdm[NoReturn]") -> None:
        self._result = result
        self._bar = bar
        self._rest = b""
        self._stage: str | None = None
        self._began = 0.0

    def hear(self, more: bytes) -> None:
        """Process output written since the last call."""
        *lines, self._rest = (self._rest + more).split(b"\n")
        for raw in lines:
            # progress bars overwrite their line
            line = raw.decode("utf-8", "replace").rpartition("\r")[2].rstrip()
            if begun := RUNNING.match(line):
                self.end_stage()
                self._stage, self._began = begun[1], time.monotonic()
                self._result.said[self._stage] = []
                self._bar.set_postfix_str(self._stage)
            elif line and self._stage is not None:
                self._result.said[self._stage].append(line)

    def end_stage(self) -> None:
        """Print the duration of the stage that has just ended."""
        if self._stage is not None:
            seconds = time.monotonic() - self._began
            self._result.seconds[self._stage] = seconds
            self._bar.update()
            tqdm.write(f"  {self._stage}: {seconds:.0f} s", file=sys.stderr)
        self._stage = None
