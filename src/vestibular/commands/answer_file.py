"""Answers to a whole table of questions, in a file that can be continued after an interruption."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vestibular.core.errors import DataError
from vestibular.data.tables import Asked

Answers = Callable[[Iterable[tuple[str, str]]], Iterator[str]]


def write_answers(path: Path, asked: Sequence[Asked], model: str, answers: Answers) -> None:
    """Append the missing answers to `path`, one JSON object per line.

    Args:
        path: the file; an existing one must contain the first answers to the same questions.
        asked: the rows; an id, if there is one, is kept with the answer.
        model: a hash of the model that answers.
        answers: generates the answers to contexts and questions.

    Raises:
        DataError: the file contains something else.
    """
    rows = [_row(number, each, model) for number, each in enumerate(asked, start=1)]
    done = _answered(path, rows)
    rest = [(each.context, each.question) for each in asked[done:]]
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(total=len(rows), initial=done, unit="question", disable=None) as bar,
    ):
        for row, answer in zip(rows[done:], answers(rest), strict=True):
            file.write(json.dumps({**row, "answer": answer}, ensure_ascii=False) + "\n")
            file.flush()
            bar.update()


def _row(number: int, asked: Asked, model: str) -> dict[str, Any]:
    return {
        "row": number,
        **({"id": asked.id} if asked.id else {}),
        "context_sha256": hashlib.sha256(asked.context.encode()).hexdigest()[:16],
        "question": asked.question,
        "model": model,
    }


def _answered(path: Path, rows: Sequence[dict[str, Any]]) -> int:
    """Return how many rows a file has answered; remove an incomplete last line.

    Raises:
        DataError: it contains something else.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            found = json.loads(line)
            found.pop("answer")
        except (ValueError, KeyError, AttributeError, TypeError):
            found = None
        if number > len(rows) or found != rows[number - 1]:
            raise DataError(
                f"{path}: line {number}: not the answer of this model to row {number} of these "
                "questions; move the file away, or name another file with --output"
            )
    if whole != content:
        # remove only a line that looks like one of ours
        if not content[len(whole) :].startswith(b'{"row": '):
            raise DataError(
                f"{path}: its last line was not written by this command; name another file with "
                "--output"
            )
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.count(b"\n")
