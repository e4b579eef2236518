"""Questions from tables, one a row: JSON Lines, CSV and Parquet, with columns of any name."""

import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError
from vestibular.data.records import Record, SourceAnswer
from vestibular.data.settings import Columns
from vestibular.data.squad import FAULTS_SHOWN, read_text, refuse_half_characters

DELIMITERS = ",;\t"
"""Between the cells of a CSV file: whichever finds the most of the columns in its header."""

Row = Mapping[str, Any]


class _CellError(Exception):
    """What is wrong with one cell."""


def read_table(path: Path, kind: str, columns: Columns) -> list[Record]:
    """Read a table; `kind` is `jsonl`, `csv` or `parquet`, and `columns` says where what is.

    A cell of answers is one text, a list of texts, a list of objects with `text` and
    `answer_start`, or an object of two lists `text` and `answer_start` (as in the hub's SQuAD);
    in CSV the last three are written as JSON. An empty cell means that there is no answer.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, or a cell is empty
            or of the wrong type; says in which row (counted from 1, without the header) and
            column.
    """
    readers = {"jsonl": _json_lines, "csv": _csv, "parquet": _parquet}
    wanted = {key: name for key, name in columns.model_dump().items() if name is not None}
    records, faults = [], []
    for number, row in readers[kind](path, list(wanted.values())):
        cells = {}
        for key, name in wanted.items():
            try:
                cells[key] = CELLS[key](row.get(name))
            except _CellError as fault:
                faults.append(f"{path}: row {number}: column {name}: {fault}")
        if len(cells) == len(wanted):
            records.append(_record(cells, f"{path.stem}-{number}"))
    if faults:
        more = len(faults) - FAULTS_SHOWN
        faults = faults[:FAULTS_SHOWN] + ([f"{path}: and {more} more"] if more > 0 else [])
        raise DataError("\n".join(faults))
    return records


def _record(cells: Mapping[str, Any], name: str) -> Record:
    answers = cells["answers"]
    if starts := cells.get("answer_start"):
        answers = [
            SourceAnswer(answer.text, start)
            for answer, start in zip(answers, [*starts, *[None] * len(answers)], strict=False)
        ]
    return Record(
        id=cells.get("id") or name,
        title=cells.get("title") or "",
        context=cells["context"],
        question=cells["question"],
        answers=tuple(answers),
        impossible=cells.get("is_impossible", False),
    )


def _json_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    found: set[str] = set()
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: row {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number}: must be a JSON object")
        refuse_half_characters(row, f"{path}: row {number}")
        found |= row.keys()
        rows.append((number, row))
    # a key may be absent from a row, but not from all of them
    _check_columns(path, columns, found if rows else columns)
    yield from rows


def _csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    # the standard limit of 131,072 characters is shorter than a long context
    csv.field_size_limit(sys.maxsize)
    text = read_text(path)
    header = text.split("\n", 1)[0]

    def found_with(delimiter: str) -> int:
        return len(set(columns) & set(next(csv.reader([header], delimiter=delimiter), [])))

    delimiter = max(DELIMITERS, key=found_with)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        _check_columns(path, columns, reader.fieldnames or ())
        for number, row in enumerate(reader, start=1):
            if None in row or None in row.values():
                raise DataError(
                    f"{path}: row {number}: has another number of cells than the header; put "
                    "texts that hold the delimiter or a line break in quotes"
                )
            yield number, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not CSV: {error}") from None


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    # imported here: a third of a second that the other formats do not need
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        _check_columns(path, columns, file.schema_arrow.names)
        yield from enumerate(file.read(columns=list(columns)).to_pylist(), start=1)
    except FileNotFoundError:
        read_text(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None


def _check_columns(path: Path, columns: Iterable[str], found: Iterable[str]) -> None:
    """Make sure that all columns are there.

    Raises:
        DataError: some are not; names those that are.
    """
    found = sorted(found)
    if missing := [column for column in columns if column not in found]:
        raise DataError(
            f"{path}: has no column {', '.join(missing)} (it has {', '.join(found) or 'none'}); "
            "name the right ones in params.yaml under data.columns"
        )


def _text(cell: object) -> str:
    if cell is None:
        raise _CellError("is missing")
    if not isinstance(cell, str):
        raise _CellError(f"must be text, not {_kind(cell)}")
    return cell


def _name(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        raise _CellError(f"must be text, not {_kind(cell)}")
    return str(cell)


def _answers(cell: object) -> list[SourceAnswer]:
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        # an answer may happen to be in brackets, and be JSON even, as `[1999]` is
        with contextlib.suppress(ValueError):
            read = json.loads(cell)
            if not read or isinstance(read, dict) or any(isinstance(r, str | dict) for r in read):
                cell = read
    if cell is None or cell == "":
        return []
    if isinstance(cell, str):
        return [SourceAnswer(cell, None)]
    if isinstance(cell, dict) and isinstance(cell.get("text"), list):
        texts, starts = cell["text"], cell.get("answer_start") or []
        if starts and len(starts) != len(texts):
            raise _CellError(f"has {len(texts)} texts but {len(starts)} answer_start")
        cell = [
            {"text": text, "answer_start": start}
            for text, start in zip(texts, starts or [None] * len(texts), strict=True)
        ]
    if not isinstance(cell, list):
        raise _CellError(f"must be text or a list of answers, not {_kind(cell)}")
    return [_answer(each) for each in cell]


def _answer(value: object) -> SourceAnswer:
    if isinstance(value, str):
        return SourceAnswer(value, None)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise _CellError("an answer must be text, or an object with a text")
    start = value.get("answer_start")
    if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
        raise _CellError(f"answer_start must be a whole number, not {start!r}")
    return SourceAnswer(value["text"], start)


def _starts(cell: Any) -> list[int]:
    values = cell if isinstance(cell, list) else [] if cell in (None, "") else [cell]
    try:
        if any(isinstance(value, bool | float) for value in values):
            raise ValueError
        return [int(value) for value in values]
    except (ValueError, TypeError):
        raise _CellError(f"must be whole numbers, not {cell!r}") from None


def _truth(cell: object) -> bool:
    named = {"true": True, "1": True, "false": False, "0": False, "": False}
    if cell is None or isinstance(cell, bool):
        return bool(cell)
    try:
        return named[str(cell).strip().lower()]
    except KeyError:
        raise _CellError(f"must be true or false, not {cell!r}") from None


def _kind(value: object) -> str:
    return {"dict": "an object", "list": "a list", "int": "a number", "float": "a number"}.get(
        type(value).__name__, type(value).__name__
    )


CELLS = {
    "id": _name,
    "title": _name,
    "context": _text,
    "question": _text,
    "answers": _answers,
    "answer_start": _starts,
    "is_impossible": _truth,
}
"""What reads a cell, by what the column holds."""
