"""`.vestibular`: working files outside git and DVC, and locks on parts of it."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vestibular.core.errors import BusyError


def work_folder() -> Path:
    """Return the folder for checkpoints, locks, costs and spools.

    In a temporary workspace of `dvc exp run` it is that of the original repository, so that a
    killed experiment finds its checkpoint again.
    """
    return Path(os.environ.get("DVC_ROOT") or ".") / ".vestibular"


@contextlib.contextmanager
def exclusive_lock(path: Path, work: str, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`; if it is taken, say so once and wait.

    The system releases the lock when this process ends, for whatever reason. Two experiments in
    DVC's queue that train the same cell thus take turns; the second one finds no checkpoint and
    trains the cell again, with the same result.

    Args:
        path: the lock file; created if missing.
        work: the work done under the lock, for the message.
        wait: whether to wait.

    Raises:
        BusyError: another process holds the lock, and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            said = f"{work} is already running in process {owner}"
            advice = f"if it is left over from a killed run, end it with `kill {owner}`"
            if not wait:
                raise BusyError(f"{said}; {advice}") from None
            print(f"{said}; waiting for it to end ({advice})", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
