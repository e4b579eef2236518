"""What a handler is given of a request, and what it may answer besides JSON."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from starlette.datastructures import Headers, QueryParams

from neptune_server.errors import bad_request

LONGEST_WHOLE_NUMBER = 400
"""Digits; a longer one is no number that anything here is counted in."""


@dataclass(frozen=True)
class Body:
    """The bytes that followed a request's headers, all of them received."""

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
        """Return a parameter of the query, None where it is missing."""
        return self.query.get(name)

    def texts(self, name: str) -> list[str]:
        """Return a parameter of the query that may be there several times."""
        return self.query.getlist(name)

    def integer(self, name: str) -> int:
        """Return a parameter that is a whole number of at least 0.

        Raises:
            RequestError: it is missing, or no such number.
        """
        value = self.text(name)
        # more digits than a size or an offset can have
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise bad_request(f"the parameter {name} must be a whole number")
        return int(value)

    def json(self) -> Any:
        """Return the body as JSON, as strict as the standard: no NaN, no half characters.

        Raises:
            RequestError: it is not JSON.
        """
        content = self._parse(refuse_number)
        if has_surrogates(content):
            raise bad_request("the body has half of a character")
        return content

    def lenient_json(self) -> Any:
        """Return the body as JSON whose parts are checked one by one.

        It may hold numbers that are not finite, and texts that are not Unicode.

        Raises:
            RequestError: it is not JSON.
        """
        return self._parse(float)

    def _parse(self, odd_number: Callable[[str], float]) -> Any:
        def whole(text: str) -> float:
            return int(text) if len(text) <= LONGEST_WHOLE_NUMBER else odd_number("inf")

        def broken(text: str) -> float:
            number = float(text)
            return odd_number(text) if number in (float("inf"), -float("inf")) else number

        try:
            return json.loads(
                self.body.read().decode(),
                parse_constant=odd_number,
                parse_float=broken,
                parse_int=whole,
            )
        except (ValueError, RecursionError):
            raise bad_request("the body is not JSON") from None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            RequestError: it is not one.
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
    """Bytes in all, where known."""


def member(content: dict[str, Any], name: str, kind: type) -> Any:
    """Return a member of a JSON object, None where it is missing.

    Raises:
        RequestError: it is of another type.
    """
    value = content.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and value is True)):
        raise bad_request(f"{name} must be of type {kind.__name__}")
    return value


def refuse_number(text: str) -> float:
    """Refuse a number that is not finite.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{text}: not a finite number")


SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogates(content: Any) -> bool:
    """Tell whether JSON holds a text, as key or value, that is not valid Unicode."""
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
