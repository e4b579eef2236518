"""Processes that are started together end together, with one message, however one of them ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.commands import ROOT
from tests.support.patience import FOREVER
from vestibular.core.errors import LaunchError
from vestibular.training import launching

RANK = "import os, sys, time; rank = int(os.environ['RANK']); "


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(launching, "END_SECONDS", 1.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def launch(script: str, processes: int = 2) -> None:
    """Run a script as several processes that know their rank."""
    launching.launch([sys.executable, "-c", RANK + script], processes, "the training of x")


def test_all_have_a_place_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their variables are torch's own names; where they met is gone when they have ended."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(launching.tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    names = [
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "VESTIBULAR_MEETING",
        "VESTIBULAR_LAUNCHER",
    ]
    script = f"open(f'{tmp_path}/{{rank}}', 'w').write(' '.join(map(os.environ.get, {names})))"
    launch(script, 3)
    for rank in range(3):
        count, local, local_count, meeting, launcher = (tmp_path / str(rank)).read_text().split()
        assert (count, local, local_count) == ("3", str(rank), "3")
        assert meeting.startswith(f"file://{tmp_path}/temporary/vestibular-")
        assert launcher == str(os.getpid())
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("rank", [0, 1])
def test_a_fault_is_told_once(rank: int, capfd: pytest.CaptureFixture[str]) -> None:
    """By the first process itself, for another one by the launcher; the status is the fault's."""
    others = f"time.sleep({FOREVER})" if rank else "sys.exit(75)"
    script = f"sys.stderr.write('no room\\n') and sys.exit(2) if rank == {rank} else {others}"
    with pytest.raises(SystemExit) as ended:
        launch(script)
    assert ended.value.code == 2
    assert capfd.readouterr().err == "no room\n"


def test_a_fault_of_all_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Each finds the same wrong setting: the first process's message is enough."""
    with pytest.raises(SystemExit):
        launch("sys.stderr.write('wrong\\n'); sys.exit(2)", 3)
    assert capfd.readouterr().err == "wrong\n"


def test_what_others_say_of_their_work_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """The first process speaks for all."""
    launch("print(rank); sys.stderr.write(f'step {rank}\\n')")
    assert capfd.readouterr() == ("0\n", "step 0\n")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_is_named(rank: int) -> None:
    """The other ones are ended, who leave the word to the launcher or are stuck."""
    others = f"time.sleep({FOREVER})" if rank else "sys.exit(75)"
    with pytest.raises(LaunchError) as ended:
        launch(f"os.kill(os.getpid(), 9) if rank == {rank} else {others}")
    said = str(ended.value)
    assert said.startswith(f"the training of x: process {rank + 1} of 2 was ended by SIGKILL")
    assert "vestibular plan" in said


def test_processes_that_lose_each_other_are_no_riddle() -> None:
    """None has ended by itself: one did not answer."""
    with pytest.raises(LaunchError, match="its 2 processes have lost contact"):
        launch("sys.exit(75)")


def test_too_few_gpus_are_found_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the launcher: no process is started for it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(LaunchError, match="only 1 GPU"):
        launch(f"open('{tmp_path}/started', 'w')")
    assert not list(tmp_path.iterdir())


LAUNCHER = f"""
import sys
from vestibular.core.errors import exit_on_error
from vestibular.training.launching import launch
script = {RANK!r} + '''
from vestibular.training.places import take_place
from pathlib import Path
from vestibular.params.project import load_params
train = load_params(Path({str(ROOT / "params.yaml")!r})).train
settings = train.model_copy(update=dict(processes=2))
assert take_place(os.environ, settings).count == 2
open(sys.argv[1] + f"/{{rank}}-{{os.getpid()}}", "w")
try:
    time.sleep({FOREVER})
except KeyboardInterrupt:
    open(sys.argv[1] + f"/interrupted-{{rank}}", "w")
    sys.exit(130)
'''
exit_on_error(lambda: launch([sys.executable, "-c", script, sys.argv[1]], 2, "x"))()
"""


@pytest.mark.parametrize(
    ("how", "status"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)],
    ids=["kill", "term", "interrupt"],
)
def test_no_process_outlives_its_launcher(tmp_path: Path, how: int, status: int) -> None:
    """Killed, ended or interrupted: the processes end with it; Ctrl-C lets them end in order."""
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + FOREVER
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(how)
        _, said = process.communicate(timeout=FOREVER)
    pids = [int(path.name.split("-")[1]) for path in tmp_path.glob("[01]-*")]
    assert len(pids) == 2, said
    end = time.monotonic() + FOREVER
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, pids))
    assert process.returncode == status
    assert len(list(tmp_path.glob("interrupted-*"))) == (2 if how == signal.SIGINT else 0)
    assert said == ""
