"""A question as its source states it, before anything is checked or mended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestibular.data.findings import Findings, Origin

Row = Mapping[str, Any]
"""Values of a table's row, by column."""


@dataclass(frozen=True)
class SourceAnswer:
    """One annotator's answer."""

    text: str
    start: int | None
    """Where the text stands in the context, in characters; None if the source does not say."""


@dataclass(frozen=True)
class Record:
    """One question of a source file."""

    id: str
    title: str
    """Document that the context is from; empty if the source does not say."""
    context: str
    question: str
    answers: tuple[SourceAnswer, ...]
    impossible: bool | None
    """Whether the source marks it as one that its context does not answer; None if the source
    does not say."""
    origin: Origin = field(default=Origin(Path("data")), compare=False)
    """Where it stands."""


@dataclass(frozen=True)
class Source:
    """What one file holds."""

    records: list[Record]
    present: int
    """Questions or rows that the file holds, as counted while it was parsed."""
    findings: Findings
    """What was converted while it was read."""
