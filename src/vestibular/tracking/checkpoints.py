"""Checkpoints that survive a kill.

They are in `.vestibular/`, which git and DVC ignore: nothing there is a result.
"""

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

from vestibular.core.errors import LaunchError
from vestibular.core.file_formats import FileFormat
from vestibular.core.files import folder_sha256

COMPLETE = "complete"
"""Marker of a completely written checkpoint; contains the progress of the training."""
PACKAGES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
"""Packages whose versions affect the computation of a training step."""
CODE = ("core", "modeling", "tracking", "training")
"""Packages of this library that the stage `train` depends on, as `dvc.yaml` names them."""
LIBRARY = Path(__file__).parents[1]


class Counted(FileFormat):
    """The file that marks a checkpoint as completely written."""

    started: float
    """Start of the training, before any interruption: seconds since 1970."""
    seconds: float = 0.0
    """Seconds up to the checkpoint; work lost to an interruption does not count."""
    processor_seconds: float = 0.0
    """CPU time of the same, summed over all processes, in seconds."""
    processes: int = 1
    """Number of processes that trained together."""
    epoch_ends: tuple[float, ...] = ()
    """End of each whole epoch, in seconds of the training."""
    loss_sum: float = 0.0
    """Sum of the steps' losses, in nats per label token."""


def training_key(**inputs: object) -> str:
    """Return a hash of everything that a training depends on, code and packages included.

    A package's version counts without its build (`+cpu`), so that a run has the same name on all
    machines.
    """
    everything = {
        **inputs,
        "code": {name: folder_sha256(LIBRARY / name, "*.py") for name in CODE},
        "packages": {name: version(name).partition("+")[0] for name in PACKAGES},
    }
    text = json.dumps(everything, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def last_complete(folder: Path) -> Path | None:
    """Return the newest complete checkpoint; delete incomplete ones."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in found:
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
    whole = [path for path in found if path.exists()]
    return whole[-1] if whole else None


def check_processes(folder: Path, processes: int, work: str) -> None:
    """Check that a training continues with the number of processes it was started with.

    Args:
        folder: its checkpoints.
        processes: the current number.
        work: the work, for the message.

    Raises:
        LaunchError: the number differs: dropout and the last digits would match neither.
    """
    checkpoint = last_complete(folder)
    if checkpoint is None:
        return
    before = Counted.read(checkpoint / COMPLETE).processes
    if before != processes:
        step = checkpoint.name.split("-")[1]
        raise LaunchError(
            f"{work} has reached step {step} with train.processes: {before}, but now it is "
            f"{processes}; write processes: {before} to continue from there, or delete {folder} "
            "to start again"
        )
