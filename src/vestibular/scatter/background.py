"""A scatter that goes on without its terminal, and looking in on it."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vestibular.core.errors import BusyError
from vestibular.core.work_folder import exclusive_lock
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.folders import scatter_folder

WORK = "a scatter of this project"


def lock_file() -> Path:
    """Return the lock that a scatter holds: one at a time in a project."""
    return scatter_folder() / "lock"


def start(words: Sequence[str]) -> None:
    """Start a command in the background, and say how to look in.

    Args:
        words: the command's, behind `vestibular`; it calls `announce` once it holds the lock.

    Raises:
        BusyError: a scatter is under way.
    """
    with exclusive_lock(lock_file(), WORK, wait=False):
        _number().unlink(missing_ok=True)
    with _log().open("w", encoding="utf-8") as file:
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "vestibular", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    # whoever types the same command at once is to find it
    while True:
        status = child.poll()
        if _number().exists():
            break
        if status is not None:
            raise ScatterError(f"it ended with status {status}; {_log()} says why")
        time.sleep(0.1)
    number = _number().read_text(encoding="utf-8").strip()
    print(
        f"Goes on in the background as process {number}; its words are in {_log()}.\n"
        "The same command without --detach follows it, or takes over its jobs should it be gone; "
        f"`kill {number}` ends it and its jobs."
    )


def announce() -> None:
    """Say, in a process that was started in the background and holds the lock, that it does."""
    half = _number().with_suffix(".half")
    half.write_text(lock_file().read_text(encoding="utf-8"), encoding="utf-8")
    half.replace(_number())


def is_under_way() -> bool:
    """Say whether the scatter that holds the lock was started in the background."""
    if not _number().exists():
        return False
    owner = lock_file().read_text(encoding="utf-8").strip()
    return owner == _number().read_text(encoding="utf-8").strip()


def follow() -> None:
    """Print what a scatter in the background says, from its beginning until it ends."""
    owner = _number().read_text(encoding="utf-8").strip()
    print(f"Goes on in process {owner}; Ctrl-C stops the looking in, `kill {owner}` the scatter.")
    with _log().open(encoding="utf-8") as file:
        while True:
            ended = not _is_held()
            print(file.read(), end="", flush=True)
            if ended:
                return
            time.sleep(1)


def _is_held() -> bool:
    try:
        with exclusive_lock(lock_file(), WORK, wait=False):
            return False
    except BusyError:
        return True


def _log() -> Path:
    return scatter_folder() / "detached.log"


def _number() -> Path:
    """Return the file that holds the background process's number."""
    return scatter_folder() / "detached"
