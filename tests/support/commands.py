"""Commands run as a user would, on this very code."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.patience import FOREVER

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
"""This very Python, whatever `sys.executable` is in a test whose commands are warm."""
RUN_SECONDS = FOREVER
"""After which a command is killed and its test fails."""

warm_commands: list[Path] = []
"""The folder of commands that need not import the large libraries, once there is one."""


def environment(*, cold: bool = False) -> dict[str, str]:
    """Return an environment in which DVC's stages run this very Python and this very code.

    That is the folder's own code where it has any, as a clone has, and this checkout's elsewhere.
    `cold`: every process imports its libraries itself, and is a child of who started it.
    """
    sources = f"src{os.pathsep}{ROOT / 'src'}"
    return {**os.environ, **where_commands_are(cold=cold), "PYTHONPATH": sources}


def where_commands_are(*, cold: bool = False) -> dict[str, str]:
    """Return the variables by which `python` is this very one, and imports this very code."""
    warm = [] if cold else map(str, warm_commands)
    folders = [*warm, str(Path(PYTHON).parent), os.environ["PATH"]]
    path = os.pathsep.join(map(str, (ROOT / "src", ROOT)))
    return {"PATH": os.pathsep.join(folders), "PYTHONPATH": path}


def run(
    folder: Path, *command: str, status: int = 0, text: str | None = None, cold: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would and check its exit status; `cold` as in `environment`."""
    if command[0] in (PYTHON, sys.executable):
        # whichever comes first
        command = ("python", *command[1:])
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment(cold=cold),
        capture_output=True,
        text=True,
        input=text,
        timeout=RUN_SECONDS,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result


def has_ended(number: int) -> bool:
    """Whether a process is no more, or waits to be buried."""
    try:
        return ") Z " in Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
