"""Launch of a training's processes on this machine, and their common end.

Torchrun is not used: its store always listens on all of the machine's addresses, and its processes
survive when it is killed. Here the processes meet through a file, and each watches its launcher
(`places`). Nothing here imports torch.
"""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vestibular.core.errors import INTERRUPTED_EXIT_CODE, LaunchError, LostProcessError
from vestibular.training.places import (
    COUNT,
    LAUNCHER,
    LOCAL_COUNT,
    LOCAL_RANK,
    LOST_EXIT_CODE,
    MEETING,
    RANK,
    own_gpu,
    own_threads,
)

GRACE_SECONDS = 10.0
"""Seconds for the other processes to end by themselves after one has failed."""
END_SECONDS = 5.0
"""Seconds from the request to end until the kill."""
POLL_SECONDS = 0.1


def silent_when_lost(stage: Callable[[], None]) -> Callable[[], None]:
    """Leave the message to the launcher if this process ends because others have."""

    @functools.wraps(stage)
    def run() -> None:
        ours = MEETING in os.environ
        try:
            stage()
        except LostProcessError:
            if not ours:
                raise
            raise SystemExit(LOST_EXIT_CODE) from None

    return run


def launch(command: Sequence[str], processes: int, work: str) -> None:
    """Run a command as several processes on this machine, until all have ended.

    The first process writes to the terminal, including the progress bar. The output of another one
    is shown if that is the first to fail.

    Args:
        command: command of each process.
        processes: number of processes.
        work: what they do, for messages.

    Raises:
        LaunchError: there are not enough GPUs, a process was ended by a signal, or the processes
            have lost contact.
        SystemExit: a process has failed, after its own message; with its exit status.
    """
    threads = own_threads(os.environ, processes)
    shares = [own_gpu(os.environ, rank, processes) | threads for rank in range(processes)]
    ranks: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="vestibular-") as temporary, _ended_politely():
        folder = Path(temporary)
        try:
            for rank, share in enumerate(shares):
                place = {
                    RANK: str(rank),
                    COUNT: str(processes),
                    LOCAL_RANK: str(rank),
                    LOCAL_COUNT: str(processes),
                    MEETING: f"file://{folder / 'meeting'}",
                    LAUNCHER: str(os.getpid()),
                }
                ranks.append(_start(command, {**os.environ, **share, **place}, folder, rank))
            failed = _wait(ranks)
        except KeyboardInterrupt:
            # they have sessions of their own, so the terminal's Ctrl-C has not reached them
            for process in ranks:
                process.send_signal(signal.SIGINT)
            _until(ranks, END_SECONDS)
            raise SystemExit(INTERRUPTED_EXIT_CODE) from None
        finally:
            _end(ranks)
        if failed is not None:
            _report(failed, processes, work, folder)


def _start(
    command: Sequence[str], variables: dict[str, str], folder: Path, rank: int
) -> "subprocess.Popen[bytes]":
    # by default gloo listens at the address of the host's name; `lo` is Linux's loopback interface
    if sys.platform == "linux":
        variables.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with _log(folder, rank).open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=None if rank == 0 else log,
            stderr=None if rank == 0 else log,
            start_new_session=True,
        )


def _log(folder: Path, rank: int) -> Path:
    return folder / f"process-{rank}.txt"


def _wait(ranks: Sequence["subprocess.Popen[bytes]"]) -> tuple[int, int] | None:
    """Return the first process to fail, and its exit status; None if none has."""
    while None in (codes := [process.poll() for process in ranks]):
        if any(codes):
            # the others notice at their next exchange, unless they hang elsewhere
            _until(ranks, GRACE_SECONDS)
            break
        time.sleep(POLL_SECONDS)
    failed = [(rank, process.returncode) for rank, process in enumerate(ranks) if process.poll()]
    causes = [(rank, code) for rank, code in failed if code != LOST_EXIT_CODE]
    return next(iter(causes or failed), None)


def _until(ranks: Sequence["subprocess.Popen[bytes]"], seconds: float) -> None:
    end = time.monotonic() + seconds
    while None in [process.poll() for process in ranks] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def _end(ranks: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in ranks:
        process.terminate()
    _until(ranks, END_SECONDS)
    for process in ranks:
        process.kill()
        process.wait()


def _report(failed: tuple[int, int], processes: int, work: str, folder: Path) -> None:
    rank, code = failed
    if code == LOST_EXIT_CODE:
        raise LaunchError(
            f"{work}: its {processes} processes have lost contact: one did not answer in time; "
            "run the command again to continue from the last checkpoint"
        )
    if code < 0:
        name = signal.Signals(-code).name
        memory = "; the system does this when memory runs out (`vestibular plan`)"
        raise LaunchError(
            f"{work}: process {rank + 1} of {processes} was ended by "
            f"{name}{memory if code == -signal.SIGKILL else ''}. The others were ended, and "
            "nothing was replaced; run the command again to continue from the last checkpoint"
        )
    if rank:
        print(_log(folder, rank).read_text("utf-8", "replace"), end="", file=sys.stderr)
    raise SystemExit(code)


@contextlib.contextmanager
def _ended_politely() -> Iterator[None]:
    """Let SIGTERM end this process like Ctrl-C, so that its processes and files are cleaned up."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
