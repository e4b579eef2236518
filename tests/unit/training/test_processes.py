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


@pytest.fixture
def folder(tiny_model: Callable[[str], Any], tmp_path: Path) -> Path:
    """A folder with a tiny model in `base`."""
    # GPT-2 drops activations of its own
    tiny_model("llama").save_pretrained(tmp_path / "base")
    return tmp_path


def train(
    folder: Path, status: int = 0, by: tuple[str, ...] = (), **asked: Any
) -> "subprocess.CompletedProcess[str]":
    """Train as a user would, with one thread a process; `by` may name a launcher."""
    command = (sys.executable, *by, str(SCRIPT), str(folder), json.dumps(asked))
    ended = subprocess.run(
        command,
        env={**environment(), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def result(folder: Path, processes: int) -> Any:
    """What a training has left behind."""
    return json.loads((folder / f"result-{processes}.json").read_text(encoding="utf-8"))


def tensors(path: Path) -> dict[str, Any]:
    """The tensors of a file."""
    from safetensors.torch import load_file

    return dict(load_file(path))


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare tensors of the same names, each to its largest number."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        error = float((found[name] - tensor).abs().max())
        assert error <= EXACT * float(tensor.abs().max()), name


@pytest.mark.parametrize("batching", ["shared_context", "padded"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_learn_what_one_does(folder: Path, method: str, batching: str) -> None:
    """The first step's gradient, the curve with its validation, and the weights; no dropout."""
    for processes in (1, 2):
        train(folder, method=method, batching=batching, processes=processes)
        (folder / "checkpoints").rename(folder / f"checkpoints-{processes}")
    alone, both = result(folder, 1), result(folder, 2)
    assert both["steps"] == alone["steps"] == 8
    assert len(both["curve"]) == len(alone["curve"]) == 8
    for row, expected in zip(both["curve"], alone["curve"], strict=True):
        assert row == [
            None if number is None else pytest.approx(number, rel=EXACT) for number in expected
        ]
    assert alone["curve"][-1][2] < alone["curve"][0][2]
    assert both["mean_loss"] == pytest.approx(alone["mean_loss"], rel=EXACT)
    gradients = tensors(folder / "gradients-1.safetensors")
    assert any(bool(gradient.any()) for gradient in gradients.values())
    assert_close(tensors(folder / "gradients-2.safetensors"), gradients)
    first = tensors(folder / "weights-2-0.safetensors")
    second = tensors(folder / "weights-2-1.safetensors")
    assert first.keys() == second.keys()
    # each has taken the same steps by itself: nothing but the gradients was exchanged
    assert all(bool((tensor == second[name]).all()) for name, tensor in first.items())
    assert len(set(both["pids"])) == 2
    assert both["processor_seconds"] > 0


def test_three_processes_with_less_to_do_than_hands(folder: Path) -> None:
    """Steps of three questions, the last of one: two have nothing, and the sum is the same."""
    asked = {"batch_size": 3, "batching": "shared_context", "epochs": 1}
    for processes in (1, 3):
        train(folder, processes=processes, **asked)
        (folder / "checkpoints").rename(folder / f"checkpoints-{processes}")
    alone, three = result(folder, 1), result(folder, 3)
    assert three["steps"] == 8
    assert [row[2] for row in three["curve"]] == [
        pytest.approx(row[2], rel=EXACT) for row in alone["curve"]
    ]


def test_a_killed_training_goes_on_to_the_same_bytes(folder: Path) -> None:
    """With dropout, whose masks are each process's own: a kill does not change them."""
    asked = {"method": "lora", "processes": 2, "dropout": 0.3}
    train(folder, **asked)
    whole, weights = result(folder, 2), tensors(folder / "weights-2-0.safetensors")
    (folder / "checkpoints").rename(folder / "done")
    (folder / "result-2.json").unlink()
    said = train(folder, status=2, die=[1, 5], **asked).stderr
    last = said.splitlines()[-1]
    assert last.startswith(
        "the training of a tiny model: process 2 of 2 was ended by SIGKILL; the system does that"
    )
    # what the first process had said of its steps stands before it, and nothing else
    assert all(line.startswith("step ") for line in said.splitlines()[:-1]), said
    assert not (folder / "result-2.json").exists()
    found = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert found == ["checkpoint-2", "checkpoint-4"]
    assert "goes on from step 4 of 8" in train(folder, **asked).stderr
    again = result(folder, 2)
    assert again["curve"] == whole["curve"]
    assert again["mean_loss"] == whole["mean_loss"]
    resumed = tensors(folder / "weights-2-0.safetensors")
    assert all(bool((tensor == weights[name]).all()) for name, tensor in resumed.items())
    # one process draws other masks: such a training is another one
    (folder / "checkpoints").rename(folder / "done-again")
    train(folder, **{**asked, "processes": 1})
    assert not math.isclose(result(folder, 1)["mean_loss"], whole["mean_loss"], rel_tol=EXACT)


def test_another_number_of_processes_is_refused_a_checkpoint(folder: Path) -> None:
    """With both numbers; it is neither gone on from nor deleted."""
    train(folder, status=2, die=[0, 5], processes=2)
    said = train(folder, status=2, processes=1).stderr
    assert said == (
        "the training of a tiny model has come to step 4 with train.processes: 2, and it is 1 now; "
        f"write processes: 2 to go on from there, or delete {folder}/checkpoints to begin anew\n"
    )
    assert (folder / "checkpoints/checkpoint-4/complete").exists()
    train(folder, processes=2)


def test_a_process_that_stands_still_ends_the_training(folder: Path) -> None:
    """Stopped, not ended: the other one waits for so long and no longer."""
    said = train(folder, status=2, stop=[1, 3], timeout=5, processes=2).stderr
    assert said.splitlines()[-1].startswith(
        "the training of a tiny model: its 2 processes have lost each other"
    )
    assert not (folder / "result-2.json").exists()


@pytest.mark.parametrize("launcher", ["torch.distributed.run", "accelerate.commands.launch"])
def test_a_launcher_by_hand_gives_the_same(folder: Path, launcher: str) -> None:
    """Torchrun and `accelerate launch`: the same bytes as the processes started here."""
    train(folder, processes=2)
    ours = tensors(folder / "weights-2-0.safetensors")
    (folder / "checkpoints").rename(folder / "done")
    options = {
        "torch.distributed.run": ("--nproc-per-node", "2"),
        "accelerate.commands.launch": ("--multi_gpu", "--num_processes", "2"),
    }
    train(folder, by=("-m", launcher, *options[launcher]), processes=2)
    theirs = tensors(folder / "weights-2-0.safetensors")
    assert all(bool((tensor == theirs[name]).all()) for name, tensor in ours.items())
