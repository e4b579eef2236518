"""A question as in its source, before any check or correction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestibular.data.findings import Findings, Origin

Row = Mapping[str, Any]
"""Values of a table row, by column."""


@dataclass(frozen=True)
class SourceAnswer:
    """One annotator's answer."""

    text: str
    start: int | None
    """Position of the text in the context, in characters; None if the source does not state it."""


@dataclass(frozen=True)
class SourceQuestion:
    """One question of a source file."""

    id: str
    title: str
    """Document of the context; empty if the source does not state it."""
    context: str
    question: str
    answers: tuple[SourceAnswer, ...]
    impossible: bool | None
    """Whether the source marks the question as unanswerable from its context; None if the source
    does not say."""
    origin: Origin = field(default=Origin(Path("data")), compare=False)
    """Its position in the source."""


@dataclass(frozen=True)
class Source:
    """Content of one file."""

    records: list[SourceQuestion]
    present: int
    """Number of questions or rows in the file, counted while parsing."""
    findings: Findings
    """Conversions made while reading."""
