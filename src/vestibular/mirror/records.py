"""The mirror's records of runs, independent of their source and target."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

Value = str | float | bool
State = Literal["running", "finished", "failed", "killed"]
Stage = Literal["none", "staging", "production", "archived"]


class Point(NamedTuple):
    """A value at a step; the time is in seconds since 1970."""

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class File:
    """A file that a run has made: its original place, and its MD5."""

    path: Path
    md5: str


@dataclass
class ModelVersion:
    """What a service's model registry shows of a run's model."""

    fields: dict[str, Value]
    artifacts: dict[str, File]
    stage: Stage = "none"


@dataclass
class RunRecord:
    """A training and its exam; names are slash-separated paths."""

    id: str
    candidate: str
    started: float = 0.0
    ended: float | None = None
    state: State = "finished"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings of each part (`finetuning`, `evaluation`), as in `params.yaml`."""
    base: dict[str, str] = field(default_factory=dict)
    """The base model's exact version, as in its pin."""
    fields: dict[str, Value] = field(default_factory=dict)
    series: dict[str, list[Point]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    version: ModelVersion | None = None
    hashes: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Hashes of its items by name, each computed on first use."""
