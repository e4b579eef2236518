"""Cells as jobs of a Ray cluster, asked over HTTP: Ray itself need not be installed here."""

import secrets
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from vestibular.core.errors import first_line
from vestibular.scatter.engine import Task
from vestibular.scatter.errors import ScatterError

UNDER_WAY = {"PENDING": "in the queue", "RUNNING": "on the cluster"}
"""Ray's words for a job that has not ended."""
SECONDS = 60.0
"""How long the cluster may take to answer."""


class Ray:
    """The jobs' interface of a cluster's dashboard (`ray[default]`).

    Source: docs.ray.io, "Ray Jobs REST API".
    """

    name = "ray"

    def __init__(self, address: str) -> None:
        """Make sure that the cluster answers.

        Args:
            address: of its dashboard, as `http://127.0.0.1:8265`.

        Raises:
            ScatterError: it does not.
        """
        self._address = address.rstrip("/")
        self._ask("GET", "/api/version")

    def room_for(self, task: Task, running: Sequence[Task]) -> bool:
        """Say yes: the queue is Ray's."""
        return True

    def submit(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Submit a job each, with the processors, GPUs and memory that Ray keeps for it."""
        started = {}
        for task in tasks:
            # a cell that runs again is another job
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
        """Ask for all of the cluster's jobs."""
        found = {
            each.get("submission_id"): each.get("status") for each in self._ask("GET", "/api/jobs/")
        }
        return {job: UNDER_WAY[found[job]] for job in jobs if found.get(job) in UNDER_WAY}

    def cancel(self, jobs: Sequence[str]) -> None:
        """Let Ray end the jobs: by SIGTERM, and SIGKILL soon after."""
        for job in self.alive(jobs):
            self._ask("POST", f"/api/jobs/{job}/stop")

    def _ask(self, method: str, path: str, content: Mapping[str, object] | None = None) -> Any:
        # imported here: the other engines need no HTTP
        import httpx2

        try:
            answer = httpx2.request(method, f"{self._address}{path}", json=content, timeout=SECONDS)
            answer.raise_for_status()
            return answer.json()
        except httpx2.HTTPError as error:
            raise ScatterError(
                f"{self._address}: Ray's dashboard does not do its part ({first_line(error)}); "
                "`scatter.ray` in params.yaml names its address, and `ray[default]` has one"
            ) from None
