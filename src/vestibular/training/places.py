"""Which of a training's processes this one is, and what is its own on the machine.

`train.processes` says how many there are. The stage starts them itself (`launching`), or torchrun
or `accelerate launch` has started the stage as so many, on one machine or on several that see the
same folder. Nothing here imports torch.
"""

import os
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from vestibular.core.errors import LaunchError
from vestibular.core.paths import PARAMS
from vestibular.tracking.system_metrics import gpu_count
from vestibular.training.settings import TrainSettings

MEETING, LAUNCHER = "VESTIBULAR_MEETING", "VESTIBULAR_LAUNCHER"
"""Variables of a process that was started here: where the others are met, and who started it."""
TORCHRUN = "TORCHELASTIC_RUN_ID"
"""What torchrun always sets, and `accelerate launch` through it."""
RANK, COUNT, LOCAL_RANK, LOCAL_COUNT = "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"
OF_A_LAUNCH = (
    *(RANK, COUNT, LOCAL_RANK, LOCAL_COUNT, "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_*"),
    *("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_*", MEETING, LAUNCHER),
)
"""Variables that a launch consists of."""
OTHER_WAYS = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "parallelism_config",
}
"""Ways of sharing a model out that `accelerate launch` knows, by what it sets for them."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"

LOST_EXIT_CODE = 75
"""Exit status of a process that ended since another one had: the launcher says why."""
PARENT_SECONDS = 1.0
"""Seconds between two looks at whether the launcher is still there."""


@dataclass(frozen=True)
class Place:
    """One process among those of a training."""

    rank: int = 0
    """Its number; the first one, 0, writes all files."""
    count: int = 1
    """Processes in all."""
    meeting: str = ""
    """Where they meet, as torch's `init_method`; empty for a process alone."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What torch needs in the environment while they meet."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and speaks to the user."""
        return self.rank == 0

    @property
    def needs_lock(self) -> bool:
        """Whether nobody has locked the training for it: a launcher of ours does."""
        return self.is_first and not self.meeting.startswith("file:")


def take_place(variables: MutableMapping[str, str], settings: TrainSettings) -> Place | None:
    """Return this process's place; None if it is to start the processes of the training.

    The variables of the launch are taken away: the Trainer and accelerate would act on them, each
    in its own way. A GPU is chosen by `CUDA_VISIBLE_DEVICES`: no process can take another's.

    Args:
        variables: the environment.
        settings: the candidate's.

    Raises:
        LaunchError: a launcher has started another number of processes than the settings say,
            more than there are GPUs, or in a way of sharing a model out that is not supported.
    """
    count = settings.processes
    ours = MEETING in variables
    if not ours and TORCHRUN not in variables:
        return None if count > 1 else Place()
    stated = variables.get(COUNT, "")
    started = int(stated) if stated.isdecimal() else 1
    if started > 1:
        _refuse_other_ways(variables, settings)
    if started != count:
        raise LaunchError(
            f"{COUNT}={started}: started as one of {started} processes by torchrun or `accelerate "
            f"launch`, but {PARAMS} says train.processes: {count}, and results are recorded with "
            f"it; write processes: {started} under train or the candidate, or start the stage as "
            f"it is, without a launcher. If there is none, {TORCHRUN} is left over: unset it"
        )
    if count == 1:
        return Place()
    rank, local = int(variables[RANK]), int(variables[LOCAL_RANK])
    parent = int(variables.get(LAUNCHER, os.getppid()))
    meeting = variables.get(MEETING, "env://")
    if not ours:
        variables.update(own_gpu(variables, local, int(variables[LOCAL_COUNT])))
    launch = {
        name: variables.pop(name)
        for name in list(variables)
        if any(fnmatchcase(name, pattern) for pattern in OF_A_LAUNCH)
    }
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return Place(rank, count, meeting, {} if ours else launch)


def _refuse_other_ways(variables: Mapping[str, str], settings: TrainSettings) -> None:
    for name, way in OTHER_WAYS.items():
        if variables.get(name, "").lower() not in ("true", "1"):
            continue
        quantized = settings.quantization != "none"
        known = (
            f"and with train.quantization: {settings.quantization} it does not work at all "
            "(bitsandbytes' weights cannot be split: its issues 1709 and 1945)"
            if way == "FSDP" and quantized
            else "nor can it be recorded in the settings"
        )
        raise LaunchError(
            f"{name}: {way} splits a model among the processes, which is not supported, {known}; "
            "here each process holds the whole model and learns its share of every step: "
            f"`accelerate launch --multi_gpu`, torchrun, or train.processes in {PARAMS} alone"
        )


def own_gpu(variables: Mapping[str, str], local: int, local_count: int) -> dict[str, str]:
    """Return the variable that gives a process its own GPU; nothing where there is none.

    Args:
        variables: the environment.
        local: the process's number on this machine.
        local_count: processes on this machine.

    Raises:
        LaunchError: there are GPUs, but not one for each process.
    """
    stated = variables.get(VISIBLE)
    # empty or -1: the user wants no GPU
    visible = (
        [str(number) for number in range(gpu_count())]
        if stated is None
        else [name.strip() for name in stated.partition("-1")[0].split(",") if name.strip()]
    )
    if visible and len(visible) < local_count:
        raise LaunchError(
            f"train.processes: {local_count} on this machine, but it has {len(visible)} GPUs to "
            f"give ({VISIBLE if stated is not None else 'by its driver'}), and two processes on "
            f"one would only wait for each other; write {len(visible)}, or {VISIBLE}= (empty) to "
            "train on the CPU"
        )
    return {VISIBLE: visible[local]} if visible else {}


def own_threads(variables: Mapping[str, str], local_count: int) -> dict[str, str]:
    """Return the variable that gives a process its share of the threads that one would have had.

    All of a machine's cores in each process would only take them from each other.

    Args:
        variables: the environment.
        local_count: processes on this machine.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    stated = variables.get(THREADS, "")
    threads = int(stated) if stated.isdecimal() else cores
    return {THREADS: str(max(1, threads // local_count))}


def _end_with(parent: int) -> None:
    """End this process when its launcher is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    # nothing is cleaned up: that is what a kill leaves, and the next run knows it
    os._exit(LOST_EXIT_CODE)
