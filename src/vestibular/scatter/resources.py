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
    """Bytes, the process included."""
    exam: int
    """Bytes, the process included."""
    seconds: float
    """Of a whole training."""


@dataclass(frozen=True)
class Plan:
    """What the plan foresees of all."""

    candidates: Mapping[str, Planned]
    free: int
    """Bytes that are free here, of the device's memory."""
    device: str
    """`cpu`, or torch's name of the accelerator's kind."""
    devices: int
    """Accelerators here."""


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


def resources_of(cell: Cell, plan: Plan, wanted: ScatterSettings, cpus: int) -> Resources:
    """Return what a cell may take.

    Args:
        cell: what runs.
        plan: what is foreseen.
        wanted: what the settings say.
        cpus: processors where the settings leave them open.
    """
    name = cell.candidate(plan.candidates)
    planned = [plan.candidates[name]] if name is not None else list(plan.candidates.values())
    memory = max(max(each.exam, each.training if cell.trains else 0) for each in planned)
    minutes = max(LEAST_MINUTES, *(each.seconds * TIMES_PLANNED / 60 for each in planned))
    return Resources(
        memory=memory if wanted.memory_gb is None else int(wanted.memory_gb * GIGABYTE),
        minutes=wanted.minutes or int(minutes),
        cpus=wanted.cpus or cpus,
        gpus=wanted.gpus,
    )
