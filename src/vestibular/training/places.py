"""The place of this process among those of a training, and its share of the machine.

`train.processes` sets their number. The stage starts them itself (`launching`), or torchrun or
`accelerate launch` has started the stage several times, on one machine or on several that share the
folder. Nothing here imports torch.
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
"""Variables of a process started here: its meeting point, and its launcher."""
TORCHRUN = "TORCHELASTIC_RUN_ID"
"""Variable that torchrun always sets, also below `accelerate launch`."""
RANK, COUNT, LOCAL_RANK, LOCAL_COUNT = "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"
OF_A_LAUNCH = (
    *(RANK, COUNT, LOCAL_RANK, LOCAL_COUNT, "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_*"),
    *("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_*", MEETING, LAUNCHER),
)
"""Variables set by a launch."""
OTHER_WAYS = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "parallelism_config",
}
"""Ways of splitting a model in `accelerate launch`, by the variables it sets for them."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"

LOST_EXIT_CODE = 75
"""Exit status of a process that ended because another one had: the launcher reports the reason."""
PARENT_SECONDS = 1.0
"""Seconds between two checks that the launcher still exists."""


@dataclass(frozen=True)
class Place:
    """One process of a training."""

    rank: int = 0
    """Number of the process; process 0 writes all files."""
    count: int = 1
    """Number of processes."""
    meeting: str = ""
    """Their meeting point, torch's `init_method`; empty for a single process."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that torch needs for the meeting."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and the output."""
        return self.rank == 0

    @property
    def needs_lock(self) -> bool:
        """Whether this process must lock the training: our own launcher has already done so."""
        return self.is_first and not self.meeting.startswith("file:")


def take_place(variables: MutableMapping[str, str], settings: TrainSettings) -> Place | None:
    """Return this process's place; None if it has to start the training's processes itself.

    The launch's variables are removed: the Trainer and accelerate would each act on them in their
    own way. A GPU is selected by `CUDA_VISIBLE_DEVICES`, so that no process can use another's.

    Args:
        variables: the environment.
        settings: the candidate's settings.

    Raises:
        LaunchError: a launcher has started a different number of processes than the settings say,
            more than there are GPUs, or in an unsupported way of splitting a model.
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
            f"launch`, but {PARAMS} has train.processes: {count}, which is recorded with the "
            f"results; write processes: {started} under train or the candidate, or start the "
            f"stage without a launcher. If there is no launcher, {TORCHRUN} is left over: unset it"
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
            else "and it cannot be recorded in the settings"
        )
        raise LaunchError(
            f"{name}: {way} splits a model among the processes, which is not supported, {known}; "
            "here each process holds the whole model and computes its share of every step: use "
            f"`accelerate launch --multi_gpu`, torchrun, or only train.processes in {PARAMS}"
        )


def own_gpu(variables: Mapping[str, str], local: int, local_count: int) -> dict[str, str]:
    """Return the variable that gives a process its own GPU; empty without GPUs.

    Args:
        variables: the environment.
        local: number of the process on this machine.
        local_count: number of processes on this machine.

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
            f"train.processes: {local_count} on this machine, but it has only {len(visible)} "
            f"GPU{'s' if len(visible) > 1 else ''} available (according to "
            f"{VISIBLE if stated is not None else 'its driver'}), and two processes on one GPU "
            f"would only wait for each other; write {len(visible)}, or set {VISIBLE}= (empty) to "
            "train on the CPU"
        )
    return {VISIBLE: visible[local]} if visible else {}


def own_threads(variables: Mapping[str, str], local_count: int) -> dict[str, str]:
    """Return the variable that gives a process its share of the threads.

    If each process used all of the machine's cores, they would only slow each other down.

    Args:
        variables: the environment.
        local_count: number of processes on this machine.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    stated = variables.get(THREADS, "")
    threads = int(stated) if stated.isdecimal() else cores
    return {THREADS: str(max(1, threads // local_count))}


def _end_with(parent: int) -> None:
    """End this process when its launcher has ended, for whatever reason."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    # no clean-up: the next run handles what a kill leaves behind
    os._exit(LOST_EXIT_CODE)
