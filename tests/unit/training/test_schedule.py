"""Settings that cannot work with so few steps are named, with their figures."""

from typing import Any

import pytest

from tests.support.commands import ROOT
from vestibular.params.project import load_params
from vestibular.training.schedule import warnings

TRAIN = load_params(ROOT / "params.yaml").train


@pytest.mark.parametrize(
    ("questions", "change", "said"),
    [
        # 10 steps an epoch, and the last of the warm-up is the last of the training
        (
            160,
            {"warmup_steps": 20},
            ["has only 20 steps (160", "ends at 0.01 and never", "write 2"],
        ),
        (160, {"warmup_steps": 80}, ["ends at 0.0025 and never reaches 0.01"]),
        (160, {"warmup_steps": 19}, []),
        (160, {"warmup_steps": 80, "schedule": "constant"}, []),
        (
            45,
            {"warmup_steps": 0},
            ["16 of 45 questions make 3 steps per epoch, 6", "write 4"],
        ),
        (12, {"warmup_steps": 0, "epochs": 1}, ["one step per epoch, 1 in total", "write 1"]),
        # one question a step cannot be fewer
        (5, {"warmup_steps": 0, "batch_size": 1}, []),
    ],
)
def test_too_few_steps_are_named(questions: int, change: dict[str, Any], said: list[str]) -> None:
    """A warm-up that outlasts the training, and epochs of a few steps."""
    usual = {"batch_size": 16, "epochs": 2, "learning_rate": 0.01, "schedule": "linear"}
    found = warnings(TRAIN.model_copy(update=usual | change), questions)
    assert len(found) == bool(said)
    assert all(part in found[0] for part in said)
