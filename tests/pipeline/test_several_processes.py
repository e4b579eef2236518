"""The stage with `train.processes: 2`: one run, one spool, and the files of one training."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from vestibular.core.costs import TrainingCost
from vestibular.core.training_record import TrainingRecord

pytestmark = pytest.mark.slow
# cold commands: a warm one forks the tests' server, which multiprocessing would start anew

STAGE = ("-m", "stages.train", "gpt2-tiny")


def set_processes(project: Path, count: int) -> None:
    """Write how many processes train together; no dropout."""
    path = project / "params.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("  dropout: 0.1", "  dropout: 0.0")
    text = text.replace("  batch_size: 16\n", f"  batch_size: 16\n  processes: {count}\n")
    path.write_text(text, encoding="utf-8")


def curve(project: Path) -> list[list[str]]:
    """The table of the loss curve."""
    text = (project / "metrics/curves/gpt2-tiny.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def spools(project: Path) -> list[list[dict[str, Any]]]:
    """The events of each training's spool."""
    return [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted((project / ".vestibular/spool").glob("*/*-train.jsonl"))
    ]


def test_dvc_starts_several_and_sees_one(prepared_project: Path) -> None:
    """`dvc repro` is the command; curve within 1e-5 of one process, one spool, costs of both."""
    project = prepared_project
    set_processes(project, 1)
    run(project, sys.executable, *STAGE, cold=True)
    alone = curve(project)
    text = (project / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("  processes: 1\n", "  processes: 2\n")
    (project / "params.yaml").write_text(text, encoding="utf-8")
    said = run(project, "dvc", "repro", "--single-item", "train@gpt2-tiny", cold=True)
    both = curve(project)
    assert both[0] == alone[0]
    assert len(both) == len(alone)
    for row, expected in zip(both[1:], alone[1:], strict=True):
        assert [float(number) for number in row if number] == [
            pytest.approx(float(number), rel=1e-5) for number in expected if number
        ]
    record = TrainingRecord.read(project / "models/adapters/gpt2-tiny/training.json")
    _, spool = sorted(spools(project), key=lambda events: events[0]["time"])
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


def test_torchrun_takes_the_stage_as_the_settings_say(prepared_project: Path) -> None:
    """Two by hand where the settings say two; another number is refused, and nothing written."""
    project = prepared_project
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    said = run(project, *torchrun, *STAGE, status=1).stderr
    assert "WORLD_SIZE=2: started as one of 2 processes by torchrun" in said
    assert "train.processes: 1" in said
    assert not (project / ".vestibular/spool").exists()
    set_processes(project, 2)
    run(project, *torchrun, *STAGE)
    by_hand = (project / "models/adapters/gpt2-tiny/adapter_model.safetensors").read_bytes()
    (spool,) = spools(project)
    assert spool[-1]["event"] == "end"
    run(project, sys.executable, *STAGE, cold=True)
    own = (project / "models/adapters/gpt2-tiny/adapter_model.safetensors").read_bytes()
    assert own == by_hand
