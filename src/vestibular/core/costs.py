"""Measured costs of a training and an exam: seconds and memory, which vary between runs.

No output of a training or an exam contains a measured figure: equal inputs give equal outputs, so
that DVC's run-cache has one result per key. The figures are kept in `.vestibular`, and `select`
gathers those that were measured here into `metrics/costs.json`.
"""

from typing import Any

from vestibular.core.file_formats import FileFormat, Part


class Machine(Part):
    """The machine and the packages of a measurement."""

    device: str
    """Description of the device."""
    packages: dict[str, str]
    """Versions of Python and of the packages that can change a result."""


class TrainingCost(FileFormat):
    """Cost of a training."""

    VERSION = 3

    started: float | None
    """Start of the training, before any interruption: seconds since 1970; null if unknown."""
    seconds: float
    """Seconds of all steps, validation included; work lost to an interruption does not count."""
    epoch_seconds: tuple[float, ...]
    """Seconds of each epoch, validation included; empty if not measured per epoch."""
    processes: int = 1
    """Number of processes that trained together."""
    processor_seconds: float | None = None
    """CPU time in seconds, summed over all processes and threads; null if unknown."""
    questions_per_second: float
    """Training questions per second, each counted once per epoch."""
    tokens_per_second: float
    """Tokens of prompts and answers per second, without padding."""
    planned_bytes: int
    """Peak memory that the plan predicted."""
    peak_process_bytes: int
    """Peak memory of the process; the largest of several."""
    peak_device_bytes: int
    """Peak accelerator memory of a process's tensors; 0 on a CPU."""
    machine: Machine
    """Machine of the first process."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Set fields that older versions lack to unknown.

        Version 1 kept only the mean time of an epoch, and no time of day; version 2 no CPU time.
        """
        rest = {name: value for name, value in content.items() if name != "seconds_per_epoch"}
        return {"started": None, "epoch_seconds": (), **rest, "processor_seconds": None}


class ExamCost(FileFormat):
    """Cost of the fine-tuned model's exam."""

    VERSION = 2

    ended: float | None
    """End of the exam: seconds since 1970; null if unknown."""
    seconds: float
    """Seconds for all questions."""
    questions_per_second: float
    tokens_per_second: float
    """Tokens of prompts and answers per second."""
    latency_p50: float
    """Median seconds per answer, one question at a time."""
    latency_p95: float
    """95th percentile of the seconds per answer."""
    peak_process_bytes: int
    """Peak memory of the process."""
    peak_device_bytes: int
    """Peak accelerator memory of tensors; 0 on a CPU."""
    machine: Machine

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Set the end to unknown: version 1 kept no time of day."""
        return {**content, "ended": None}

    @property
    def peak_memory_bytes(self) -> int:
        """Peak memory: the accelerator's, or the process's without one."""
        return self.peak_device_bytes or self.peak_process_bytes


class CandidateCosts(Part):
    """Costs of a candidate's own training and exam."""

    run: str
    """Name of the measured run; figures of another run are never shown for this one."""
    train: TrainingCost | None
    """Null if not measured here."""
    evaluate: ExamCost | None
    """Null if not measured here."""


class Costs(FileFormat):
    """`metrics/costs.json`."""

    VERSION = 4
    MADE_BY = "dvc repro select"

    candidates: dict[str, CandidateCosts]

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Upgrade the candidates' costs; version 1 named no run, so its figures are dropped."""
        if version == 1:
            return {"candidates": {}}
        candidates = {
            name: {
                **costs,
                "train": costs["train"] and _upgraded(TrainingCost, costs["train"]),
                "evaluate": costs["evaluate"] and _upgraded(ExamCost, costs["evaluate"]),
            }
            for name, costs in content["candidates"].items()
        }
        return {"candidates": candidates}


def _upgraded(kind: type[FileFormat], content: dict[str, Any]) -> dict[str, Any]:
    """Return the costs nested in a file in the current version."""
    version = content.get("version", 1)
    if version == kind.VERSION:
        return content
    return {**kind.upgrade(content, version), "version": kind.VERSION}
