"""Reading of a single value: a cell of a table, or an id or an offset in SQuAD's JSON.

Values that another tool wrote with another type are converted to their obvious meaning, and
recorded.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from vestibular.data.findings import SEVERAL_ANSWERS, Findings, Origin, quoted
from vestibular.data.python_texts import NotPythonError, looks_printed, read_printed
from vestibular.data.reading import RepeatedKeyError, parse_json
from vestibular.data.sources import SourceAnswer

WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*")
FRACTION = re.compile(r"\s*[+-]?\d{1,18}\.0*\s*")
"""A whole number as pandas writes it in a column with gaps."""
LARGEST = 2**53
"""Beyond this, a float may have lost digits."""
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
NUMBERS = {"1": True, "1.0": True, "0": False, "0.0": False}


class CellError(Exception):
    """The fault of one cell."""


def as_id(value: Any, kind: str, origin: Origin, found: Findings) -> Any:
    """Return an id or a title as text if it is a whole number, and anything else unchanged."""
    number = _whole(value)
    if number is None or isinstance(value, str):
        return value
    found.add(kind, origin, value, f"read as {str(number)!r}", str(number))
    return str(number)


def as_start(value: Any, origin: Origin, found: Findings, text: bool = False) -> Any:
    """Return an offset as a number if it obviously is one, and anything else unchanged.

    Args:
        value: value in the source.
        origin: its position, for the record.
        found: the record.
        text: whether the format writes numbers as text.
    """
    number = _whole(value)
    if number is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) or FRACTION.fullmatch(value):
        found.add("answer_start_as_fraction", origin, value, f"read as {number}")
    elif not text:
        found.add("answer_start_as_text", origin, value, f"read as {number}")
    return number


def _whole(value: Any) -> int | None:
    """Return the whole number that a value is or spells; None if it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) <= LARGEST
        return int(value) if whole else None
    if isinstance(value, str) and (WHOLE.fullmatch(value) or FRACTION.fullmatch(value)):
        # `int` strips fewer kinds of white space
        return int(value.strip().split(".")[0])
    return None


class CellReader:
    """Reader of the cells of one table."""

    def __init__(self, kind: str, found: Findings) -> None:
        self.typed = kind != "csv"
        """Whether the format has numbers, booleans and lists of its own."""
        self.found = found
        self.readers: dict[str, Callable[[Any, Origin], Any]] = {
            "id": lambda cell, origin: self._name(cell, "id_as_number", origin),
            "title": lambda cell, origin: self._name(cell, "title_as_number", origin),
            "context": lambda cell, origin: self._text(cell),
            "question": lambda cell, origin: self._text(cell),
            "answers": self._answers,
            "answer_start": self._starts,
            "is_impossible": self._truth,
        }

    def read(self, key: str, cell: Any, origin: Origin) -> Any:
        """Read a cell of the column for `key`, a field of `Columns`.

        Raises:
            CellError: the cell cannot be read; the text says why.
        """
        if isinstance(cell, float) and math.isnan(cell):
            self.found.add("empty_as_nan", origin, cell, "read as empty")
            cell = None
        return self.readers[key](cell, origin)

    def _text(self, cell: object) -> str:
        if cell is None:
            raise CellError("is missing")
        if not isinstance(cell, str):
            raise CellError(f"must be text, not {_kind(cell)}")
        return cell

    def _name(self, cell: object, kind: str, origin: Origin) -> str:
        cell = as_id(cell, kind, origin, self.found)
        if cell is None:
            return ""
        if not isinstance(cell, str):
            raise CellError(f"must be text, not {_kind(cell)}")
        return cell

    def _answers(self, cell: Any, origin: Origin) -> list[SourceAnswer]:
        if isinstance(cell, str):
            cell = self._list_in_text(cell, origin)
        if cell is None or cell == "":
            return []
        if isinstance(cell, str):
            return [SourceAnswer(cell, None)]
        if isinstance(cell, dict) and isinstance(cell.get("text"), list):
            texts, starts = cell["text"], cell.get("answer_start") or []
            if not isinstance(starts, list):
                raise CellError("has a list of texts, but answer_start is not a list")
            if starts and len(starts) != len(texts):
                raise CellError(f"has {len(texts)} texts but {len(starts)} answer_start")
            cell = [
                {"text": text, "answer_start": start}
                for text, start in zip(texts, starts or [None] * len(texts), strict=True)
            ]
        elif isinstance(cell, dict) and not cell:
            cell = []
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            raise CellError(f'must be text, not a number; write "{cell}"')
        if not isinstance(cell, list):
            what = f"must be text or a list of answers, not {_kind(cell)}"
            raise CellError(f"{what}; {SEVERAL_ANSWERS}")
        return [self._answer(each, origin) for each in cell]

    def _list_in_text(self, cell: str, origin: Origin) -> Any:
        """Return the list or object that a text spells, or else the text itself.

        An answer may happen to be in brackets and even be JSON, such as `[1999]`.
        """
        read: Any
        if cell.lstrip()[:1] in ("[", "{"):
            try:
                read = parse_json(cell)
            except RepeatedKeyError as error:
                raise CellError(str(error)) from None
            except ValueError:
                # perhaps printed by Python
                pass
            else:
                if read and isinstance(read, list) and not any(map(_is_answer, read)):
                    return cell
                if self.typed:
                    self.found.add("answers_as_json", origin, cell, f"read as {quoted(read)}")
                return read
        if not looks_printed(cell):
            return cell
        try:
            read = read_printed(cell)
        except NotPythonError as error:
            # a quoted name in parentheses
            if cell.lstrip().startswith("("):
                return cell
            raise CellError(
                "looks like a list, a dictionary or an array, but is neither JSON nor Python's "
                f"printed form ({error}): {quoted(cell)}; {SEVERAL_ANSWERS}"
            ) from None
        # quoted words in parentheses
        if not isinstance(read, list | dict):
            return cell
        self.found.add("answers_as_python", origin, cell, f"read as {quoted(read)}")
        return read

    def _answer(self, value: object, origin: Origin) -> SourceAnswer:
        if isinstance(value, str):
            return SourceAnswer(value, None)
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise CellError("an answer must be text, or an object with a text")
        return SourceAnswer(
            value["text"], self._start(value.get("answer_start"), origin, "answer_start ")
        )

    def _starts(self, cell: Any, origin: Origin) -> list[int | None]:
        if isinstance(cell, str):
            cell = cell.strip()
        if isinstance(cell, str) and cell[:1].lower() in ("[", "(", "a", "n"):
            try:
                read = read_printed(cell)
            except NotPythonError as error:
                raise CellError(f"must be whole numbers, not {quoted(cell)!r} ({error})") from None
            kind = "empty_as_nan" if read is None else "answer_start_as_list"
            self.found.add(kind, origin, cell, f"read as {quoted(read)}")
            cell = read
        values = cell if isinstance(cell, list) else [] if cell in (None, "") else [cell]
        return [self._start(value, origin) for value in values]

    def _start(self, value: Any, origin: Origin, what: str = "") -> int | None:
        if isinstance(value, float) and math.isnan(value):
            self.found.add("empty_as_nan", origin, value, "read as empty")
            return None
        number = as_start(value, origin, self.found, not self.typed)
        if number is None:
            return None
        if isinstance(number, bool) or not isinstance(number, int):
            raise CellError(f"{what}must be a whole number, not {quoted(value)!r}")
        return number

    def _truth(self, cell: object, origin: Origin) -> bool | None:
        if cell is None or isinstance(cell, bool):
            return cell
        if not isinstance(cell, str | int | float):
            raise CellError(f"must be true or false, not {_kind(cell)}")
        said = str(cell).strip().lower()
        if said in ("", "nan"):
            if said:
                self.found.add("empty_as_nan", origin, cell, "read as empty")
            return None
        truth = TRUTHS.get(said, NUMBERS.get(said))
        if truth is None:
            raise CellError(f"must be true or false, not {quoted(cell)!r}")
        # in CSV everything is text
        if self.typed or said not in ("true", "false", "1", "0"):
            spelled = isinstance(cell, str) and (self.typed or said not in NUMBERS)
            written = "text" if spelled else "number"
            self.found.add(f"is_impossible_as_{written}", origin, cell, f"read as {truth}")
        return truth


def _is_answer(value: object) -> bool:
    return isinstance(value, str | dict)


def _kind(value: object) -> str:
    return {"dict": "an object", "list": "a list", "int": "a number", "float": "a number"}.get(
        type(value).__name__, type(value).__name__
    )
