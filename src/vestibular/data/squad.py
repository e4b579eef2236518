"""SQuAD's JSON, v1.1 and v2.0: documents of paragraphs, each with its questions and answers.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016;
Rajpurkar, Jia, Liang, "Know What You Don't Know", 2018, which adds `is_impossible`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vestibular.data.cells import as_id, as_start
from vestibular.data.findings import (
    Findings,
    Origin,
    RefusedDataError,
    refusal,
    refused,
)
from vestibular.data.reading import RepeatedKeyError, parse_json, read_text
from vestibular.data.sources import Source, SourceAnswer, SourceQuestion


class SquadAnswer(BaseModel):
    """One annotator's answer."""

    text: str
    answer_start: int
    """Position of the text in the context, in characters."""


class SquadQuestion(BaseModel):
    """One question with the answers of all annotators."""

    id: str
    question: str
    answers: list[SquadAnswer]
    is_impossible: bool | None = None
    """Only in v2.0: whether the context lacks the answer."""


class SquadParagraph(BaseModel):
    """One context with its questions."""

    context: str
    qas: list[SquadQuestion]


class SquadDocument(BaseModel):
    """The paragraphs of one title."""

    title: str = ""
    paragraphs: list[SquadParagraph]


class SquadFile(BaseModel):
    """The whole file."""

    data: list[SquadDocument]


def read_squad(path: Path) -> Source:
    """Read a SQuAD file; a document without a title is named by its number.

    Ids that are whole numbers, and offsets written as text or as `19.0`, are converted to their
    obvious meaning; each conversion is recorded.

    Raises:
        DataError: the file is missing, is not JSON, or is not SQuAD; names the position.
    """
    text = read_text(path)
    try:
        content = parse_json(text)
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg}"
        raise refusal("not_json", Origin(path, line=error.lineno), what) from None
    except RepeatedKeyError as error:
        raise refusal("repeated_key", Origin(path), str(error)) from None
    except ValueError as error:
        raise refusal("not_squad", Origin(path), f"not SQuAD: {error}") from None
    origins = [Origin(path, row, None, place) for row, (place, _) in enumerate(_asked(content), 1)]
    found = Findings()
    for origin, (_, question) in zip(origins, _asked(content), strict=True):
        _convert(question, origin, found)
    try:
        documents = SquadFile.model_validate(content, strict=True).data
    except ValidationError as error:
        row_of = {origin.place: origin.row for origin in origins}
        raise RefusedDataError(
            refused(
                "not_squad",
                Origin(path, row_of.get(_where(fault["loc"][:6])), None, _where(fault["loc"])),
                f"not SQuAD: {_what(fault['msg'])}",
            )
            for fault in error.errors(include_url=False)
        ) from None
    asked = [
        (document.title or f"document {number}", paragraph.context, question)
        for number, document in enumerate(documents, start=1)
        for paragraph in document.paragraphs
        for question in paragraph.qas
    ]
    records = [
        SourceQuestion(
            id=row.id,
            title=title,
            context=context,
            question=row.question,
            answers=tuple(SourceAnswer(answer.text, answer.answer_start) for answer in row.answers),
            impossible=row.is_impossible,
            origin=origin,
        )
        for origin, (title, context, row) in zip(origins, asked, strict=True)
    ]
    return Source(records, len(origins), found)


def _asked(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield every question with its position, whatever is wrong elsewhere."""
    for path, document in _items(content, "data"):
        for below, paragraph in _items(document, "paragraphs"):
            for last, question in _items(paragraph, "qas"):
                yield f"{path}.{below}.{last}", question


def _items(content: Any, key: str) -> Iterator[tuple[str, Any]]:
    items = content.get(key) if isinstance(content, dict) else None
    for place, item in enumerate(items if isinstance(items, list) else ()):
        yield f"{key}[{place}]", item


def _convert(question: Any, origin: Origin, found: Findings) -> None:
    """Convert values that another tool wrote with another type to their obvious meaning."""
    if not isinstance(question, dict):
        return
    if "id" in question:
        question["id"] = as_id(question["id"], "id_as_number", origin.at("id"), found)
    for place, answer in _items(question, "answers"):
        if isinstance(answer, dict) and "answer_start" in answer:
            answer["answer_start"] = as_start(
                answer["answer_start"], origin.at(f"{place}.answer_start"), found
            )


def _where(location: tuple[int | str, ...]) -> str:
    """Format a path into JSON as `data[0].paragraphs[2].qas`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "top level"


def _what(message: str) -> str:
    message = message.replace("Input should be", "must be").replace("Field required", "is missing")
    return message.replace("dictionary or instance of", "object like")
