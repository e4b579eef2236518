"""A network and a process namespace of a test's own: nothing in it is seen from outside."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

NEEDED = ("unshare", "nsenter", "ip")
FIRST = "ip link set lo up && ip addr add 192.0.2.9/32 dev lo && exec sleep 3600"
PATIENCE = 180
"""Seconds in which something comes up, on a machine that has much to do."""


def why_not(*programs: str) -> str | None:
    """Return why there can be no namespace with these programs; None if there can."""
    if os.geteuid() != 0:
        return "a namespace of its own needs root"
    missing = [name for name in (*NEEDED, *programs) if shutil.which(name) is None]
    return f"{', '.join(missing)}: not installed" if missing else None


def wait_for(happened: Callable[[], bool], what: str) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"{what}: did not come up"
        time.sleep(0.2)


class Namespace:
    """All of its processes end with its first one."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Start it.

        Args:
            variables: of the commands' environment.
        """
        self.variables = dict(variables)
        self._parent = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", FIRST],
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._parent.pid}/task/{self._parent.pid}/children")
        wait_for(lambda: children.read_text().split() != [], "the namespace")
        self._first = children.read_text().split()[0]
        self.enter = ("nsenter", f"--target={self._first}", "--net", "--pid", "--mount")
        wait_for(lambda: "192.0.2.9" in self.run("ip", "addr"), "the network")

    def run(self, *command: str, status: int | None = 0) -> str:
        """Run a command in it, and return what it says."""
        done = subprocess.run(
            [*self.enter, *command],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
        )
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> list[Path]:
        """Return its processes, as the folders in `/proc` that they are outside."""
        own = Path(f"/proc/{self._first}/ns/pid").readlink()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "ns/pid").readlink() == own:
                    found.append(path)
            except (FileNotFoundError, PermissionError):
                continue
        return found

    def stop(self) -> None:
        """End all of it."""
        os.kill(int(self._first), signal.SIGKILL)
        self._parent.wait(30)
