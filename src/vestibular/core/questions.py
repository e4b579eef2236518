"""The prepared questions: audited, flat, one split a file."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from vestibular.core.errors import DataError
from vestibular.core.files import read_json_lines, write_json_lines

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Question:
    """A question about a context, with its reference answers."""

    id: str
    title: str
    """Document that the context is from."""
    context: str
    question: str
    answers: tuple[str, ...]
    """One text an annotator, at least one; the first is the one that is learned."""
    answer_starts: tuple[int, ...]
    """Where each answer stands in the context, in characters; -1 where it does not."""
    answerable: bool = True
    """Whether the context holds the answer; if not, the only answer is the stated text."""
    leaked: bool = False
    """In validation: whether training questions give the answer away."""


def write_questions(folder: Path, split: str, questions: Iterable[Question]) -> None:
    """Write one split of prepared questions."""
    write_question_file(folder / f"{split}.jsonl", questions)


def write_question_file(path: Path, questions: Iterable[Question]) -> None:
    """Write a file of prepared questions."""
    write_json_lines(path, (asdict(question) for question in questions))


def read_questions(folder: Path, split: str) -> list[Question]:
    """Read one split of prepared questions.

    Raises:
        DataError: `prepare` has not run.
    """
    return read_question_file(folder / f"{split}.jsonl")


def read_question_file(path: Path) -> list[Question]:
    """Read a file of prepared questions.

    Raises:
        DataError: `prepare` has not run.
    """
    if not path.exists():
        raise DataError(f"{path}: not found; run `dvc repro prepare` first")
    return [
        Question(
            **{**row, "answers": tuple(row["answers"])}
            | {"answer_starts": tuple(row["answer_starts"])}
        )
        for row in read_json_lines(path)
    ]
