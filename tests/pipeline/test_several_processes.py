"""The stage with `train.processes: 2`: one run, one spool, and the files of one training."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from tests.support.settings import change
from vestibular.core.costs import TrainingCost
from vestibular.core.training_record import TrainingRecord

pytestmark = pytest.mark.slow
STAGE = ("-m", "stages.train", "gpt2-tiny")


def curve(project: Path) -> list[list[str]]:
    """The table of the loss curve."""
    text = (project / "metrics/curves/gpt2-tiny.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def spools(project: Path) -> list[list[dict[str, Any]]]:
    """The events of each training's spool, the earliest first."""
    found = [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (project / ".vestibular/spool").glob("*/*-train.jsonl")
    ]
    return sorted(found, key=lambda events: float(events[0]["time"]))


def test_dvc_or_torchrun_starts_several_and_sees_one(prepared_project: Path) -> None:
    """`dvc repro` is the command; curve within 1e-5 of one process, one spool, costs of both.

    Two by hand, where the settings say two, come to the same bytes; where they say another number,
    they are refused, and nothing is written.
    """
    project = prepared_project
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    said = run(project, *torchrun, *STAGE, status=1)
    assert "WORLD_SIZE=2: started as one of 2 processes by torchrun" in said.stderr
    assert "train.processes: 1" in said.stderr
    assert not (project / ".vestibular/spool").exists()

    change(project, {"train.lora.dropout": 0.0})
    run(project, sys.executable, *STAGE)
    alone = curve(project)
    change(project, {"train.processes": 2})
    said = run(project, "dvc", "repro", "--single-item", "train@gpt2-tiny")
    both = curve(project)
    assert both[0] == alone[0]
    assert len(both) == len(alone)
    for row, expected in zip(both[1:], alone[1:], strict=True):
        assert [float(number) for number in row if number] == [
            pytest.approx(float(number), rel=1e-5) for number in expected if number
        ]
    record = TrainingRecord.read(project / "models/adapters/gpt2-tiny/training.json")
    _, spool = spools(project)
    assert (spool[0]["event"], spool[-1]["event"]) == ("start", "end")
    assert spool[0]["run"] == record.run
    assert spool[0]["settings"]["train"]["processes"] == 2
    (computing,) = [event["values"] for event in spool if event["event"] == "computing"]
    assert computing["processes"] == 2
    points = [event["step"] for event in spool if event["event"] == "point"]
    assert len(set(points)) == len(alone) - 1
    cost = TrainingCost.read(project / f".vestibular/costs/{record.run}-train.json")
    assert cost.processes == 2
    assert cost.processor_seconds is not None
    assert cost.processor_seconds > 0
    # a step is told of once, and an example once
    assert said.stderr.count("first example: ") == 1
    assert not list(project.glob("models/adapters/.*"))
    assert not list(project.glob(".vestibular/checkpoints/*"))

    weights = project / "models/adapters/gpt2-tiny/adapter_model.safetensors"
    own = weights.read_bytes()
    weights.unlink()
    run(project, *torchrun, *STAGE)
    assert [events[-1]["event"] for events in spools(project)] == ["end"] * 3
    assert weights.read_bytes() == own
