"""Stages that are broken off: by Ctrl-C, or by a disk that has no room."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.commands import RUN_SECONDS, environment, run
from vestibular.core.files import folder_sha256

pytestmark = pytest.mark.slow


def interrupted(folder: Path, command: list[str], at: str) -> tuple[int, str]:
    """Press Ctrl-C as soon as a command has said something; return its status and all it said.

    A terminal sends the signal to a command and to whatever it has started.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(cold=True), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    killer = threading.Timer(RUN_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    killer.start()
    said = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if at in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        said += process.communicate()[0]
    finally:
        killer.cancel()
    assert at in said
    return process.returncode, said


def left_in(project: Path) -> list[str]:
    """What git and DVC would call new or changed, hidden files too."""
    return run(project, "git", "status", "--short", "--untracked-files=all").stdout.splitlines()


def test_ctrl_c_ends_a_training_in_a_word(prepared_project: Path) -> None:
    """No traceback and nothing half written; the same command goes on to the end."""
    project = prepared_project
    before = left_in(project)
    command = [sys.executable, "-m", "stages.train", "gpt2-tiny"]
    status, said = interrupted(project, command, "step 5/")
    assert status == 130
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    assert left_in(project) == before
    adapter = project / "models/adapters/gpt2-tiny"
    assert not adapter.exists()
    assert not list(adapter.parent.glob(".gpt2*"))
    run(project, *command)
    assert (adapter / "adapter_model.safetensors").is_file()


def test_ctrl_c_ends_dvc_and_its_stage(prepared_project: Path) -> None:
    """DVC says that it was interrupted; of the stage comes no traceback, and no lock stays."""
    project = prepared_project
    status, said = interrupted(project, ["dvc", "repro", "train@gpt2-tiny"], "step 5/")
    assert status != 0
    assert "Traceback" not in said
    assert "interrupted" in said
    run(project, "dvc", "repro", "train@gpt2-tiny")


@pytest.mark.parametrize("blocks", [4, 300], ids=["reading", "copying"])
def test_select_on_a_full_disk_leaves_the_old_model(reproduced_project: Path, blocks: int) -> None:
    """One message; the model in production and its scores stay what they were."""
    project = reproduced_project
    production, written = project / "models/production", project / "metrics/selection.json"
    before = folder_sha256(production), written.read_bytes()
    limited = f"ulimit -f {blocks}; exec {sys.executable} -m stages.select"
    said = run(project, "bash", "-c", limited, status=2).stderr
    assert "no space left on the disk; nothing was replaced" in said
    assert said.count("\n") == 1
    assert (folder_sha256(production), written.read_bytes()) == before
    assert not [path for path in (project / "models").iterdir() if path.name.startswith(".prod")]
    run(project, sys.executable, "-m", "stages.select")
    assert folder_sha256(production) == before[0]
