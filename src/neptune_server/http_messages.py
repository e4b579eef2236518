"""What a handler is given of a request, and what it may answer besides JSON."""

import email.message
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from neptune_server.errors import RequestError, bad_request


class Body:
    """The bytes that follow a request's headers."""

    def __init__(self, stream: io.BufferedIOBase, length: int) -> None:
        self._stream = stream
        self.left = length

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            ConnectionError: the client went away before the end.
        """
        data = self._stream.read(min(size, self.left))
        if not data and self.left:
            raise ConnectionError("the client went away in mid-request")
        self.left -= len(data)
        return data


@dataclass(frozen=True)
class Request:
    """One request: query, headers and body."""

    query: dict[str, list[str]]
    headers: email.message.Message
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
        values = self.query.get(name)
        return values[-1] if values else None

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
        """Return the body as JSON.

        Raises:
            RequestError: it is not JSON.
        """
        data = self.body.read(self.body.left)
        try:
            return json.loads(data)
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
    if value is not None and not isinstance(value, kind):
        raise bad_request(f"{name} must be of type {kind.__name__}")
    return value


def too_large(limit: int) -> RequestError:
    """Return the refusal of a body that is too long."""
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit:,} bytes"
    )
