"""Scatters that run in the background, without a terminal, and how to follow them."""

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
    """Return the lock that a scatter holds; a project has one scatter at a time."""
    return scatter_folder() / "lock"


def start(words: Sequence[str]) -> None:
    """Start a command in the background, and print how to follow it.

    Args:
        words: the arguments after `vestibular`; the command calls `announce` with the lock held.

    Raises:
        BusyError: a scatter is already running.
        ScatterError: the command ended before it held the lock.
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
    # wait for the lock, so that the same command typed right away finds this scatter
    while True:
        status = child.poll()
        if _number().exists():
            break
        if status is not None:
            raise ScatterError(f"the scatter ended with status {status}; {_log()} says why")
        time.sleep(0.1)
    number = _number().read_text(encoding="utf-8").strip()
    print(
        f"Running in the background as process {number}; its output is in {_log()}.\n"
        "The same command without --detach follows it, or takes over its jobs if it has died; "
        f"`kill {number}` ends it and its jobs."
    )


def announce() -> None:
    """Announce that this process runs in the background and holds the lock."""
    half = _number().with_suffix(".half")
    half.write_text(lock_file().read_text(encoding="utf-8"), encoding="utf-8")
    half.replace(_number())


def is_under_way() -> bool:
    """Return whether the scatter that holds the lock was started in the background."""
    if not _number().exists():
        return False
    owner = lock_file().read_text(encoding="utf-8").strip()
    return owner == _number().read_text(encoding="utf-8").strip()


def follow() -> None:
    """Print the output of a scatter in the background, from its start until it ends."""
    owner = _number().read_text(encoding="utf-8").strip()
    print(f"Running in process {owner}; Ctrl-C stops following, `kill {owner}` ends the scatter.")
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
    """Return the file that holds the background process's ID."""
    return scatter_folder() / "detached"
