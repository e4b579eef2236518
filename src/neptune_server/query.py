"""The part of Neptune's query language that tables of runs and models need.

    (`sys/stage`:string = "production") AND (`model/f1`:float > 0.8 OR NOT `sys/tags` CONTAINS "x")

Source: https://docs-legacy.neptune.ai/usage/nql/
"""

import re
from collections.abc import Callable, Mapping

from neptune_server.comparing import COMPARISONS, TYPE_NAMES, Comparison, syntax_error
from neptune_server.fields import Field

Condition = Callable[[Mapping[str, Field]], bool]
"""Returns whether a container with these fields matches."""

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
"""Largest depth of nested brackets and NOT operators."""


class Query:
    """A parsed query."""

    def __init__(self, condition: Condition, comparisons: list[Comparison]) -> None:
        self.condition = condition
        self._comparisons = comparisons

    @property
    def names(self) -> frozenset[str]:
        """The fields that it compares."""
        return frozenset(comparison.name for comparison in self._comparisons)

    def refuse_misfits(self) -> None:
        """Check, after evaluation, that no comparison had only fields of unfit types.

        A run whose field has an unfit type does not match. If all fields have unfit types, the
        query itself is wrong, and an empty result would hide that.

        Raises:
            RequestError: there was such a comparison.
        """
        if any(comparison.misfit and not comparison.fit for comparison in self._comparisons):
            raise syntax_error()


def parse(text: str) -> Query:
    """Parse a query; an empty one matches everything.

    Raises:
        RequestError: the query has a syntax error.
    """
    if len(text) > LONGEST_QUERY:
        raise syntax_error()
    parser = Parser(tokens(text))
    condition = parser.alternatives() if parser.more else lambda _: True
    if parser.more:
        raise syntax_error()
    return Query(condition, parser.comparisons)


def tokens(text: str) -> list[tuple[str, str]]:
    """Return a query's tokens: words, quoted names, quoted texts and signs, each with its kind."""
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
    """Parses tokens one after the other, and collects the comparisons in `comparisons`."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.comparisons: list[Comparison] = []
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def more(self) -> bool:
        """Whether any tokens are left."""
        return self._next < len(self._tokens)

    def alternatives(self) -> Condition:
        """Parse conditions joined by OR."""
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
        """Parse a condition, or several in brackets.

        Raises:
            RequestError: there is no condition, or it is nested too deeply.
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
        """Parse a comparison of a field with a value."""
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
            RequestError: it is of another kind.
        """
        if not self.more or self._tokens[self._next][0] not in kinds:
            raise syntax_error()
        self._next += 1
        return self._tokens[self._next - 1][1]

    def take_word(self, word: str) -> bool:
        """Skip a word, in upper or lower case; return whether it was there."""
        kind, text = self._tokens[self._next] if self.more else ("", "")
        found = kind == "word" and text.upper() == word
        self._next += found
        return found

    def take_sign(self, sign: str) -> bool:
        """Skip a sign; return whether it was there."""
        found = self.more and self._tokens[self._next] == ("sign", sign)
        self._next += found
        return found


def unescape(text: str) -> str:
    """Remove the backslashes before quotes and backslashes; keep all other backslashes.

    The client quotes values without escaping them, and regular expressions use backslashes too.
    """
    return ESCAPED.sub(r"\1", text)
