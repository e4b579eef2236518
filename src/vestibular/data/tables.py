"""Questions from tables, one per row: JSON Lines, CSV and Parquet, with columns of any name."""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple

from vestibular.core.characters import is_visible
from vestibular.core.errors import DataError
from vestibular.data.cells import CellError, CellReader
from vestibular.data.columns import check_columns
from vestibular.data.findings import Finding, Findings, Origin, RefusedDataError, refusal, refused
from vestibular.data.parquet import parquet_columns, parquet_rows
from vestibular.data.reading import BYTE_ORDER_MARK, RepeatedKeyError, parse_json, read_text
from vestibular.data.settings import Columns
from vestibular.data.sources import Row, Source, SourceAnswer, SourceQuestion

DELIMITERS = ",;\t"
"""Candidates for the delimiter of a CSV file; the one that finds most columns in the header is
used."""


def read_table(path: Path, kind: str, columns: Columns) -> Source:
    """Read a table of kind `jsonl`, `csv` or `parquet`; `columns` names its columns.

    A cell of answers is one text, a list of texts, a list of objects with `text` and
    `answer_start`, or an object with two lists `text` and `answer_start` (as in the hub's SQuAD);
    in CSV the last three are written as JSON. An empty cell means that there is no answer. Python's
    printed form of such lists is read too. Each conversion is recorded.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, or a cell is empty or of
            the wrong type; names the row (counted from 1, header excluded) and the column.
    """
    wanted = {key: name for key, name in columns.model_dump().items() if name is not None}
    found = Findings()
    cells = CellReader(kind, found)
    records: list[SourceQuestion] = []
    faults: list[Finding] = []
    # questions of one context share its text
    texts: dict[str, str] = {}
    present = 0
    for origin, row in READERS[kind](path, list(wanted.values()), found):
        present += 1
        read: dict[str, Any] = {}
        for key, name in wanted.items():
            place = origin.at(f"column {name}")
            try:
                read[key] = cells.read(key, row.get(name), place)
            except CellError as fault:
                faults.append(refused("wrong_cell", place, str(fault)))
        if len(read) == len(wanted):
            read["context"] = texts.setdefault(read["context"], read["context"])
            try:
                records.append(_record(read, origin, "id" in wanted, found))
            except CellError as fault:
                place = origin.at(f"column {columns.answer_start}")
                faults.append(refused("wrong_cell", place, str(fault)))
    if faults:
        raise RefusedDataError(faults)
    return Source(records, present, found)


def _record(cells: Row, origin: Origin, named: bool, found: Findings) -> SourceQuestion:
    answers, starts = cells["answers"], cells.get("answer_start") or []
    name = cells.get("id") or f"{origin.file.stem}-{origin.row}"
    if named and not cells["id"]:
        found.add("missing_id", origin, "", f"called {name}", name)
    if starts and not answers:
        said = ", ".join(map(str, starts))
        found.add("start_without_answer", origin, said, "the offset was left out", name)
    elif starts:
        if len(starts) != len(answers):
            raise CellError(f"has {len(starts)} offsets for {len(answers)} answers")
        answers = [
            SourceAnswer(answer.text, start) for answer, start in zip(answers, starts, strict=True)
        ]
    return SourceQuestion(
        id=name,
        title=cells.get("title") or "",
        context=cells["context"],
        question=cells["question"],
        answers=tuple(answers),
        impossible=cells.get("is_impossible"),
        origin=origin,
    )


def _json_lines(
    path: Path, columns: Sequence[str], found: Findings
) -> Iterator[tuple[Origin, Row]]:
    names: set[str] = set()
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        origin = Origin(path, number)
        marked = line.startswith(BYTE_ORDER_MARK)
        if not line.strip(f"{BYTE_ORDER_MARK} \t\r"):
            continue
        if marked:
            found.add("byte_order_mark", origin, BYTE_ORDER_MARK, "the mark was left out")
        try:
            row = parse_json(line.lstrip(BYTE_ORDER_MARK))
        except RepeatedKeyError as error:
            raise refusal("repeated_key", origin, str(error)) from None
        except ValueError as error:
            where = (
                f"{error.msg} (column {error.colno})"
                if isinstance(error, JSONDecodeError)
                else error
            )
            said = f"not JSON: {where}; correct the line or remove it"
            raise refusal("not_json", origin, said) from None
        if not isinstance(row, dict):
            raise refusal("not_json", origin, "must be a JSON object")
        names |= row.keys()
        rows.append((origin, row))
    # a key may be absent from some rows, but not from all
    check_columns(Origin(path), columns, names)
    yield from rows


def _csv(path: Path, columns: Sequence[str], found: Findings) -> Iterator[tuple[Origin, Row]]:
    # the default limit of 131,072 characters is shorter than a long context
    csv.field_size_limit(sys.maxsize)
    text = read_text(path)
    lines = 0

    def counted() -> Iterator[str]:
        nonlocal lines
        for line in io.StringIO(text, newline=""):
            lines += 1
            yield line

    reader = csv.reader(counted(), delimiter=_delimiter(text, columns), strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        first = lines + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            until = f" (the row continues to line {lines})" if lines > first else ""
            what = (
                f"not CSV: {error}{until}; put texts that contain quotes in quotes, and double the "
                "inner ones"
            )
            raise refusal("not_csv", Origin(path, None, first), what) from None
        if cells is None:
            break
        # skip blank lines; unread lines before this one do not belong to a row either
        if not cells:
            continue
        if header is None:
            header = cells
            check_columns(Origin(path, line=first), columns, header)
            continue
        number += 1
        origin = Origin(path, number, first)
        if len(cells) != len(header):
            raise refusal(
                "ragged_row",
                origin,
                f"has a different number of cells than the header ({len(cells)} and "
                f"{len(header)}); put texts that contain the delimiter or a line break in quotes",
            )
        yield origin, dict(zip(header, cells, strict=True))


def _delimiter(text: str, columns: Sequence[str]) -> str:
    """Return the delimiter that finds most of the columns in the first line of a text."""
    first = next((line for line in io.StringIO(text, newline="") if is_visible(line)), "")

    def named(delimiter: str) -> int:
        try:
            return len(set(columns) & set(next(csv.reader([first], delimiter=delimiter), [])))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=named)


def column_names(path: Path, kind: str) -> list[str]:
    """Return the names of a table's columns, in order.

    Raises:
        DataError: the file is missing or not such a table.
    """
    if kind == "parquet":
        return parquet_columns(path)
    if kind == "csv":
        lines = io.StringIO(read_text(path), newline="")
        first = next((line for line in lines if is_visible(line)), "")
        cells = (next(csv.reader([first.rstrip("\r\n")], delimiter=one), []) for one in DELIMITERS)
        return max(cells, key=len)
    rows = READERS[kind](path, [], Findings())
    return list(dict.fromkeys(name for _, row in rows for name in row))


READERS: dict[str, Callable[..., Iterator[tuple[Origin, Row]]]] = {
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": lambda path, columns, _: parquet_rows(path, columns),
}
"""Reader of each kind of table."""
KINDS = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
"""Kind of a table by its file's suffix."""


class Asked(NamedTuple):
    """A question to be answered."""

    context: str
    question: str
    id: str = ""
    """Empty if the table has no ids."""


def read_asked(path: Path, columns: Columns | None = None) -> list[Asked]:
    """Read the context, the question and, if present, the id from each row of a table.

    Args:
        path: the table.
        columns: names of the columns, if they differ from context, question and id.

    Raises:
        DataError: the file is missing or not such a table, or a cell is empty; names the place.
    """
    kind = KINDS.get(path.suffix)
    if kind is None:
        raise DataError(
            f"{path}: must be a table with the columns context and question, and a name that ends "
            f"in {', '.join(KINDS)}"
        )
    found = Findings()
    cells = CellReader(kind, found)
    present = column_names(path, kind)
    own = {} if columns is None else columns.model_dump(exclude_none=True)
    names = {
        what: what if what in present else own.get(what, what)
        for what in ("context", "question", "id")
    }
    if names["id"] not in present:
        del names["id"]
    rows, faults = [], []
    for origin, row in READERS[kind](path, list(names.values()), found):
        read: dict[str, str] = {}
        for what, name in names.items():
            place = origin.at(f"column {name}")
            try:
                text = cells.read(what, row.get(name), place)
                if what != "id" and not is_visible(text):
                    raise CellError("is empty")
                read[what] = text
            except CellError as fault:
                faults.append(refused("wrong_cell", place, str(fault)))
        if len(read) == len(names):
            rows.append(Asked(**read))
    if faults:
        raise RefusedDataError(faults)
    return rows
