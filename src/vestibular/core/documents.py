"""Which questions belong together: those of one document are not independent of each other.

Nothing here imports torch.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from vestibular.core.characters import composed


class Sourced(Protocol):
    """Whatever has a context, and perhaps the title of the document that it is from."""

    @property
    def title(self) -> str:
        """Document that the context is from; empty if none is named."""

    @property
    def context(self) -> str:
        """The text that is asked about."""


def document_numbers(
    questions: Sequence[Sourced], alike: Iterable[tuple[str, str]] = ()
) -> list[int]:
    """Return each question's document as a number, from 0 on in the order of appearance.

    Questions are of one document if they share a title or a context, directly or through other
    questions: a context that stands under two titles joins both. Titles are equal whatever their
    case, white space and encoding of accents (NFC). An empty title joins nothing.

    Args:
        questions: those to be sorted.
        alike: further pairs of contexts that are of one document.
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
    """Return what stands for a context in a file that does not hold it: the same for equal ones."""
    return hashlib.sha256(context.encode()).hexdigest()[:16]
