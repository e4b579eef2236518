"""A command that the warm server runs is what it would be otherwise, with its libraries there."""

import importlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import environment, warm_commands, where_commands_are
from tests.support.patience import FOREVER
from tests.support.warm_server import HEAVY

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _are_warm() -> None:
    if not warm_commands:
        pytest.skip("every command is cold here")


ABOUT = """
import json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:], "folder": os.getcwd(), "variable": os.environ.get("VARIABLE"),
    "read": sys.stdin.read(), "path": [path for path in sys.path if path], "name": __name__,
    "own": [name for name in sys.modules if name.split(".")[0] in ("vestibular", "stages")],
    "torch": "torch" in sys.modules,
}))
print("told", file=sys.stderr)
"""


def started(
    folder: Path, program: str, *arguments: str, **variables: str
) -> "subprocess.Popen[str]":
    """Start a program as the tests start commands."""
    return subprocess.Popen(
        ["python", "-m", "tests.support.program", program, *arguments],
        cwd=folder,
        env={**environment(), **where_commands_are(), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def about(folder: Path, **variables: str) -> dict[str, Any]:
    """What a program sees of itself."""
    process = started(folder, ABOUT, "a b", "ã", VARIABLE="value", **variables)
    said, told = process.communicate("asked\n")
    assert (process.returncode, told) == (0, "told\n")
    found: dict[str, Any] = json.loads(said)
    return found


def test_it_has_all_that_it_was_given(tmp_path: Path) -> None:
    """Arguments, folder, variables, input and path, and nothing of the project imported yet."""
    # some of them set variables, which other tests have done before
    for name in HEAVY:
        importlib.import_module(name)
    warm = about(tmp_path)
    assert warm["torch"] is True
    # variables that the libraries read when they are imported are not those of the server
    cold = about(tmp_path, HF_HUB_VERBOSITY="critical")
    assert cold["torch"] is False
    assert {**cold, "torch": True} == warm
    assert warm["own"] == []


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("raise ValueError", 1),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
def test_it_ends_as_it_ends(tmp_path: Path, program: str, status: int) -> None:
    """By its own status, by an exception, by a signal."""
    process = started(tmp_path, program)
    process.communicate()
    assert process.returncode == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_ends_it_ends_the_work(tmp_path: Path, number: signal.Signals) -> None:
    """A command that is killed does not go on elsewhere."""
    process = started(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(900)")
    assert process.stdout is not None
    working = int(process.stdout.readline())
    assert working != process.pid
    process.send_signal(number)
    process.communicate()
    assert process.returncode != 0
    deadline = time.monotonic() + FOREVER
    while Path(f"/proc/{working}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(working, 0)
