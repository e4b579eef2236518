"""One training and its exam: a candidate's own, a fold of its cross-validation, or a seed.

A candidate's own adapter learns all training questions and is the one for production. A fold's
learns all questions, training and validation, but for those of the fold, and is examined on
these. A further seed's learns what the candidate's own does, in another order. Nothing here
imports torch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.core.base_models import Pin
from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError, ParamsError
from vestibular.core.files import file_sha256, folder_sha256, read_json
from vestibular.core.layout import (
    ADAPTERS,
    FOLD_ADAPTERS,
    FOLD_PREDICTIONS,
    FOLDS,
    PARAMS,
    PREDICTIONS,
    PREPARED,
    SEED_ADAPTERS,
    SEED_PREDICTIONS,
)
from vestibular.core.params import Params
from vestibular.core.questions import Question, read_questions


@dataclass(frozen=True)
class Run:
    """What is trained and examined; at most one of `fold` and `seed` is set."""

    candidate: str
    fold: int | None = None
    """Number of the fold that is held out, from 1."""
    seed: int | None = None
    """Seed in place of the settings' own."""

    @property
    def is_own(self) -> bool:
        """Whether this is the candidate's own training, for production."""
        return self.fold is None and self.seed is None

    @property
    def name(self) -> str:
        """The name of its files, and of its DVC stage behind the `@`."""
        number = self.fold if self.seed is None else self.seed
        return self.candidate if number is None else f"{self.candidate}-{number}"

    @property
    def adapter(self) -> Path:
        """Folder of the trained adapter."""
        return self._among(ADAPTERS, FOLD_ADAPTERS, SEED_ADAPTERS) / self.name

    @property
    def predictions(self) -> Path:
        """File with the answers."""
        return self._among(PREDICTIONS, FOLD_PREDICTIONS, SEED_PREDICTIONS) / f"{self.name}.jsonl"

    def stage(self, do: str) -> str:
        """Return the DVC stage that trains or evaluates this."""
        kind = "" if self.is_own else ("_seed" if self.fold is None else "_fold")
        return f"{do}{kind}@{self.name}"

    def questions(self) -> tuple[list[Question], list[Question]]:
        """Return what is learned, and what is asked afterwards.

        Raises:
            DataError: `prepare` has not run with these settings.
        """
        if self.fold is None:
            return read_questions(PREPARED, "train"), self.asked()
        questions, folds = read_folds()
        pairs = list(zip(questions, folds, strict=True))
        return (
            [question for question, fold in pairs if fold != self.fold],
            [question for question, fold in pairs if fold == self.fold],
        )

    def asked(self) -> list[Question]:
        """Return what is asked after the training, and read no more than that takes.

        Raises:
            DataError: `prepare` has not run with these settings.
        """
        return read_questions(PREPARED, "validation") if self.fold is None else self.questions()[1]

    def data_sha256(self) -> str:
        """Return a hash of the questions and, for a fold, of how they are dealt out."""
        whole = folder_sha256(PREPARED)
        return whole if self.fold is None else f"{whole}-{self.fold}-{file_sha256(FOLDS)}"

    def training_inputs(self, params: Params, pin: Pin, data: str) -> dict[str, Any]:
        """Return what makes its training that training, code and packages left aside.

        Args:
            params: all settings.
            pin: the candidate's base model.
            data: what `data_sha256` says.
        """
        return {
            "seed": params.seed if self.seed is None else self.seed,
            "prompt": params.prompt.model_dump(),
            "train": params.candidate(self.candidate).train.model_dump(exclude={"seeds"}),
            "base": pin.as_json(),
            "data": data,
        }

    def _among(self, own: Path, fold: Path, seed: Path) -> Path:
        if self.fold is not None:
            return fold
        return own if self.seed is None else seed


def parse_run(arguments: Sequence[str], module: str, params: Params) -> Run:
    """Return what a stage's command line names: `<candidate> [--fold N | --seed N]`.

    Raises:
        ParamsError: the command line is malformed, or names what the settings do not.
    """
    shape = re.fullmatch(r"([^\s-]\S*)( --(fold|seed) (\d+))?", " ".join(arguments))
    if shape is None:
        raise ParamsError(f"usage: python -m {module} <candidate> [--fold N | --seed N]")
    params.candidate(shape[1])
    if shape[3] is None:
        return Run(shape[1])
    number = int(shape[4])
    key, numbers = {
        "fold": ("evaluate.folds", params.evaluate.folds),
        "seed": ("train.seeds", params.train.seeds),
    }[shape[3]]
    if number not in numbers:
        raise ParamsError(f"{PARAMS}: {key}: does not name {number} ({list(numbers)})")
    return Run(shape[1], **{shape[3]: number})


def deal_folds(questions: Sequence[Question], count: int) -> list[int]:
    """Return each question's fold, from 1 to `count`; a document is in one fold alone.

    Documents are dealt out by size, the largest first, each to the fold with the fewest
    questions so far: the folds come out about equal, and nothing is drawn. `count` 0 puts all
    into fold 0.

    Raises:
        ParamsError: there are fewer documents than folds.
    """
    documents = document_numbers(questions)
    sizes = [0] * (max(documents) + 1)
    for document in documents:
        sizes[document] += 1
    if count == 0:
        return [0 for _ in questions]
    if len(sizes) < count:
        raise ParamsError(
            f"{PARAMS}: evaluate.folds: {count} folds need as many documents; there are "
            f"{len(sizes)}"
        )
    filled = [0] * count
    fold_of = {}
    for document in sorted(range(len(sizes)), key=lambda document: (-sizes[document], document)):
        fold = filled.index(min(filled))
        filled[fold] += sizes[document]
        fold_of[document] = fold + 1
    return [fold_of[document] for document in documents]


def read_folds() -> tuple[list[Question], list[int]]:
    """Return all questions, training before validation, and each one's fold.

    Raises:
        DataError: `prepare` has not run.
    """
    if not FOLDS.exists():
        raise DataError(f"{FOLDS}: not found; run `dvc repro prepare` first")
    questions = [
        *read_questions(PREPARED, "train"),
        *read_questions(PREPARED, "validation"),
    ]
    return questions, [int(fold) for fold in read_json(FOLDS)]
