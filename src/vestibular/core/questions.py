"""The prepared questions: audited, flat, one file per split."""

import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vestibular.core.errors import DataError, caused_by_system, first_line
from vestibular.core.files import write_json_lines

if TYPE_CHECKING:
    from datasets import Dataset

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Question:
    """A question about a context, with its reference answers."""

    id: str
    title: str
    """Document of the context."""
    context: str
    question: str
    answers: tuple[str, ...]
    """One text per annotator, at least one; the model learns the first."""
    answer_starts: tuple[int, ...]
    """Position of each answer in the context, in characters; -1 if it does not occur."""
    answerable: bool = True
    """Whether the context contains the answer; if not, the only answer is the text for unanswerable
    questions."""
    leaked: bool = False
    """In validation: whether training questions reveal the answer."""


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
    """Read a file of prepared questions, with the `datasets` library.

    Raises:
        DataError: `prepare` has not run, or the file is not as `prepare` wrote it.
    """
    return [
        Question(
            **{**row, "answers": tuple(row["answers"])}
            | {"answer_starts": tuple(row["answer_starts"])}
        )
        for row in load_question_dataset(path).to_list()
    ]


def load_question_dataset(path: Path) -> "Dataset":
    """Load a file of prepared questions as a dataset with declared features.

    Raises:
        DataError: `prepare` has not run, or the file is not as `prepare` wrote it.
    """
    if not path.exists():
        raise DataError(f"{path}: not found; run `dvc repro prepare` first")
    # imported here: it takes most of a second, which an error message need not wait for
    import datasets

    text, flag = datasets.Value("string"), datasets.Value("bool")
    features = datasets.Features(
        {
            **dict.fromkeys(("id", "title", "context", "question"), text),
            "answers": datasets.List(text),
            "answer_starts": datasets.List(datasets.Value("int64")),
            **dict.fromkeys(("answerable", "leaked"), flag),
        }
    )
    datasets.disable_progress_bars()
    # a private cache, deleted afterwards: the cache's key does not cover the file's bytes
    with tempfile.TemporaryDirectory(prefix="vestibular-") as cache:
        try:
            return datasets.Dataset.from_json(
                str(path), features=features, cache_dir=cache, keep_in_memory=True
            )
        except (datasets.exceptions.DatasetsError, ValueError) as error:
            # a full disk is not the file's fault
            if (cause := caused_by_system(error)) is not None:
                raise OSError(cause.errno, cause.strerror, cache) from None
            raise DataError(
                f"{path}: not as `prepare` wrote it ({first_line(error)}); run `dvc repro prepare`"
            ) from None
