"""Measured costs, kept apart from the stages' outputs: one file per run and stage.

The files are in `.vestibular/costs`, which git and DVC ignore; `select` gathers them. In a
temporary workspace of `dvc exp run` the folder is the original repository's.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from vestibular.core.costs import CandidateCosts, Costs, ExamCost, TrainingCost
from vestibular.core.errors import DataError
from vestibular.core.paths import COSTS
from vestibular.core.work_folder import work_folder


def write_cost(
    run: str, stage: Literal["train", "evaluate"], cost: TrainingCost | ExamCost
) -> None:
    """Write the measured cost of a run's stage."""
    cost.write(_path(run, stage))


def gather_costs(runs: Mapping[str, str]) -> dict[str, CandidateCosts]:
    """Return each candidate's costs, measured here or, for the same run, on another machine.

    Args:
        runs: each candidate's run.
    """
    before: Mapping[str, CandidateCosts] = {}
    if COSTS.exists():
        # a damaged file is dropped; `select` writes a new one
        with contextlib.suppress(DataError):
            before = Costs.read(COSTS).candidates
    return {name: _costs(run, before.get(name)) for name, run in runs.items()}


def _costs(run: str, before: CandidateCosts | None) -> CandidateCosts:
    known = before if before is not None and before.run == run else None
    train, evaluate = _path(run, "train"), _path(run, "evaluate")
    return CandidateCosts(
        run=run,
        train=TrainingCost.read(train) if train.exists() else known and known.train,
        evaluate=ExamCost.read(evaluate) if evaluate.exists() else known and known.evaluate,
    )


def _path(run: str, stage: str) -> Path:
    return work_folder() / "costs" / f"{run}-{stage}.json"
