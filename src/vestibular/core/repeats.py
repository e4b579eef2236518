"""What a repeat changes: its seed, and the questions that it holds out.

`prepare` writes one small file a repeat, so that a new seed trains no fold and a new fold no seed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.paths import REPEATS


class HeldOut(Part):
    """Questions that are not learned but asked, by their places in the prepared files."""

    train: tuple[int, ...]
    """Places in `train.jsonl`, counted from 0."""
    validation: tuple[int, ...]
    """Places in `validation.jsonl`, counted from 0."""
    leaked: tuple[int, ...] = ()
    """Of the questions held out, those of training first, the places of those whose answers the
    other questions give away."""

    def by_split(self) -> Iterator[tuple[str, frozenset[int]]]:
        """Yield each split's name with its places, those of training first."""
        yield "train", frozenset(self.train)
        yield "validation", frozenset(self.validation)


class Repeat(FileFormat):
    """`data/repeats/<repeat>.json`."""

    MADE_BY = "dvc repro prepare"

    seed: int
    """Seed of the training."""
    held_out: HeldOut | None
    """The fold's questions; null for a further seed, which is asked the validation questions."""


def read_repeat(name: str) -> Repeat:
    """Read what `prepare` wrote for a repeat.

    Raises:
        DataError: `prepare` has not run with this repeat.
    """
    return Repeat.read(repeat_path(name))


def repeat_path(name: str) -> Path:
    """Return the file of a repeat."""
    return REPEATS / f"{name}.json"


def fold_of_each(folds: Sequence[Repeat], trained: int, validated: int) -> list[int]:
    """Return for each question, those of training first, the place of its fold in `folds`."""
    found = [-1] * (trained + validated)
    for number, fold in enumerate(folds):
        if fold.held_out is not None:
            for place in fold.held_out.train:
                found[place] = number
            for place in fold.held_out.validation:
                found[trained + place] = number
    return found
