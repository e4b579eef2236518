"""What each cell may take: what `vestibular plan` foresees, unless the settings say otherwise."""

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
"""A cell may take at least so long."""
TIMES_PLANNED = 4
"""A cell may take so many times what is planned for its training: exams, slower machines."""
GIGABYTE = 10**9


@dataclass(frozen=True)
class Planned:
    """What the plan foresees of a candidate."""

    training: int
    """Bytes that training and exam take at most, a process included; each of several takes them."""
    exam: int
    """Bytes that an exam takes, the process included."""
    seconds: float
    """Of a whole training."""


@dataclass(frozen=True)
class Plan:
    """What the plan foresees of all."""

    candidates: Mapping[str, Planned]
    free: int
    """Bytes of memory that are free here, the accelerator's where there is one."""


def plan_of(project: Path, module: str) -> Plan:
    """Let `vestibular plan` foresee what each candidate takes.

    In a process of its own: torch and what is rehearsed would stay in the memory of this one, which
    may last for days.

    Args:
        project: its top folder.
        module: what prints the plan as JSON.

    Raises:
        ScatterError: the plan says why a candidate cannot be trained or examined.
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
    """Return what a cell may take.

    Args:
        cell: what runs.
        plan: what is foreseen; None where the settings leave nothing open.
        wanted: what the settings say.
        cpus: processors of a process where the settings leave them open.
        processes: how many train one candidate together (`train.processes`); an exam has one.
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
    """Return how many NVIDIA GPUs this machine has, as its driver shows them."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
