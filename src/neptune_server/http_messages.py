"""The request that a handler gets, and the answer that it may return instead of JSON."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from starlette.datastructures import Headers, QueryParams

from neptune_server.errors import RequestError, bad_request

LONGEST_WHOLE_NUMBER = 400
"""Largest number of digits of a whole number; longer ones count as infinite."""


@dataclass(frozen=True)
class Body:
    """The body of a request, fully received."""

    file: IO[bytes]
    size: int

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end."""
        return self.file.read(size)


@dataclass(frozen=True)
class Request:
    """One request: query, headers and body."""

    query: QueryParams
    headers: Headers
    body: Body

    def text(self, name: str) -> str:
        """Return a parameter of the query.

        Raises:
            RequestError: it is missing.
        """
        value = self.optional(name)
        if value is None:
            raise bad_request(f"the parameter {name} is missing")
        return value

    def optional(self, name: str) -> str | None:
        """Return a parameter of the query; None if it is missing."""
        return self.query.get(name)

    def texts(self, name: str) -> list[str]:
        """Return all values of a repeatable query parameter."""
        return self.query.getlist(name)

    def integer(self, name: str) -> int:
        """Return a parameter that is a whole number of at least 0.

        Raises:
            RequestError: it is missing, or not such a number.
        """
        value = self.text(name)
        # no size or offset has more than 18 digits
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise bad_request(f"the parameter {name} must be a whole number")
        return int(value)

    def json(self) -> Any:
        """Return the body as strict JSON: without NaN and lone surrogates.

        Raises:
            RequestError: the body is not such JSON.
        """
        content = parse(self._text(), refuse_number)
        if has_surrogates(content):
            raise bad_request("the body has half of a character (a lone surrogate)")
        return content

    def lenient_json(self) -> Any:
        """Return the body as JSON whose parts the caller checks one by one.

        It may hold numbers that are not finite, and texts that are not valid Unicode.

        Raises:
            RequestError: the body is not JSON.
        """
        text = self._text()
        try:
            # many times faster than checking each number
            return json.loads(text)
        except ValueError:
            # the cause may be a number with too many digits, which `parse` accepts
            return parse(text, float)
        except RecursionError:
            raise not_json() from None

    def _text(self) -> str:
        try:
            return self.body.read().decode()
        except UnicodeDecodeError:
            raise not_json() from None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            RequestError: the body is not a JSON object.
        """
        content = self.json()
        if not isinstance(content, dict):
            raise bad_request("the body must be a JSON object")
        return content


@dataclass(frozen=True)
class Stream:
    """An answer that is sent piece by piece."""

    pieces: Iterator[bytes]
    media_type: str
    file_name: str | None = None
    length: int | None = None
    """Total number of bytes, if known."""


def member(content: dict[str, Any], name: str, kind: type) -> Any:
    """Return a member of a JSON object; None if it is missing.

    Raises:
        RequestError: the member is of another type.
    """
    value = content.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and value is True)):
        raise bad_request(f"{name} must be of type {kind.__name__}")
    return value


def parse(text: str, odd_number: Callable[[str], float]) -> Any:
    """Parse JSON; `odd_number` reads numbers that are not finite or have too many digits.

    Raises:
        RequestError: the text is not JSON.
    """

    def whole(text: str) -> float:
        return int(text) if len(text) <= LONGEST_WHOLE_NUMBER else odd_number("inf")

    def broken(text: str) -> float:
        number = float(text)
        return number if math.isfinite(number) else odd_number(text)

    try:
        return json.loads(text, parse_constant=odd_number, parse_float=broken, parse_int=whole)
    except (ValueError, RecursionError):
        raise not_json() from None


def not_json() -> RequestError:
    """Return the refusal of a body that is not JSON."""
    return bad_request("the body is not JSON")


def refuse_number(text: str) -> float:
    """Refuse a number that is not finite.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{text}: not a finite number")


SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogates(content: Any) -> bool:
    """Return whether JSON holds a text, as key or value, that is not valid Unicode."""
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if SURROGATE.search(item):
                return True
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
    return False
