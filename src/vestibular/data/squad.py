"""SQuAD's JSON, v1.1 and v2.0: documents of paragraphs, each with its questions and answers.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016;
Rajpurkar, Jia, Liang, "Know What You Don't Know", 2018, which adds `is_impossible`.
"""

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from vestibular.core.errors import DataError
from vestibular.data.records import Record, SourceAnswer

FAULTS_SHOWN = 10


class SquadAnswer(BaseModel):
    """One annotator's answer."""

    text: str
    answer_start: int
    """Where the text stands in the context, in characters."""


class SquadQuestion(BaseModel):
    """One question with the answers of all annotators."""

    id: str
    question: str
    answers: list[SquadAnswer]
    is_impossible: bool = False
    """Only in v2.0: whether the context does not hold the answer."""


class SquadParagraph(BaseModel):
    """One context with its questions."""

    context: str
    qas: list[SquadQuestion]


class SquadDocument(BaseModel):
    """The paragraphs of one title."""

    title: str = ""
    paragraphs: list[SquadParagraph]


class SquadFile(BaseModel):
    """A whole file."""

    data: list[SquadDocument]


def read_squad(path: Path) -> list[Record]:
    """Read a SQuAD file; a document without a title is called by its number.

    Raises:
        DataError: the file is missing, is not JSON, or is not SQuAD; says at which place.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: not SQuAD: {error}") from None
    refuse_half_characters(content, str(path))
    try:
        documents = SquadFile.model_validate(content, strict=True).data
    except ValidationError as error:
        faults = error.errors(include_url=False)
        lines = [
            f"{path}: {_where(fault['loc'])}: not SQuAD: {_what(fault['msg'])}"
            for fault in faults[:FAULTS_SHOWN]
        ]
        if len(faults) > FAULTS_SHOWN:
            lines.append(f"{path}: and {len(faults) - FAULTS_SHOWN} more")
        raise DataError("\n".join(lines)) from None
    return [
        Record(
            id=row.id,
            title=document.title or f"document {number}",
            context=paragraph.context,
            question=row.question,
            answers=tuple(SourceAnswer(answer.text, answer.answer_start) for answer in row.answers),
            impossible=row.is_impossible,
        )
        for number, document in enumerate(documents, start=1)
        for paragraph in document.paragraphs
        for row in paragraph.qas
    ]


def read_text(path: Path) -> str:
    """Read a source file as UTF-8, with or without a byte order mark.

    Raises:
        DataError: there is no such file, or it is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"{path}: not found; put the file there, or name another in params.yaml under data"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not a file") from None
    except NotADirectoryError:
        raise DataError(f"{path.parent}: is a file; data.source names a folder") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: {error.reason}") from None


def refuse_half_characters(content: object, where: str) -> None:
    """Make sure that a text file can hold what JSON could spell.

    Raises:
        DataError: `content` holds half a surrogate pair.
    """
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise DataError(f"{where}: holds {half}, which is half a character; remove it") from None


def _where(location: tuple[int | str, ...]) -> str:
    """Write a path into JSON as `data[0].paragraphs[2].qas`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "top level"


def _what(message: str) -> str:
    message = message.replace("Input should be", "must be").replace("Field required", "is missing")
    return message.replace("dictionary or instance of", "object like")
