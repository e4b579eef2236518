"""Checks of what a client sends for a field; each names the field and what was found."""

import math
from typing import Any

MOST_INTEGER = 2**63 - 1
"""SQLite's largest integer."""

MOST_STEP = 2**53
"""Steps are kept as floats, which are exact up to here."""

TIMES = range(-62_135_596_800_000, 253_402_300_800_000)
"""Milliseconds since 1970 that Python can write as a date: of the years 1 to 9999."""

SHOWN_LETTERS = 60


class FieldError(Exception):
    """One operation cannot be done; the client shows the text, and the others are done."""


class PartlyDoneError(FieldError):
    """Points of a series cannot be kept; the others of the operation are."""


def check_number(path: str, value: Any) -> float:
    """Return a finite float.

    Raises:
        FieldError: it is not one.
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
    """Return a whole number of a size that can be kept.

    Raises:
        FieldError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{path}: {shown(value)} is not a whole number")
    if abs(value) > MOST_INTEGER:
        raise FieldError(f"{path}: {shown(value)} is too large")
    return value


def check_step(path: str, value: Any) -> float:
    """Return a step: a number that a float can tell from the ones beside it.

    Raises:
        FieldError: it is not one.
    """
    step = check_number(path, value)
    # as it was given: 2^53 + 1 is 2^53 as a float
    if abs(value) > MOST_STEP:
        raise FieldError(f"{path}: step {shown(value)} is beyond 2^53")
    return step


def check_time(path: str, value: Any) -> int:
    """Return milliseconds since 1970 that can be read back as a date.

    Raises:
        FieldError: they are none.
    """
    if check_integer(path, value) not in TIMES:
        raise FieldError(f"{path}: {shown(value)} is not a time of the years 1 to 9999")
    return int(value)


def check_text(path: str, value: Any) -> str:
    """Return a text that can be written as UTF-8.

    Raises:
        FieldError: it is not one.
    """
    if not isinstance(value, str):
        raise FieldError(f"{path}: {shown(value)} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FieldError(f"{path!r}: {shown(value)} is not valid Unicode") from None
    return value


def check_list(path: str, given: dict[str, Any], key: str) -> list[Any]:
    """Return a list that an operation holds.

    Raises:
        FieldError: there is none.
    """
    value = given.get(key)
    if not isinstance(value, list):
        raise FieldError(f"{path!r}: {key} must be a list")
    return value


def shown(value: Any) -> str:
    """Return a value as a message shows it, cut if it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # nested too deep, or a number of too many digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."
