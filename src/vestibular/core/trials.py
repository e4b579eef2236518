"""One training and its exam: a candidate's own, or a repeat of it for the choice alone.

A candidate's own adapter learns all training questions and is the one for production. A fold's
adapter learns all questions, training and validation, except those of the fold, on which it is
examined. A further seed's adapter learns the same questions as the candidate's own, in another
order.
"""

import argparse
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vestibular.core.base_models import PinnedBase
from vestibular.core.files import folder_sha256
from vestibular.core.paths import (
    ADAPTERS,
    PREDICTIONS,
    PREPARED,
    REPEAT_ADAPTERS,
    REPEAT_PREDICTIONS,
)
from vestibular.core.questions import Question, read_questions
from vestibular.core.repeats import Repeat, read_repeat
from vestibular.core.settings import PromptSettings, Settings

FOLD = re.compile(r"fold-[1-9]\d*")
"""Name of a repeat that holds documents out."""
SEED = re.compile(r"seed-(0|[1-9]\d*)")
"""Name of a repeat that trains with another seed."""


@dataclass(frozen=True)
class Trial:
    """What is trained and examined."""

    candidate: str
    repeat: str | None = None
    """Name of the repeat, such as `fold-1` or `seed-7`; None for the candidate's own training."""

    @property
    def is_own(self) -> bool:
        """Whether this is the candidate's own training, the one for production."""
        return self.repeat is None

    @property
    def name(self) -> str:
        """Name of its files, and of its DVC stage after the `@`."""
        return self.candidate if self.repeat is None else f"{self.candidate}-{self.repeat}"

    @property
    def adapter(self) -> Path:
        """Folder of the trained adapter."""
        return (ADAPTERS if self.is_own else REPEAT_ADAPTERS) / self.name

    @property
    def predictions(self) -> Path:
        """File with the answers."""
        return (PREDICTIONS if self.is_own else REPEAT_PREDICTIONS) / f"{self.name}.jsonl"

    def stage(self, do: str) -> str:
        """Return the DVC stage that trains or evaluates this trial."""
        return f"{do}{'' if self.is_own else '_repeat'}@{self.name}"

    def plan(self) -> Repeat | None:
        """Return what the repeat changes; None for the candidate's own training.

        Raises:
            DataError: `prepare` has not run with these settings.
        """
        return None if self.repeat is None else read_repeat(self.repeat)


def parse_trial(arguments: Sequence[str], module: str, has_repeats: bool = True) -> Trial:
    """Parse a stage's command line: `<candidate> [repeat]`.

    Args:
        arguments: arguments of the command line.
        module: the stage's module.
        has_repeats: whether the stage also runs for repeats.

    Raises:
        SystemExit: the command line is malformed.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", allow_abbrev=False)
    parser.add_argument("candidate", help="its name in params.yaml")
    if has_repeats:
        parser.add_argument(
            "repeat", nargs="?", type=_repeat, metavar="fold-N | seed-N", help="one of `repeats`"
        )
    return Trial(**vars(parser.parse_args(arguments)))


def _repeat(name: str) -> str:
    if not FOLD.fullmatch(name) and not SEED.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name}: must be fold-N or seed-N, as in `repeats`")
    return name


def learned_questions(repeat: Repeat | None) -> list[Question]:
    """Return the questions that a trial learns.

    Raises:
        DataError: `prepare` has not run with these settings.
    """
    if repeat is None or repeat.held_out is None:
        return read_questions(PREPARED, "train")
    return [
        question
        for split, places in repeat.held_out.by_split()
        for number, question in enumerate(read_questions(PREPARED, split))
        if number not in places
    ]


def asked_questions(repeat: Repeat | None) -> list[Question]:
    """Return the questions that a trial is examined on; read no other file.

    Raises:
        DataError: `prepare` has not run with these settings.
    """
    if repeat is None or repeat.held_out is None:
        return read_questions(PREPARED, "validation")
    asked = [
        question
        for split, places in repeat.held_out.by_split()
        for number, question in enumerate(read_questions(PREPARED, split))
        if number in places
    ]
    leaked = frozenset(repeat.held_out.leaked)
    return [replace(question, leaked=place in leaked) for place, question in enumerate(asked)]


def data_sha256(repeat: Repeat | None) -> str:
    """Return a hash of the questions and, for a fold, of those held out."""
    whole = folder_sha256(PREPARED)
    if repeat is None or repeat.held_out is None:
        return whole
    held_out = hashlib.sha256(repeat.held_out.model_dump_json().encode()).hexdigest()
    return f"{whole}-{held_out[:16]}"


def training_inputs(
    seed: int, prompt: PromptSettings, train: Settings, base: PinnedBase, data: str
) -> dict[str, Any]:
    """Return the inputs that define a training, code and packages excluded.

    Args:
        seed: seed of the order of the questions and of dropout.
        prompt: how a question is put.
        train: the candidate's settings.
        base: the candidate's base model.
        data: the hash by `data_sha256`.
    """
    return {
        "seed": seed,
        "prompt": prompt.model_dump(),
        "train": train.model_dump(),
        "base": base.pin.as_json(),
        "chat_prompt": base.chat_prompt_sha256,
        "data": data,
    }
