"""Checkpoints that survive a kill, and locks that keep two runs out of each other's way.

They lie in `.vestibular/`, which git and DVC ignore: nothing there is a result.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from vestibular.core.errors import BusyError
from vestibular.core.files import folder_sha256

COMPLETE = "complete"
"""Marker file: the checkpoint beside it was written to its end. Holds the training's seconds."""
PACKAGES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
"""Packages whose version decides what a training step computes."""


def work_folder() -> Path:
    """Return the folder for checkpoints and locks.

    In a temporary workspace of `dvc exp run` it is the original repository's, so that a killed
    experiment finds its checkpoint again.
    """
    return Path(os.environ.get("DVC_ROOT") or ".") / ".vestibular"


def training_key(**inputs: object) -> str:
    """Return a hash of everything that a training depends on, code and packages included."""
    everything = {
        **inputs,
        "code": folder_sha256(Path(__file__).parents[1], "*.py"),
        "packages": {name: version(name) for name in PACKAGES},
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


@contextlib.contextmanager
def only_one(path: Path, work: str) -> Iterator[None]:
    """Hold the lock file `path`; the system lets go of it when this process ends, however.

    Raises:
        BusyError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another one"
            raise BusyError(
                f"{work} is under way in process {owner}, perhaps left over from a run that was "
                f"killed; wait for it, or end it with `kill {owner}`, and run this again"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
