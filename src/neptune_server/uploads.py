"""Uploads of large files in parts."""

import re
import sqlite3
import uuid

from neptune_server.checks import FieldError
from neptune_server.containers import find_container
from neptune_server.contents import copy
from neptune_server.errors import bad_request, not_found
from neptune_server.file_sets import place
from neptune_server.http_messages import Body
from neptune_server.paths import check_path
from neptune_server.store import Store

SMALLEST_PART = 5 * 1024 * 1024
LARGEST_PART = 64 * 1024 * 1024
MOST_PARTS = 1000
LARGEST_FILE = MOST_PARTS * LARGEST_PART
"""Bytes; the client gets the three limits above and keeps to them."""

RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})/(\d{1,18})")


def start(
    store: Store, container: str, attribute: str, extension: str | None, path: str | None, size: int
) -> str:
    """Return the ID of a new upload.

    Raises:
        FieldError: the path is invalid or the file too large.
        RequestError: there is no such container.
    """
    if path is not None:
        path = check_path(path)
    if size > LARGEST_FILE:
        raise FieldError(f"{attribute}: {size:,} bytes; a file may have {LARGEST_FILE:,} at most")
    identifier = uuid.uuid4().hex
    content, file = store.contents.create()
    store.contents.keep(file)
    with store.change(content) as change:
        row = find_container(change.connection, container)
        change.connection.execute(
            "INSERT INTO upload (id, container, attribute, extension, path, content, size, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (identifier, row["id"], attribute, extension, path, content, size, change.time),
        )
    return identifier


def receive_part(store: Store, identifier: str, content_range: str, body: Body) -> None:
    """Write one part at its offset.

    Raises:
        RequestError: there is no such upload, or the part does not fit it.
    """
    with store.read() as connection:
        row = find_upload(connection, identifier)
    numbers = RANGE.fullmatch(content_range)
    if numbers is None:
        raise bad_request("X-Range must be bytes=first-last/total")
    first, last, total = map(int, numbers.groups())
    length = last - first + 1
    if total != row["size"] or not 0 < length <= total - first or row["finished"]:
        raise bad_request(f"{content_range}: not a part of an upload of {row['size']} bytes")
    if body.size != length:
        # exactly this text makes the client start again, since the file has changed on its side
        raise bad_request("Length of stream does not match given range")
    with store.contents.update(row["content"]) as file:
        file.seek(first)
        copy(body, file)
        store.contents.keep(file)
    with store.change() as change:
        change.connection.execute(
            "INSERT OR REPLACE INTO upload_part (upload, first, size) VALUES (?, ?, ?)",
            (identifier, first, length),
        )


def finish(store: Store, identifier: str) -> None:
    """Put a complete upload into its field; a repeated call changes nothing.

    Raises:
        FieldError: the field is invalid.
        RequestError: there is no such upload, or parts of it are missing.
    """
    with store.change() as change:
        row = find_upload(change.connection, identifier)
        if row["finished"]:
            return
        reached = 0
        for part in change.connection.execute(
            "SELECT first, size FROM upload_part WHERE upload = ? ORDER BY first", (identifier,)
        ):
            if part["first"] <= reached:
                reached = max(reached, part["first"] + part["size"])
        if reached != row["size"]:
            raise bad_request(f"the part from byte {reached} on is missing")
        place(
            change,
            row["container"],
            row["attribute"],
            row["content"],
            row["size"],
            row["extension"],
            row["path"],
        )
        change.connection.execute("UPDATE upload SET finished = 1 WHERE id = ?", (identifier,))


def find_upload(connection: sqlite3.Connection, identifier: str) -> sqlite3.Row:
    """Return an upload's row.

    Raises:
        RequestError: there is no such upload.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM upload WHERE id = ?", (identifier,)
    ).fetchone()
    if row is None:
        raise not_found(f"{identifier}: no such upload")
    return row
