"""Cells as processes on this machine, a few at a time."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence

import psutil

from vestibular.scatter.engine import Task

SAME_BIRTH = 30
"""Seconds between a process's birth and what is noted of it; one that gets its number later is born
later. The clock may be set in the meantime."""
SECONDS_TO_END = 10
"""After which a process that was asked to end is killed."""


class Local:
    """As many processes as fit, each with its share of the processors."""

    name = "local"

    def __init__(self, jobs: int, memory: int, gpus: int) -> None:
        """Say what there is to share out.

        Args:
            jobs: processes at a time.
            memory: bytes that they may take together.
            gpus: devices; a process gets one of its own where there are any.
        """
        self._jobs = jobs
        self._memory = memory
        self._gpus = gpus
        self._device_of: dict[str, int] = {}
        """GPU by job."""
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Say whether a process is free, and memory; alone, any cell may try."""
        taken = sum(each.resources.memory for each in running)
        return not running or (
            len(running) < self._jobs and taken + task.resources.memory <= self._memory
        )

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Start the processes, each leading a session: a group that can be ended together."""
        started = {}
        for task in tasks:
            environment = {**os.environ, "OMP_NUM_THREADS": str(task.resources.cpus)}
            device = self._free_device()
            if device is not None:
                environment["CUDA_VISIBLE_DEVICES"] = str(device)
            child = subprocess.Popen(  # noqa: S603
                ["/bin/sh", str(task.folder.script)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            job = f"{child.pid}/{time.time():.2f}"
            self._children[job] = child
            if device is not None:
                self._device_of[job] = device
            started[task.cell.name] = job
        return started

    def alive(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Look the processes up; another one that has got the number of one is told apart."""
        for child in self._children.values():
            child.poll()
        return {job: f"process {job.partition('/')[0]}" for job in jobs if self._is_alive(job)}

    def cancel(self, jobs: Sequence[str]) -> None:
        """Ask the groups to end, then kill what is left of them."""
        groups = {int(job.partition("/")[0]) for job in self.alive(jobs)}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            deadline = time.monotonic() + SECONDS_TO_END
            while _any_of(groups) and time.monotonic() < deadline:
                time.sleep(0.1)
        self.alive(jobs)

    def _is_alive(self, job: str) -> bool:
        number, _, birth = job.partition("/")
        born = _birth(int(number))
        return born is not None and abs(born - float(birth)) < SAME_BIRTH

    def _free_device(self) -> int | None:
        taken = {self._device_of[job] for job in self.alive(list(self._device_of))}
        free = [number for number in range(self._gpus) if number not in taken]
        return free[0] if free else None


def _birth(number: int) -> float | None:
    """Return when a process began, in seconds since 1970; None if there is none that lives."""
    try:
        process = psutil.Process(number)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _any_of(groups: Collection[int]) -> bool:
    """Say whether a process of these groups lives: a leader may go before those it has started."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
