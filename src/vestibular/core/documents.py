"""Groups of questions: those about one document are not independent of each other.

Nothing here imports torch.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from vestibular.core.characters import composed


class Sourced(Protocol):
    """Anything with a context and perhaps a document title."""

    @property
    def title(self) -> str:
        """Document of the context; empty if none is named."""

    @property
    def context(self) -> str:
        """Text that is asked about."""


def document_numbers(
    questions: Sequence[Sourced], alike: Iterable[tuple[str, str]] = ()
) -> list[int]:
    """Return the number of each question's document, from 0 in order of appearance.

    Questions belong to one document if they share a title or a context, directly or through other
    questions: a context with two titles joins both. Titles are compared regardless of case, white
    space and the encoding of accents (NFC). An empty title joins nothing.

    Args:
        questions: the questions.
        alike: further pairs of contexts that belong to one document.
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for question in questions:
        if title := " ".join(composed(question.title).split()).casefold():
            parents[root(("title", title))] = root(("context", composed(question.context)))
    for one, other in alike:
        parents[root(("context", composed(one)))] = root(("context", composed(other)))
    numbers: dict[tuple[str, str], int] = {}
    return [
        numbers.setdefault(root(("context", composed(question.context))), len(numbers))
        for question in questions
    ]


def context_name(context: str) -> str:
    """Return a name for a context, a hash, for files that do not contain the text."""
    return hashlib.sha256(context.encode()).hexdigest()[:16]
