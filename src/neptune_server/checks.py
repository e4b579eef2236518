"""Checks of the values that a client sends for a field; errors name the field and the value."""

import math
from typing import Any

MOST_INTEGER = 2**63 - 1
"""SQLite's largest integer."""

MOST_STEP = 2**53
"""Largest step: steps are stored as floats, which are exact up to here."""

TIMES = range(-62_135_596_800_000, 253_402_300_800_000)
"""Milliseconds since 1970 that Python can write as a date: the years 1 to 9999."""

SHOWN_LETTERS = 60


class FieldError(Exception):
    """One operation failed; the client shows the text, and the other operations are applied."""


class PartlyDoneError(FieldError):
    """Some points of a series cannot be stored; the operation's other points are."""


def check_number(path: str, value: Any) -> float:
    """Return a finite float.

    Raises:
        FieldError: the value is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldError(f"{path}: {shown(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FieldError(f"{path}: {shown(value)} is not a finite number; log it as text")
    return number


def check_integer(path: str, value: Any) -> int:
    """Return a whole number that fits into the database.

    Raises:
        FieldError: the value is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{path}: {shown(value)} is not a whole number")
    if abs(value) > MOST_INTEGER:
        raise FieldError(f"{path}: {shown(value)} is too large")
    return value


def check_step(path: str, value: Any) -> float:
    """Return a step: a number that a float can distinguish from its neighbours.

    Raises:
        FieldError: the value is not such a number.
    """
    step = check_number(path, value)
    # compare the value as given: 2^53 + 1 becomes 2^53 as a float
    if abs(value) > MOST_STEP:
        raise FieldError(f"{path}: step {shown(value)} is beyond 2^53")
    return step


def check_time(path: str, value: Any) -> int:
    """Return milliseconds since 1970 that can be read back as a date.

    Raises:
        FieldError: the value is not such a time.
    """
    if check_integer(path, value) not in TIMES:
        raise FieldError(f"{path}: {shown(value)} is not a time of the years 1 to 9999")
    return int(value)


def check_text(path: str, value: Any) -> str:
    """Return a text that can be written as UTF-8.

    Raises:
        FieldError: the value is not such a text.
    """
    if not isinstance(value, str):
        raise FieldError(f"{path}: {shown(value)} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FieldError(f"{path!r}: {shown(value)} is not valid Unicode") from None
    return value


def check_list(path: str, given: dict[str, Any], key: str) -> list[Any]:
    """Return a list from an operation.

    Raises:
        FieldError: the operation has no such list.
    """
    value = given.get(key)
    if not isinstance(value, list):
        raise FieldError(f"{path!r}: {key} must be a list")
    return value


def shown(value: Any) -> str:
    """Return a value as text for a message, shortened if it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # nested too deeply, or a number with too many digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."
