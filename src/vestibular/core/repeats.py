"""Repeats of a training: each changes the seed or the questions that are held out.

`prepare` writes one small file per repeat, so that a new seed retrains no fold and a new fold no
seed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.paths import REPEATS


class HeldOut(Part):
    """Questions that are asked instead of learned, by position in the prepared files."""

    train: tuple[int, ...]
    """Positions in `train.jsonl`, counted from 0."""
    validation: tuple[int, ...]
    """Positions in `validation.jsonl`, counted from 0."""
    leaked: tuple[int, ...] = ()
    """Positions, within the held-out questions (training first), of those whose answers the other
    questions reveal."""

    def by_split(self) -> Iterator[tuple[str, frozenset[int]]]:
        """Yield each split's name with its positions, training first."""
        yield "train", frozenset(self.train)
        yield "validation", frozenset(self.validation)


class Repeat(FileFormat):
    """`data/repeats/<repeat>.json`."""

    MADE_BY = "dvc repro prepare"

    seed: int
    """Seed of the training."""
    held_out: HeldOut | None
    """The fold's questions; null for a further seed, which is examined on the validation
    questions."""


def read_repeat(name: str) -> Repeat:
    """Read what `prepare` wrote for a repeat.

    Raises:
        DataError: `prepare` has not run with this repeat.
    """
    return Repeat.read(repeat_path(name))


def repeat_path(name: str) -> Path:
    """Return the path of a repeat's file."""
    return REPEATS / f"{name}.json"


def fold_of_each(folds: Sequence[Repeat], trained: int, validated: int) -> list[int]:
    """Return the index in `folds` of each question's fold, training questions first."""
    found = [-1] * (trained + validated)
    for number, fold in enumerate(folds):
        if fold.held_out is not None:
            for place in fold.held_out.train:
                found[place] = number
            for place in fold.held_out.validation:
                found[trained + place] = number
    return found
