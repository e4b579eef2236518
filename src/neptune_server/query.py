"""Neptune's query language, as far as tables of runs and models need it.

    (`sys/stage`:string = "production") AND (`model/f1`:float > 0.8 OR NOT `sys/tags` CONTAINS "x")

Source: https://docs-legacy.neptune.ai/usage/nql/
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from neptune_server.errors import RequestError, bad_request
from neptune_server.fields import Field

Condition = Callable[[Mapping[str, Field]], bool]
"""Tells whether a container with these fields is meant."""

TOKEN = re.compile(
    r"\s*(?:`(?P<name>(?:[^`\\]|\\.)*)`"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"'
    r"|(?P<sign>==|!=|<=|>=|[=<>():])"
    r'|(?P<word>[^\s`"()=!<>:]+))'
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "CONTAINS": operator.contains,
    "MATCHES": lambda value, pattern: re.search(pattern, value) is not None,
    "STARTS WITH": str.startswith,
    "ENDS WITH": str.endswith,
}
NUMBERS = ("float", "int", "floatSeries")
TYPE_NAMES = {"integer": ("int",), "float": NUMBERS, "boolean": ("bool",)}
"""The types of fields that a query means by its own word for a type."""

STATES = {"active": "running", "inactive": "idle"}
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
RELATIVE_TIME = re.compile(r"-(\d{1,5})([hdw])")


@dataclass(frozen=True)
class Query:
    """A query that has been understood."""

    names: frozenset[str]
    """The fields that it looks at."""
    condition: Condition


def parse(text: str) -> Query:
    """Understand a query; an empty one means everything.

    Raises:
        RequestError: it is not one.
    """
    try:
        parser = Parser(tokens(text))
        condition = parser.alternatives() if parser.tokens else lambda _: True
    except RecursionError:
        raise syntax_error() from None
    if parser.tokens:
        raise syntax_error()
    return Query(frozenset(parser.names), condition)


def syntax_error() -> RequestError:
    """Return the refusal of a query, in the words that the client knows."""
    return bad_request("Syntax error")


def tokens(text: str) -> list[tuple[str, str]]:
    """Return a query's words, quoted names and texts, and signs, each with its kind."""
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        token = TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise syntax_error()
        found.append((token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return found


class Parser:
    """Reads tokens from the front; `names` gathers the fields that are looked at."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.names: set[str] = set()

    def alternatives(self) -> Condition:
        """Read conditions of which one must hold."""
        conditions = [self.all_of()]
        while self.take_word("OR"):
            conditions.append(self.all_of())
        return lambda fields: any(condition(fields) for condition in conditions)

    def all_of(self) -> Condition:
        """Read conditions that must all hold."""
        conditions = [self.one()]
        while self.take_word("AND"):
            conditions.append(self.one())
        return lambda fields: all(condition(fields) for condition in conditions)

    def one(self) -> Condition:
        """Read a condition, or several in brackets."""
        if self.take_word("NOT"):
            negated = self.one()
            return lambda fields: not negated(fields)
        if self.take_sign("("):
            inner = self.alternatives()
            if not self.take_sign(")"):
                raise syntax_error()
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        """Read a comparison of a field with a value."""
        name = unescape(self.take("name", "word"))
        types = None
        if self.take_sign(":"):
            word = self.take("word")
            types = TYPE_NAMES.get(word, (word,))
        negated = self.take_word("NOT")
        if self.take_word("STARTS"):
            relation = "STARTS WITH" if self.take_word("WITH") else ""
        elif self.take_word("ENDS"):
            relation = "ENDS WITH" if self.take_word("WITH") else ""
        else:
            relation = self.take("sign", "word").upper()
        if relation not in COMPARISONS:
            raise syntax_error()
        wanted = unescape(self.take("text", "word"))
        self.names.add(name)

        def holds(fields: Mapping[str, Field]) -> bool:
            field = fields.get(name)
            if field is None or field.value is None or (types and field.type not in types):
                return False
            return compare(field, relation, wanted) is not negated

        return holds

    def take(self, *kinds: str) -> str:
        """Return the next token if it is of one of these kinds.

        Raises:
            RequestError: it is not.
        """
        if not self.tokens or self.tokens[0][0] not in kinds:
            raise syntax_error()
        return self.tokens.pop(0)[1]

    def take_word(self, word: str) -> bool:
        """Skip a word, in large or small letters, and tell whether it was there."""
        if self.tokens and self.tokens[0][0] == "word" and self.tokens[0][1].upper() == word:
            self.tokens.pop(0)
            return True
        return False

    def take_sign(self, sign: str) -> bool:
        """Skip a sign and tell whether it was there."""
        if self.tokens and self.tokens[0] == ("sign", sign):
            self.tokens.pop(0)
            return True
        return False


def compare(field: Field, relation: str, wanted: str) -> bool:
    """Compare a field's value with what a query says.

    Raises:
        RequestError: the field's type knows no such comparison.
    """
    value, other = field.value, read_value(field.type, wanted)
    if field.type == "datetime":
        value = read_time(value)
    of_text = relation in ("CONTAINS", "MATCHES", "STARTS WITH", "ENDS WITH")
    if of_text != isinstance(value, str | list) and (of_text or isinstance(value, list)):
        raise syntax_error()
    if isinstance(value, list) and relation != "CONTAINS":
        raise syntax_error()
    try:
        return COMPARISONS[relation](value, other)
    except re.error:
        raise syntax_error() from None


def read_value(kind: str, text: str) -> Any:
    """Return what a query's word means beside a field of a type.

    Raises:
        RequestError: it means nothing there.
    """
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise syntax_error()
        return text.lower() == "true"
    if kind == "experimentState":
        return STATES.get(text.lower(), text.lower())
    if kind == "datetime":
        return read_time(text)
    if kind not in NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        raise syntax_error() from None


def read_time(text: str) -> datetime:
    """Return a time written as ISO 8601, or as `-2d`: two days ago.

    Raises:
        RequestError: it is neither.
    """
    relative = RELATIVE_TIME.fullmatch(text)
    if relative is not None:
        return datetime.now(UTC) - timedelta(**{UNITS[relative[2]]: int(relative[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise syntax_error() from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def unescape(text: str) -> str:
    """Take the backslashes off quoted signs."""
    return re.sub(r"\\(.)", r"\1", text)
