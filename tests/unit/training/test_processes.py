"""Two processes with gloo on a CPU, against one: the same gradients, losses and weights."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT, RUN_SECONDS, environment

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "tests/support/trained_together.py"
EXACT = 1e-5
"""Largest difference from one process, relative to the largest number of a tensor or curve."""
WAYS = {
    f"{method}-{batching}": {"method": method, "batching": batching}
    for method in ("lora", "full")
    for batching in ("shared_context", "padded")
}
FEW = {"few": {"batch_size": 3, "epochs": 1}}
"""Steps of three questions, the last one of a single question."""
DROPPED = {"dropped": {"dropout": 0.3}}
LAUNCHERS = {
    "torchrun": ("-m", "torch.distributed.run", "--nproc-per-node", "2"),
    "accelerate": ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
}


def train(
    folder: Path,
    processes: int,
    trainings: dict[str, dict[str, Any]],
    status: int = 0,
    by: tuple[str, ...] = (),
    **mishaps: Any,
) -> "subprocess.CompletedProcess[str]":
    """Train as a user would, with one thread a process; `by` may name a launcher."""
    asked = {"processes": processes, "trainings": trainings, **mishaps}
    ended = subprocess.run(
        (sys.executable, *by, str(SCRIPT), str(folder), json.dumps(asked)),
        env={**environment(), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def trained(tiny_model: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trainings by one process, by two, and by three where there is little to do."""
    folder = tmp_path_factory.mktemp("trained")
    # LLaMA has no dropout of its own
    tiny_model("llama").save_pretrained(folder / "base")
    train(folder, 1, {**WAYS, **FEW, **DROPPED})
    train(folder, 2, {**WAYS, **DROPPED})
    train(folder, 3, FEW)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """An empty folder with the same model in `base`."""
    (tmp_path / "base").symlink_to(trained / "base")
    return tmp_path


def result(folder: Path, processes: int) -> Any:
    """What a training has left behind."""
    return json.loads((folder / f"result-{processes}.json").read_text(encoding="utf-8"))


def tensors(path: Path) -> dict[str, Any]:
    """The tensors of a file."""
    from safetensors.torch import load_file

    return dict(load_file(path))


def assert_same_curve(found: Any, expected: Any) -> None:
    """Compare every loss, validation loss, learning rate and gradient norm."""
    assert len(found["curve"]) == len(expected["curve"]) == expected["steps"] == found["steps"]
    for row, other in zip(found["curve"], expected["curve"], strict=True):
        assert row == [
            None if number is None else pytest.approx(number, rel=EXACT) for number in other
        ]
    assert found["mean_loss"] == pytest.approx(expected["mean_loss"], rel=EXACT)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_learn_what_one_does(trained: Path, way: str) -> None:
    """The first step's gradient, the curve with its validation, and the weights; no dropout."""
    folder = trained / way
    alone, both = result(folder, 1), result(folder, 2)
    assert_same_curve(both, alone)
    assert alone["curve"][-1][2] < alone["curve"][0][2]
    gradients = tensors(folder / "gradients-1.safetensors")
    assert any(bool(gradient.any()) for gradient in gradients.values())
    found = tensors(folder / "gradients-2.safetensors")
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        error = float((found[name] - gradient).abs().max())
        assert error <= EXACT * float(gradient.abs().max()), name
    first = tensors(folder / "weights-2-0.safetensors")
    second = tensors(folder / "weights-2-1.safetensors")
    assert first.keys() == second.keys()
    # each has taken the same steps by itself: nothing but the gradients was exchanged
    assert all(bool((tensor == second[name]).all()) for name, tensor in first.items())
    assert len(set(both["pids"])) == 2
    assert both["processor_seconds"] > 0


def test_three_processes_with_less_to_do_than_hands(trained: Path) -> None:
    """In the last step two have nothing, and the sum is the same."""
    alone, three = result(trained / "few", 1), result(trained / "few", 3)
    assert alone["steps"] == 8
    assert_same_curve(three, alone)


def test_dropout_is_each_processs_own(trained: Path) -> None:
    """The masks of two processes are not those of one: such a training is another one."""
    alone, both = result(trained / "dropped", 1), result(trained / "dropped", 2)
    assert not math.isclose(alone["mean_loss"], both["mean_loss"], rel_tol=EXACT)


def test_a_killed_training_goes_on_to_the_same_bytes(trained: Path, folder: Path) -> None:
    """With the same number of processes alone; the masks of dropout are the same, too."""
    said = train(folder, 2, DROPPED, status=2, die=[1, 5]).stderr.splitlines()
    assert said[-1].startswith(
        "the training of a tiny model: process 2 of 2 was ended by SIGKILL; the system does this"
    )
    # what the first process had said of its steps stands before it, and nothing else
    assert all(line.startswith("step ") for line in said[:-1]), said
    checkpoints = folder / "dropped/checkpoints"
    kept = ["checkpoint-2", "checkpoint-4"]
    assert sorted(path.name for path in checkpoints.iterdir()) == kept
    assert not (folder / "dropped/result-2.json").exists()
    for other in (1, 3):
        assert train(folder, other, DROPPED, status=2).stderr == (
            "the training of dropped has reached step 4 with train.processes: 2, but now it is "
            f"{other}; write processes: 2 to continue from there, or delete {checkpoints} to start "
            "again\n"
        )
    assert sorted(path.name for path in checkpoints.iterdir()) == kept
    assert "continues from step 4 of 8" in train(folder, 2, DROPPED).stderr
    again, whole = result(folder / "dropped", 2), result(trained / "dropped", 2)
    assert (again["curve"], again["mean_loss"]) == (whole["curve"], whole["mean_loss"])
    for rank in (0, 1):
        name = f"dropped/weights-2-{rank}.safetensors"
        assert (folder / name).read_bytes() == (trained / name).read_bytes()


def test_a_process_that_stands_still_ends_the_training(folder: Path) -> None:
    """Stopped, not ended: the other one waits for so long and no longer."""
    said = train(folder, 2, DROPPED, status=2, stop=[1, 3], timeout=30).stderr
    assert said.splitlines()[-1].startswith(
        "the training of a tiny model: its 2 processes have lost contact"
    )
    assert not (folder / "dropped/result-2.json").exists()


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_by_hand_gives_the_same(trained: Path, folder: Path, launcher: str) -> None:
    """By torchrun and by `accelerate launch`: the same bytes as the processes started here."""
    train(folder, 2, DROPPED, by=LAUNCHERS[launcher])
    name = "dropped/weights-2-0.safetensors"
    assert (folder / name).read_bytes() == (trained / name).read_bytes()
