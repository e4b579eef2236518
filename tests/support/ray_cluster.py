"""A Ray cluster of two nodes on this machine, in a namespace of its own.

Ray has an environment of its own, since it asks for other versions than the project: `.venv-ray`
in the top folder, made with
`python3 -m venv .venv-ray && .venv-ray/bin/pip install 'ray[default]==2.60.0'`.
"""

import os
import signal
from pathlib import Path

from tests.support import namespaces
from tests.support.commands import ROOT

RAY = ROOT / ".venv-ray/bin/ray"
DASHBOARD = "http://127.0.0.1:8265"


def why_not() -> str | None:
    """Return why there can be no such cluster here; None if there can."""
    if not RAY.exists():
        return f"{RAY}: not installed; {Path(__file__).name} says how"
    return namespaces.why_not("curl")


class RayCluster:
    """Two nodes of one processor each."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        """Start it.

        Args:
            folder: holds its state and logs; a short path, since sockets lie in it.
            variables: of the jobs' environment.
        """
        self.variables = {
            **variables,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DISABLE_IMPORT_WARNING": "1",
            "RAY_raylet_start_wait_time_s": "120",
        }
        self._namespace = namespaces.Namespace(self.variables)
        self.enter, self.run = self._namespace.enter, self._namespace.run
        common = ("--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000")
        address = "192.0.2.9"
        self.run(
            *(str(RAY), "start", "--head", f"--node-ip-address={address}", "--port=6379"),
            *("--dashboard-host=127.0.0.1", f"--temp-dir={folder}", *common),
        )
        self.run(str(RAY), "start", f"--address={address}:6379", *common)
        asked = ("curl", "--silent", f"{DASHBOARD}/api/version")
        namespaces.wait_for(lambda: "ray_version" in self.run(*asked, status=None), "Ray")

    def kill_second_node(self) -> None:
        """End a node's daemon, and with it its jobs, as a power cut would."""
        daemons = []
        for process in self._namespace.processes():
            try:
                if b"raylet/raylet" in (process / "cmdline").read_bytes():
                    daemons.append(int(process.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        os.kill(max(daemons), signal.SIGKILL)

    def stop(self) -> None:
        """End all of it."""
        self._namespace.stop()
