"""What was measured of a training and an exam: seconds and memory, never the same twice.

No stage that trains or examines has a measured figure among its outputs: equal inputs have equal
outputs, so that DVC's run-cache holds one result a key. The figures lie apart, in `.vestibular`,
and `select` gathers those that were measured here into `metrics/costs.json`.
"""

from typing import Any

from vestibular.core.file_formats import FileFormat, Part


class Machine(Part):
    """What ran."""

    device: str
    """The device in words."""
    packages: dict[str, str]
    """Versions of Python and of the packages that may change a result."""


class TrainingCost(FileFormat):
    """What a training took."""

    VERSION = 3

    started: float | None
    """When it began, before any kill: seconds since 1970; null where that was not kept."""
    seconds: float
    """Seconds for all steps, validation included; what a kill has undone does not count."""
    epoch_seconds: tuple[float, ...]
    """Seconds of each epoch, validation included; empty where they were not measured one by one."""
    processes: int = 1
    """Processes that trained together, all for so many seconds."""
    processor_seconds: float | None = None
    """Seconds of the processors' time, of all processes and threads; null where not kept."""
    questions_per_second: float
    """Training questions, each counted in every epoch."""
    tokens_per_second: float
    """Tokens of prompts and answers, without padding."""
    planned_bytes: int
    """Most memory that the plan foresaw."""
    peak_process_bytes: int
    """Most memory that the process held; of several, the largest."""
    peak_device_bytes: int
    """Most accelerator memory that a process's tensors held; 0 on a CPU."""
    machine: Machine
    """That of the first process."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Leave unknown what was not kept.

        Version 1 knew the epochs' mean alone, and no time of day; version 2 no processor's time.
        """
        rest = {name: value for name, value in content.items() if name != "seconds_per_epoch"}
        return {"started": None, "epoch_seconds": (), **rest, "processor_seconds": None}


class ExamCost(FileFormat):
    """What the fine-tuned model's exam took."""

    VERSION = 2

    ended: float | None
    """When it ended: seconds since 1970; null where that was not kept."""
    seconds: float
    """Seconds for all questions."""
    questions_per_second: float
    tokens_per_second: float
    """Tokens of prompts and answers."""
    latency_p50: float
    """Seconds an answer, one question at a time: the median."""
    latency_p95: float
    """The same, the 95th percentile."""
    peak_process_bytes: int
    """Most memory that the process held."""
    peak_device_bytes: int
    """Most accelerator memory that tensors held; 0 on a CPU."""
    machine: Machine

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Leave the end unknown: version 1 knew no time of day."""
        return {**content, "ended": None}

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory: the accelerator's, or the process's without one."""
        return self.peak_device_bytes or self.peak_process_bytes


class CandidateCosts(Part):
    """What was measured of a candidate's own training and exam."""

    run: str
    """The run that was measured; figures of another run are not this one's."""
    train: TrainingCost | None
    """Null: not measured here."""
    evaluate: ExamCost | None
    """Null: not measured here."""


class Costs(FileFormat):
    """`metrics/costs.json`."""

    VERSION = 4
    MADE_BY = "dvc repro select"

    candidates: dict[str, CandidateCosts]

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Upgrade what the candidates' costs are; version 1 named no run: it says nothing."""
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
    """Return the costs within a file as this version writes them."""
    version = content.get("version", 1)
    if version == kind.VERSION:
        return content
    return {**kind.upgrade(content, version), "version": kind.VERSION}
