"""Checkpoints that survive a kill.

They lie in `.vestibular/`, which git and DVC ignore: nothing there is a result.
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
"""Marker file: the checkpoint beside it was written to its end. Holds the training's seconds."""
PACKAGES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
"""Packages whose version decides what a training step computes."""
CODE = ("core", "modeling", "tracking", "training")
"""Packages of this library that the stage `train` depends on, as `dvc.yaml` names them."""
LIBRARY = Path(__file__).parents[1]


class Counted(FileFormat):
    """The file that marks a checkpoint as written to its end."""

    started: float
    """When the training began, before any kill: seconds since 1970."""
    seconds: float = 0.0
    """Seconds that led to the checkpoint; what a kill has undone does not count."""
    processor_seconds: float = 0.0
    """The same, of the processors' time, of all processes together."""
    processes: int = 1
    """Processes that trained together."""
    epoch_ends: tuple[float, ...] = ()
    """Of the seconds, those at which each whole epoch had ended."""
    loss_sum: float = 0.0
    """Sum of the steps' losses, nats a label token."""


def training_key(**inputs: object) -> str:
    """Return a hash of everything that a training depends on, code and packages included.

    A package's version counts without its build (`+cpu`): a run has one name on all machines.
    """
    everything = {
        **inputs,
        "code": {name: folder_sha256(LIBRARY / name, "*.py") for name in CODE},
        "packages": {name: version(name).partition("+")[0] for name in PACKAGES},
    }
    text = json.dumps(everything, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def last_complete(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; delete the broken ones."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in found:
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
    whole = [path for path in found if path.exists()]
    return whole[-1] if whole else None


def check_processes(folder: Path, processes: int, work: str) -> None:
    """Make sure that a training goes on with as many processes as it was begun with.

    Args:
        folder: its checkpoints.
        processes: how many it would have now.
        work: what it is, for the message.

    Raises:
        LaunchError: they were more or fewer: dropout and the last digits would be those of neither.
    """
    checkpoint = last_complete(folder)
    if checkpoint is None:
        return
    before = Counted.read(checkpoint / COMPLETE).processes
    if before != processes:
        step = checkpoint.name.split("-")[1]
        raise LaunchError(
            f"{work} has come to step {step} with train.processes: {before}, and it is {processes} "
            f"now; write processes: {before} to go on from there, or delete {folder} to begin anew"
        )
