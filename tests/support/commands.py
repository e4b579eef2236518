"""Commands run as a user would, on this very code."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 600
"""After which a command is killed and its test fails."""


def environment() -> dict[str, str]:
    """Return an environment in which DVC's stages run this very Python and this very code.

    That is the folder's own code where it has any, as a clone has, and this checkout's elsewhere.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sources = f"src{os.pathsep}{ROOT / 'src'}"
    return {**os.environ, "PATH": path, "PYTHONPATH": sources}


def run(
    folder: Path, *command: str, status: int = 0, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would and check its exit status."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
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
