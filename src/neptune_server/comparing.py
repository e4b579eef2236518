"""Comparisons of fields with values in a query, by the field's type and within limits."""

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import re2

from neptune_server.checks import shown
from neptune_server.errors import RequestError, bad_request
from neptune_server.fields import Field

TEXT_RELATIONS = ("CONTAINS", "MATCHES", "STARTS WITH", "ENDS WITH")
ORDER_RELATIONS = ("<", "<=", ">", ">=")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "CONTAINS": operator.contains,
    "MATCHES": lambda value, pattern: pattern.search(value) is not None,
    "STARTS WITH": str.startswith,
    "ENDS WITH": str.endswith,
}
NUMBERS = ("float", "int", "floatSeries")
ORDERED = (*NUMBERS, "datetime")
TYPE_NAMES = {
    "integer": ("int",),
    "int": ("int",),
    "float": NUMBERS,
    "boolean": ("bool",),
    "bool": ("bool",),
    "string": ("string",),
    "stringSet": ("stringSet",),
    "datetime": ("datetime",),
    "experimentState": ("experimentState",),
    "floatSeries": ("floatSeries",),
    "stringSeries": ("stringSeries",),
    "artifact": ("artifact",),
}
"""Types of fields by the name of a type in a query."""

STATES = {"active": "running", "running": "running", "inactive": "idle", "idle": "idle"}
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
RELATIVE_TIME = re.compile(r"-(\d{1,5})([hdw])")

LONGEST_PATTERN = 1000
"""Largest number of characters in a regular expression."""

MOST_REPEATS = 1000
"""RE2's own limit for repetitions; RE2 reads a larger count as plain text."""

PATTERN_BYTES = 8 * 1024 * 1024
"""Memory limit of a compiled regular expression in bytes."""

REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def syntax_error() -> RequestError:
    """Return the refusal of a query, in the words that the client knows."""
    return bad_request("Syntax error")


class Comparison:
    """A comparison of a field with a value, asked of one container after the other.

    Attributes:
        name: the field's.
        misfit: whether a container had a field of the name whose type knows no such comparison.
        fit: whether any had one whose type does.
    """

    def __init__(self, name: str, types: tuple[str, ...] | None, relation: str, text: str) -> None:
        self.name = name
        self.misfit = self.fit = False
        self._types = types
        self._relation = relation
        self._text = text
        self._pattern = compiled(text) if relation == "MATCHES" else None

    def holds(self, field: Field | None) -> bool | None:
        """Return whether a field satisfies the comparison; None if there is no such field."""
        if field is None or field.value is None:
            return None
        if self._types is not None and field.type not in self._types:
            return None
        value, other = field.value, self._other(field.type)
        if other is None or not self._comparable(field):
            self.misfit = True
            return None
        self.fit = True
        if field.type == "datetime":
            value = read_time(value)
        return bool(COMPARISONS[self._relation](value, other))

    def _comparable(self, field: Field) -> bool:
        if isinstance(field.value, list):
            return self._relation == "CONTAINS"
        if self._relation in TEXT_RELATIONS:
            return isinstance(field.value, str)
        # texts have no order unless the query names the type string; the client does that to
        # continue a long table at the place where it was cut
        in_order = self._relation in ORDER_RELATIONS and field.type not in ORDERED
        return not in_order or (self._types == ("string",) and field.type == "string")

    def _other(self, kind: str) -> Any:
        if self._pattern is not None:
            return self._pattern
        return read_value(kind, self._text)


def read_value(kind: str, text: str) -> Any:
    """Return a query's value as a field's type; None if it is not a value of this type."""
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower())
    if kind == "experimentState":
        return STATES.get(text.lower())
    if kind == "datetime":
        return read_time(text)
    if kind not in NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        return None


def read_time(text: str) -> datetime | None:
    """Return a time written as ISO 8601 or as `-2d` (two days ago); None if it is neither."""
    relative = RELATIVE_TIME.fullmatch(text)
    try:
        if relative is not None:
            return datetime.now(UTC) - timedelta(**{UNITS[relative[2]]: int(relative[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def compiled(pattern: str) -> Any:
    """Return a regular expression whose matching time is always linear in the text.

    Raises:
        RequestError: the pattern is not a regular expression, or too large.
    """
    counts = [int(count) for pair in REPEAT.findall(pattern) for count in pair if count]
    if len(pattern) > LONGEST_PATTERN or any(count > MOST_REPEATS for count in counts):
        raise bad_request(f"{shown(pattern)}: the regular expression is too large")
    options = re2.Options()
    options.max_mem = PATTERN_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise syntax_error() from None
