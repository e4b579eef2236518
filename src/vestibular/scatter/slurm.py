"""Engine that runs cells as Slurm jobs: one job array for each set of equal resources."""

import getpass
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

from vestibular.core.files import atomic_file
from vestibular.core.version_control import last_line
from vestibular.scatter.engine import Resources, Task
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.folders import scatter_folder

ARRAY_SCRIPT = """\
#!/bin/sh
# each array task runs one script; the first line of the list belongs to task 0
exec /bin/sh "$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {list})"
"""
MEGABYTE = 1 << 20
MOST_TASKS = 1000
"""Largest number of tasks in an array: Slurm's `MaxArraySize` is 1,001 by default."""


class Slurm:
    """Uses `sbatch`, `squeue` and `scancel`; no accounting is needed."""

    name = "slurm"

    def __init__(self, options: Sequence[str]) -> None:
        """Check that Slurm is available.

        Args:
            options: further options of `sbatch`; they override those from the plan.

        Raises:
            ScatterError: there is no `sbatch`.
        """
        if shutil.which("sbatch") is None:
            raise ScatterError(
                "sbatch: not found; run the command on a machine that submits jobs to Slurm, or "
                "with --on local"
            )
        self._options = tuple(options)

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Return true: Slurm has a queue of its own."""
        return True

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Submit one array for each set of equal resources."""
        classes: dict[Resources, list[Task]] = {}
        for task in tasks:
            classes.setdefault(task.resources, []).append(task)
        started: dict[str, str] = {}
        for resources, members in classes.items():
            for first in range(0, len(members), MOST_TASKS):
                alike = members[first : first + MOST_TASKS]
                array = self._submit_array(resources, [task.folder.script for task in alike])
                started |= {task.cell.name: f"{array}_{place}" for place, task in enumerate(alike)}
        return started

    def alive(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Look the jobs up among this user's tasks in the queue."""
        listed = _run(
            "squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%i %T %N"
        )
        found = {}
        for line in listed.splitlines():
            identity, state, *node = line.split()
            where = f"on {node[0]}" if node else "in the queue"
            found[identity] = f"{state.lower()} {where}"
        return {job: found[job] for job in jobs if job in found}

    def cancel(self, jobs: Sequence[str]) -> None:
        """End the tasks; Slurm sends SIGTERM, and SIGKILL half a minute later."""
        if left := list(self.alive(jobs)):
            _run("scancel", "--quiet", *left)

    def _submit_array(self, resources: Resources, scripts: Sequence[Path]) -> str:
        folder = scatter_folder().absolute()
        name = scripts[0].parent.name
        listed, script = folder / f"array-{name}.txt", folder / f"array-{name}.sh"
        for path, text in (
            (listed, "".join(f"{each}\n" for each in scripts)),
            (script, ARRAY_SCRIPT.format(list=quote(str(listed)))),
        ):
            with atomic_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        options = [
            "--job-name=vestibular",
            f"--array=0-{len(scripts) - 1}",
            "--output=/dev/null",
            "--requeue",
            f"--cpus-per-task={resources.cpus}",
            f"--time={resources.minutes}",
            f"--export=ALL,OMP_NUM_THREADS={resources.cpus}",
            # without --mem, Slurm may reserve all of a node's memory
            *([f"--mem={-(-resources.memory // MEGABYTE)}M"] if resources.memory else []),
            *([f"--gres=gpu:{resources.gpus}"] if resources.gpus else []),
            *self._options,
        ]
        # with several clusters, the cluster's name follows the job's ID
        return _run("sbatch", "--parsable", *options, str(script)).strip().partition(";")[0]


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603
    except FileNotFoundError:
        raise ScatterError(f"{command[0]}: not found; it is a part of Slurm") from None
    if done.returncode:
        raise ScatterError(f"{command[0]}: {last_line(done.stderr)}")
    return done.stdout
