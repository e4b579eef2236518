"""Engine that runs cells as jobs of a Ray cluster, over HTTP; Ray need not be installed here."""

import secrets
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from vestibular.core.errors import first_line
from vestibular.scatter.engine import Task
from vestibular.scatter.errors import ScatterError

UNDER_WAY = {"PENDING": "in the queue", "RUNNING": "on the cluster"}
"""Ray's states of a job that has not ended."""
SECONDS = 60.0
"""Timeout of a request to the cluster."""


class Ray:
    """The job API of a cluster's dashboard (`ray[default]`).

    Source: docs.ray.io, "Ray Jobs REST API".
    """

    name = "ray"

    def __init__(self, address: str) -> None:
        """Check that the cluster answers.

        Args:
            address: address of its dashboard, such as `http://127.0.0.1:8265`.

        Raises:
            ScatterError: the cluster does not answer.
        """
        self._address = address.rstrip("/")
        self._ask("GET", "/api/version")

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Return true: Ray has a queue of its own."""
        return True

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Submit one job for each task, with the CPU cores, GPUs and memory to reserve for it."""
        started = {}
        for task in tasks:
            # a cell that runs again needs a new job ID
            job = f"{task.folder.path.name}-{secrets.token_hex(3)}"
            asked = {
                "entrypoint": f"/bin/sh {quote(str(task.folder.script))}",
                "submission_id": job,
                "entrypoint_num_cpus": task.resources.cpus,
                "entrypoint_num_gpus": task.resources.gpus,
                "entrypoint_memory": task.resources.memory,
                "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(task.resources.cpus)}},
            }
            self._ask("POST", "/api/jobs/", asked)
            started[task.cell.name] = job
        return started

    def alive(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Look the jobs up among all jobs of the cluster."""
        found = {
            each.get("submission_id"): each.get("status") for each in self._ask("GET", "/api/jobs/")
        }
        return {job: UNDER_WAY[found[job]] for job in jobs if found.get(job) in UNDER_WAY}

    def cancel(self, jobs: Sequence[str]) -> None:
        """Ask Ray to end the jobs; it sends SIGTERM, and SIGKILL soon after."""
        for job in self.alive(jobs):
            self._ask("POST", f"/api/jobs/{job}/stop")

    def _ask(self, method: str, path: str, content: Mapping[str, object] | None = None) -> Any:
        # imported here, because the other engines need no HTTP
        import httpx2

        try:
            answer = httpx2.request(method, f"{self._address}{path}", json=content, timeout=SECONDS)
            answer.raise_for_status()
            return answer.json()
        except httpx2.HTTPError as error:
            raise ScatterError(
                f"{self._address}: Ray's dashboard does not answer as expected "
                f"({first_line(error)}); check its address (`scatter.ray` in params.yaml), and "
                "that the cluster was installed with `ray[default]`"
            ) from None
