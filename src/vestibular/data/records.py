"""A question as its source states it, before anything is checked or mended."""

from dataclasses import dataclass


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
    impossible: bool
    """Whether the source marks it as one that its context does not answer."""
