"""What goes wrong at start, and what a request is refused for."""

import errno
import sqlite3
from http import HTTPStatus

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a file cannot grow: no room, no quota, a limit on its size."""


class StartError(Exception):
    """The server cannot start; the text says where, what and what to do."""


class RequestError(Exception):
    """A request is refused.

    Attributes:
        status: HTTP's status.
        title: one line for whoever reads the client's output.
        error_type: a word that the client acts on, as in `EXPERIMENT_NOT_FOUND`.
    """

    def __init__(self, status: HTTPStatus, title: str, error_type: str | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.error_type = error_type


def bad_request(title: str) -> RequestError:
    """Return the refusal of a request that makes no sense."""
    return RequestError(HTTPStatus.BAD_REQUEST, title)


def not_found(title: str) -> RequestError:
    """Return the refusal of a request for something that is not there."""
    return RequestError(HTTPStatus.NOT_FOUND, title)


def request_timeout() -> RequestError:
    """Return the refusal of a request that does not come to its end."""
    return RequestError(HTTPStatus.REQUEST_TIMEOUT, "the request stands still")


def too_large(limit: int) -> RequestError:
    """Return the refusal of a body that is too long."""
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit:,} bytes"
    )


def is_disk_full(error: OSError | sqlite3.Error) -> bool:
    """Tell whether a failure means that the disk has no room left."""
    if isinstance(error, OSError):
        return error.errno in DISK_FULL
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
