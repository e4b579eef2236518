"""Resources of each cell: as `vestibular plan` estimates, unless the settings say otherwise."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.version_control import last_line
from vestibular.params.scatter_settings import ScatterSettings
from vestibular.scatter.cells import Cell
from vestibular.scatter.engine import Resources
from vestibular.scatter.errors import ScatterError

LEAST_MINUTES = 30
"""Smallest time limit of a cell."""
TIMES_PLANNED = 4
"""Time limit as a multiple of the planned training time, to allow for exams and slow machines."""
GIGABYTE = 10**9


@dataclass(frozen=True)
class Planned:
    """The plan's estimates for a candidate."""

    training: int
    """Peak memory of training and exam for each process, in bytes, the process itself included."""
    exam: int
    """Peak memory of an exam in bytes, the process itself included."""
    seconds: float
    """Duration of a whole training."""


@dataclass(frozen=True)
class Plan:
    """The plan's estimates for all candidates."""

    candidates: Mapping[str, Planned]
    free: int
    """Free memory of this machine in bytes; of the accelerator, if there is one."""


def plan_of(project: Path, module: str) -> Plan:
    """Run `vestibular plan` to estimate what each candidate needs.

    The plan runs in a process of its own. In this process, which may run for days, torch and the
    rehearsed models would stay in memory.

    Args:
        project: the project's top folder.
        module: module that prints the plan as JSON.

    Raises:
        ScatterError: a candidate cannot be trained or examined; the message says why.
    """
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", module],
        capture_output=True,
        check=False,
        text=True,
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if done.returncode:
        raise ScatterError(done.stderr.strip() or f"{module}: {last_line(done.stderr)}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    candidates = {name: Planned(**each) for name, each in said.pop("candidates").items()}
    return Plan(candidates=candidates, **said)


def resources_of(
    cell: Cell, plan: Plan | None, wanted: ScatterSettings, cpus: int, processes: int
) -> Resources:
    """Return a cell's resources.

    Args:
        cell: the cell.
        plan: the estimates; None if the settings set all limits.
        wanted: the settings.
        cpus: CPU cores of a process if the settings do not set them.
        processes: processes that train one candidate (`train.processes`); an exam has one.
    """
    memory, minutes = wanted.memory_gb, wanted.minutes
    name = None if plan is None else cell.candidate(plan.candidates)
    planned = plan.candidates[name] if plan is not None and name is not None else None
    together = processes if cell.trains else 1
    each = 0 if planned is None else planned.training if cell.trains else planned.exam
    seconds = 0.0 if planned is None else planned.seconds
    return Resources(
        memory=each * together if memory is None else int(memory * GIGABYTE),
        minutes=minutes or max(LEAST_MINUTES, int(seconds * TIMES_PLANNED / 60)),
        cpus=wanted.cpus or cpus * together,
        gpus=wanted.gpus,
    )


def accelerators() -> int:
    """Return the number of NVIDIA GPUs of this machine, by the driver's device files."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
