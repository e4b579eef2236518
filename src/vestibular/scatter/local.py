"""Engine that runs cells as processes on this machine, a few at a time."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence

import psutil

from vestibular.scatter.engine import Task

SAME_BIRTH = 30
"""Largest difference in seconds between the noted and the actual start of the same process. Another
process that got its ID started later. The margin allows for changes of the clock."""
SECONDS_TO_END = 10
"""Seconds from the request to end until the kill."""


class Local:
    """Runs as many processes as fit, each with its share of the CPU cores."""

    name = "local"

    def __init__(self, jobs: int, memory: int, gpus: int) -> None:
        """Set the resources that the processes share.

        Args:
            jobs: number of processes at a time.
            memory: memory of all of them together, in bytes.
            gpus: number of GPUs; if there are any, each process gets one of its own.
        """
        self._jobs = jobs
        self._memory = memory
        self._gpus = gpus
        self._device_of: dict[str, int] = {}
        """GPU by job."""
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Return whether a process and the memory are free; if none runs, any cell may start."""
        taken = sum(each.resources.memory for each in running)
        return not running or (
            len(running) < self._jobs and taken + task.resources.memory <= self._memory
        )

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Start the processes, each in a session of its own, so that its group ends together."""
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
        """Look up the processes; a new process with the ID of an old one does not count."""
        for child in self._children.values():
            child.poll()
        return {job: f"process {job.partition('/')[0]}" for job in jobs if self._is_alive(job)}

    def cancel(self, jobs: Sequence[str]) -> None:
        """Ask the process groups to end, then kill those that remain."""
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
    """Return when a process started, in seconds since 1970; None if it is not alive."""
    try:
        process = psutil.Process(number)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _any_of(groups: Collection[int]) -> bool:
    """Return whether a process of these groups is alive; a leader may end before its children."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
