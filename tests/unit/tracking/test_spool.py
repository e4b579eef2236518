"""The spool: what it holds, whatever happens to the process that writes it."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT, environment, run
from tests.support.patience import FOREVER, read_until
from vestibular.core.candidates import load_for_candidate
from vestibular.core.errors import DataError
from vestibular.core.files import folder_sha256
from vestibular.mirror.spools import Spools
from vestibular.tracking import spool as spooling
from vestibular.tracking.spool import Spool, finite, recorded, run_id
from vestibular.training.settings import TrainingParams

Settings = dict[str, Any]


@pytest.fixture
def settings() -> Settings:
    """Those of the demo that the stage `train` reads."""
    params = load_for_candidate(TrainingParams, "opt-tiny", ROOT / "params.yaml")
    return params.model_dump(mode="json")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("RANK", raising=False)


def events(folder: Path) -> list[list[dict[str, Any]]]:
    """The events of each file of the run called `x`."""
    return [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted((folder / ".vestibular/spool/x").glob("*.jsonl"))
    ]


def names(lines: list[dict[str, Any]]) -> list[str]:
    """What a file tells of, looks at the machine left out."""
    return [line["event"] for line in lines if line["event"] != "usage"]


def test_a_run_is_told_from_start_to_end(in_folder: Path, settings: Settings) -> None:
    """Settings first, then what was recorded in its order, then the end."""

    @recorded("train")
    def main(spool: Spool) -> None:
        spool.open("x", "opt-tiny", settings, data="hash")
        spool.point(5, {"loss": 1.5, "learning_rate": 1e-3})
        Path("adapter").mkdir()
        Path("adapter/weights").write_bytes(b"abc")
        spool.files("adapter", Path("adapter"))

    main()
    (lines,) = events(in_folder)
    assert names(lines) == ["start", "point", "file", "end"]
    start = lines[0]
    assert start["settings"]["train"]["learning_rate"] == 0.01
    assert start["settings"]["base_model"] == "demo/bases/opt-tiny"
    assert start["data"] == "hash"
    assert start["packages"]["torch"]
    assert start["machine"]["memory_bytes"] > 1 << 20
    assert lines[1]["values"] == {"loss": 1.5, "learning_rate": 0.001}
    # RFC 1321, appendix A.5
    file = next(line for line in lines if line["event"] == "file")
    assert file["md5"] == "900150983cd24fb0d6963f7d28e17f72"


def test_the_machine_is_looked_at(
    in_folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few seconds, and once more at the end, with percentages in their range."""
    monkeypatch.setattr(spooling, "SAMPLE_SECONDS", 0.2)
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    # work, so that the processor has been in use
    deadline = time.monotonic() + FOREVER
    while sum(range(100_000)) and len(looks(in_folder)) < 3:
        assert time.monotonic() < deadline
    spool.close(None)
    assert all(0 <= look["cpu_percent"] <= 100 for look in looks(in_folder))
    assert max(look["process_cpu_percent"] for look in looks(in_folder)) > 1
    assert all(look["process_memory_bytes"] > 1 << 20 for look in looks(in_folder))


def looks(folder: Path) -> list[dict[str, float]]:
    """The looks at the machine."""
    (lines,) = events(folder)
    return [line["values"] for line in lines if line["event"] == "usage"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("x.json: is empty"), "x.json: is empty"),
        (ValueError("odd"), "ValueError: odd"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(2), "SystemExit: 2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_told_with_its_message(
    in_folder: Path, settings: Settings, error: BaseException, message: str
) -> None:
    """Whatever ends a stage early is the file's last line, and goes on its way."""

    @recorded("train")
    def main(spool: Spool) -> None:
        spool.open("x", "opt-tiny", settings)
        raise error

    with pytest.raises(type(error)):
        main()
    (lines,) = events(in_folder)
    assert names(lines) == ["start", "failure"]
    assert lines[-1]["message"] == message


def test_not_a_number_is_told_in_words(in_folder: Path, settings: Settings) -> None:
    """The file is JSON, which has no NaN."""
    assert finite({"a": [float("nan"), -float("inf")], 3: 1.5}) == {"a": ["nan", "-inf"], "3": 1.5}
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    spool.point(1, {"loss": float("nan")})
    spool.close(None)
    assert next(line for line in events(in_folder)[0] if line["event"] == "point")["values"] == {
        "loss": "nan"
    }


WRITER = """
import sys
from pathlib import Path
from vestibular.core.candidates import load_for_candidate
from vestibular.tracking.spool import Spool
from vestibular.training.settings import TrainingParams
params = load_for_candidate(TrainingParams, "opt-tiny", Path(sys.argv[1]))
spool = Spool("train")
spool.open("x", "opt-tiny", params.model_dump(mode="json"))
for step in range(1, 1000):
    spool.point(step, {"loss": 1 / step})
    if step == 20:
        if sys.argv[2] == "halfway":
            # as a line longer than the buffer is while it is being written
            spool._file.write("{half a line")
            spool._file.flush()
        print("ready", flush=True)
        if sys.argv[2] != "go":
            sys.stdin.read()
        break
spool.close(None)
"""


def writer(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A process that writes a spool."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(ROOT / "params.yaml"), *arguments],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(ROOT / "src"), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_leaves_all_that_it_told(in_folder: Path) -> None:
    """After SIGKILL every point is there, no end is, and the lock on the file is free."""
    process = writer(in_folder, "wait")
    read_until(process, process.stdout, "ready")
    (path,) = (in_folder / ".vestibular/spool/x").glob("*.jsonl")
    with path.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=FOREVER)
    (lines,) = events(in_folder)
    assert names(lines) == ["start", *["point"] * 20]
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_process_killed_within_a_line_is_one_run_with_its_next(in_folder: Path) -> None:
    """After SIGKILL half a line is left: the whole ones are read, and the next process goes on."""
    process = writer(in_folder, "halfway")
    read_until(process, process.stdout, "ready")
    spools = Spools(in_folder / ".vestibular/spool")
    assert spools.read()["x"].state == "running"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=FOREVER)
    (run,) = spools.read().values()
    assert run.state == "killed"
    assert [point.step for point in run.series["finetuning/train/loss"]] == list(range(1, 21))

    again = writer(in_folder, "go")
    again.communicate(timeout=FOREVER)
    (run,) = spools.read().values()
    assert run.state == "finished"
    assert [point.step for point in run.series["finetuning/train/loss"]] == list(range(1, 21))


def test_each_process_has_a_file_of_its_own(in_folder: Path) -> None:
    """A second process does not write behind what the first has left."""
    for _ in range(2):
        process = writer(in_folder, "go")
        process.communicate(timeout=FOREVER)
        assert process.returncode == 0
    assert [names(lines)[-1] for lines in events(in_folder)] == ["end", "end"]


def test_a_disk_that_refuses_harms_nobody(in_folder: Path) -> None:
    """A file that cannot grow ends the spool in one message; the process ends well."""
    code = f"ulimit -f 1; exec {sys.executable} -c '{WRITER}' {ROOT / 'params.yaml'} go"
    script = code.replace("range(1, 1000)", "range(1, 40)").replace("step == 20", "step == 39")
    result = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {script}"],
        cwd=in_folder,
        env={**environment(), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=FOREVER,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "ready\n"
    assert result.stderr.count("\n") == 1
    assert "the work continues" in result.stderr


def test_a_folder_that_cannot_be_made_harms_nobody(
    in_folder: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be is told once."""
    Path(".vestibular").write_text("in the way", encoding="utf-8")
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    spool.point(1, {"loss": 1.0})
    spool.close(None)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_disk_that_is_full_between_two_lines_harms_nobody(
    in_folder: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The watching thread gives the file up while the stage is about to write to it."""
    refused = threading.Event()

    class Slow:
        """A value whose text comes after the disk has refused."""

        def __str__(self) -> str:
            assert refused.wait(20)
            time.sleep(0.2)
            return "slow"

    def refuse(_: int) -> None:
        refused.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spooling.os, "fsync", refuse)
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    spool.record("model", configuration=Slow())
    spool.point(1, {"loss": 1.0})
    spool.close(None)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no space left on device; the work continues" in said


@pytest.mark.parametrize("when", ["at its start", "in a line"])
def test_no_fault_of_the_spool_reaches_the_stage(
    in_folder: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    when: str,
) -> None:
    """A driver that fails, a text that is no Unicode: one message, whatever kind of fault."""

    def fail() -> None:
        raise RuntimeError("the driver is gone")

    if when == "at its start":
        monkeypatch.setattr(spooling, "capacities", fail)
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    spool.record("model", configuration={"name": "\ud800"})
    spool.point(1, {"loss": 1.0})
    spool.close(None)
    assert capsys.readouterr().err.count("the work continues") == 1


def test_an_experiment_tells_the_original_repository(
    in_folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a temporary workspace of `dvc exp run` the spool outlives the workspace."""
    monkeypatch.setenv("DVC_ROOT", str(in_folder / "original"))
    spool = Spool("train")
    spool.open("x", "opt-tiny", settings)
    spool.close(None)
    assert len(events(in_folder / "original")) == 1


def test_a_run_is_named_after_its_inputs() -> None:
    """Equal inputs give the same run, whatever their order; any other input another."""
    one = run_id(candidate="a", train={"r": 8, "alpha": 16}, data="d")
    assert run_id(data="d", candidate="a", train={"alpha": 16, "r": 8}) == one
    assert run_id(candidate="b", train={"r": 8, "alpha": 16}, data="d") != one
    assert len(one) == 16


@pytest.mark.slow
def test_training_is_the_same_with_and_without(prepared_project: Path) -> None:
    """The adapter and the curve of a run with a spool are those of one that could not have any."""
    project = prepared_project
    command = [sys.executable, "-m", "stages.train", "gpt2-tiny"]
    run(project, *command)
    (lines,) = (project / ".vestibular/spool").glob("*/*.jsonl")
    told = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert {"start", "model", "point", "cost", "file", "end"} <= set(names(told))
    curve = (project / "metrics/curves/gpt2-tiny.tsv").read_bytes()
    losses = [line["values"]["loss"] for line in told if "loss" in line.get("values", {})]
    rows = [row.split("\t") for row in curve.decode().splitlines()[1:]]
    assert [f"{loss:.6g}" for loss in losses] == [f"{float(row[2]):.6g}" for row in rows if row[2]]
    adapter = folder_sha256(project / "models/adapters/gpt2-tiny")

    for path in lines.parent.parent.iterdir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    lines.parent.parent.rmdir()
    (project / ".vestibular/spool").write_text("in the way", encoding="utf-8")
    without = run(project, *command)
    assert "the work continues" in without.stderr
    assert folder_sha256(project / "models/adapters/gpt2-tiny") == adapter
    assert (project / "metrics/curves/gpt2-tiny.tsv").read_bytes() == curve
