"""Runs as the mirror knows them, whatever they were read from and wherever they go."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

Value = str | float | bool
State = Literal["running", "finished", "failed", "killed"]
Stage = Literal["none", "staging", "production", "archived"]


class Point(NamedTuple):
    """A number at a step; the time is seconds since 1970."""

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class File:
    """A file that a run has made: the place where it was, and its MD5."""

    path: Path
    md5: str


@dataclass
class Version:
    """What the model registry of a service shows of a run's model."""

    fields: dict[str, Value]
    artifacts: dict[str, File]
    stage: Stage = "none"


@dataclass
class Run:
    """A training and its examination; names are paths with slashes."""

    id: str
    candidate: str
    started: float = 0.0
    ended: float | None = None
    state: State = "finished"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each part (`finetuning`, `evaluation`) was set to, as it stood in `params.yaml`."""
    base: dict[str, str] = field(default_factory=dict)
    """The base model's exact version, as its pin has it."""
    fields: dict[str, Value] = field(default_factory=dict)
    series: dict[str, list[Point]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    version: Version | None = None
    hashes: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Of its items, by name, each made when it is first asked for."""
