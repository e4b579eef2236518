"""Neptune's query language, as far as tables of runs and models need it.

    (`sys/stage`:string = "production") AND (`model/f1`:float > 0.8 OR NOT `sys/tags` CONTAINS "x")

Source: https://docs-legacy.neptune.ai/usage/nql/
"""

import re
from collections.abc import Callable, Mapping

from neptune_server.comparing import COMPARISONS, TYPE_NAMES, Comparison, syntax_error
from neptune_server.fields import Field

Condition = Callable[[Mapping[str, Field]], bool]
"""Tells whether a container with these fields is meant."""

TOKEN = re.compile(
    r"\s*(?:`(?P<name>(?:[^`\\]|\\.)*)`"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"'
    r"|'(?P<single>(?:[^'\\]|\\.)*)'"
    r"|(?P<sign>==|!=|<=|>=|[=<>():])"
    r"|(?P<word>[^\s`\"'()=!<>:]+))",
    re.DOTALL,
)
KINDS = {"single": "text"}
ESCAPED = re.compile(r"\\([\\\"'`])")

LONGEST_QUERY = 64 * 1024
DEEPEST = 50
"""Brackets, and words NOT, within each other."""


class Query:
    """A query that has been understood."""

    def __init__(self, condition: Condition, comparisons: list[Comparison]) -> None:
        self.condition = condition
        self._comparisons = comparisons

    @property
    def names(self) -> frozenset[str]:
        """The fields that it looks at."""
        return frozenset(comparison.name for comparison in self._comparisons)

    def refuse_misfits(self) -> None:
        """Refuse a comparison that fitted no field of its name, once all have been looked at.

        A run whose field is of an odd type is none that is meant; where there are only such, it is
        the query that is wrong, and silence would hide it.

        Raises:
            RequestError: there was one.
        """
        if any(comparison.misfit and not comparison.fit for comparison in self._comparisons):
            raise syntax_error()


def parse(text: str) -> Query:
    """Understand a query; an empty one means everything.

    Raises:
        RequestError: it is not one.
    """
    if len(text) > LONGEST_QUERY:
        raise syntax_error()
    parser = Parser(tokens(text))
    condition = parser.alternatives() if parser.more else lambda _: True
    if parser.more:
        raise syntax_error()
    return Query(condition, parser.comparisons)


def tokens(text: str) -> list[tuple[str, str]]:
    """Return a query's words, quoted names and texts, and signs, each with its kind."""
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        token = TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise syntax_error()
        kind = token.lastgroup
        found.append((KINDS.get(kind, kind), token[kind]))
        position = token.end()
    return found


class Parser:
    """Reads tokens one after the other; `comparisons` gathers what is compared."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.comparisons: list[Comparison] = []
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def more(self) -> bool:
        """Whether there is anything left to read."""
        return self._next < len(self._tokens)

    def alternatives(self) -> Condition:
        """Read conditions of which one must hold."""
        conditions = [self.all_of()]
        while self.take_word("OR"):
            conditions.append(self.all_of())
        if len(conditions) == 1:
            return conditions[0]
        return lambda fields: any(condition(fields) for condition in conditions)

    def all_of(self) -> Condition:
        """Parse conditions joined by AND."""
        conditions = [self.one()]
        while self.take_word("AND"):
            conditions.append(self.one())
        if len(conditions) == 1:
            return conditions[0]
        return lambda fields: all(condition(fields) for condition in conditions)

    def one(self) -> Condition:
        """Read a condition, or several in brackets.

        Raises:
            RequestError: there is none, or it lies too deep.
        """
        self._depth += 1
        if self._depth > DEEPEST:
            raise syntax_error()
        condition = self._one()
        self._depth -= 1
        return condition

    def _one(self) -> Condition:
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
            types = TYPE_NAMES.get(self.take("word"))
            if types is None:
                raise syntax_error()
        negated = self.take_word("NOT")
        if self.take_word("STARTS"):
            relation = "STARTS WITH" if self.take_word("WITH") else ""
        elif self.take_word("ENDS"):
            relation = "ENDS WITH" if self.take_word("WITH") else ""
        else:
            relation = self.take("sign", "word").upper()
        if relation not in COMPARISONS:
            raise syntax_error()
        comparison = Comparison(name, types, relation, unescape(self.take("text", "word")))
        self.comparisons.append(comparison)

        def holds(fields: Mapping[str, Field]) -> bool:
            found = comparison.holds(fields.get(name))
            return found is not None and found is not negated

        return holds

    def take(self, *kinds: str) -> str:
        """Return the next token if it is of one of these kinds.

        Raises:
            RequestError: it is not.
        """
        if not self.more or self._tokens[self._next][0] not in kinds:
            raise syntax_error()
        self._next += 1
        return self._tokens[self._next - 1][1]

    def take_word(self, word: str) -> bool:
        """Skip a word, in large or small letters, and tell whether it was there."""
        kind, text = self._tokens[self._next] if self.more else ("", "")
        found = kind == "word" and text.upper() == word
        self._next += found
        return found

    def take_sign(self, sign: str) -> bool:
        """Skip a sign and tell whether it was there."""
        found = self.more and self._tokens[self._next] == ("sign", sign)
        self._next += found
        return found


def unescape(text: str) -> str:
    """Take the backslashes off quotes and backslashes; before all else they stand for themselves.

    The client puts values between quotes as they are, and regular expressions have their own use
    for backslashes.
    """
    return ESCAPED.sub(r"\1", text)
