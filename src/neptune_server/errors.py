"""Errors at the server's start, and refusals of requests."""

import errno
import sqlite3
from http import HTTPStatus

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's errors when a file cannot grow: no space, no quota, or a limit on its size."""


class StartError(Exception):
    """The server cannot start; the text names the place, the fault and the remedy."""


class RequestError(Exception):
    """A request is refused.

    Attributes:
        status: the HTTP status.
        title: one line of text, for the client's output.
        error_type: a code that the client acts on, such as `EXPERIMENT_NOT_FOUND`.
    """

    def __init__(self, status: HTTPStatus, title: str, error_type: str | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.error_type = error_type


def bad_request(title: str) -> RequestError:
    """Return the refusal of an invalid request."""
    return RequestError(HTTPStatus.BAD_REQUEST, title)


def not_found(title: str) -> RequestError:
    """Return the refusal of a request for something that does not exist."""
    return RequestError(HTTPStatus.NOT_FOUND, title)


def request_timeout() -> RequestError:
    """Return the refusal of a request that stops before its end."""
    return RequestError(HTTPStatus.REQUEST_TIMEOUT, "the request body stopped arriving in time")


def too_large(limit: int) -> RequestError:
    """Return the refusal of a body that is too large."""
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit:,} bytes"
    )


def is_disk_full(error: OSError | sqlite3.Error) -> bool:
    """Return whether a failure means that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in DISK_FULL
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
