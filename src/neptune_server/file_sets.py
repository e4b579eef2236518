"""Files and sets of files: storing, removing and listing them."""

import json
import sqlite3
from typing import IO, Any

from neptune_server.archives import small_files
from neptune_server.checks import FieldError, check_list, check_text
from neptune_server.containers import find_container, touch
from neptune_server.contents import Readable
from neptune_server.fields import as_date
from neptune_server.operations import Operation, find_field, open_field
from neptune_server.paths import check_path, paths_above, range_below
from neptune_server.store import Change, Store


def upload(
    store: Store,
    identifier: str,
    attribute: str,
    source: Readable,
    *,
    extension: str | None = None,
    path: str | None = None,
) -> None:
    """Store a whole file: a single one with its extension, or one of a set with its path.

    Raises:
        FieldError: the field or path is invalid.
        RequestError: there is no such container.
    """
    with store.read() as connection:
        find_container(connection, identifier)
    if path is not None:
        path = check_path(path)
    content, size = store.contents.receive(source)
    with store.change(content) as change:
        place(change, identifier, attribute, content, size, extension, path)


def place(
    change: Change,
    identifier: str,
    attribute: str,
    content: str,
    size: int,
    extension: str | None,
    path: str | None,
) -> None:
    """Put a content into a field, replacing an earlier one."""
    container = find_container(change.connection, identifier)
    field = open_field(change, container, attribute, "file" if path is None else "fileSet")
    if path is None:
        change.connection.execute(
            "UPDATE attribute SET value = ? WHERE id = ?", (extension or "", field)
        )
    else:
        refuse_nesting(change.connection, field, path)
    change.discard("SELECT content FROM file WHERE attribute = ? AND path = ?", field, path or "")
    change.connection.execute(
        "INSERT OR REPLACE INTO file (attribute, path, content, size, modified) "
        "VALUES (?, ?, ?, ?, ?)",
        (field, path or "", content, size, change.time),
    )
    touch(change, container["id"])


def refuse_nesting(connection: sqlite3.Connection, field: int, path: str) -> None:
    """Check that a path does not make a file a folder too.

    Raises:
        FieldError: the path does.
    """
    blocking = connection.execute(
        "SELECT path FROM file WHERE attribute = ? "
        "AND (path IN (SELECT value FROM json_each(?)) OR (path > ? AND path < ?)) LIMIT 1",
        (field, json.dumps(paths_above(path)), *range_below(path)),
    ).fetchone()
    if blocking is not None:
        raise FieldError(f"{path}: {blocking['path']} is a file; a file cannot contain another")


def unpack(
    store: Store, identifier: str, attribute: str, source: IO[bytes], *, reset: bool
) -> None:
    """Add the files of a compressed tar archive to a set; with `reset`, they replace the set.

    Raises:
        FieldError: the field or a path is invalid.
        RequestError: the data are not such an archive, or there is no such container.
    """
    with store.read() as connection:
        find_container(connection, identifier)
    # write the contents before the transaction, so that a slow disk does not block other changes
    written: list[str] = []
    places = []
    try:
        for path, file in small_files(source):
            content, size = store.contents.receive(file)
            written.append(content)
            places.append((path, size, content))
        with store.change() as change:
            container = find_container(change.connection, identifier)
            field = open_field(change, container, attribute, "fileSet")
            if reset:
                change.discard("DELETE FROM file WHERE attribute = ? RETURNING content", field)
            for path, size, content in places:
                place(change, identifier, attribute, content, size, None, path)
        written.clear()
    finally:
        for content in written:
            store.contents.remove(content)


def delete_files(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Remove files and folders from a set; missing ones are not an error."""
    field = open_field(change, container, path, "fileSet")
    for name in check_list(path, given, "filePaths"):
        within = check_text(path, name)
        change.discard(
            "DELETE FROM file WHERE attribute = ? AND (path = ? OR (path > ? AND path < ?)) "
            "RETURNING content",
            field,
            within,
            *range_below(within),
        )


FILE_OPERATIONS: dict[str, Operation] = {"deleteFiles": delete_files}


def read_files(
    connection: sqlite3.Connection, container: sqlite3.Row, attribute: str, kind: str
) -> list[sqlite3.Row] | None:
    """Return the rows of a field's files, sorted by path; None if there is no such field."""
    field = find_field(connection, container, attribute)
    if field is None or field["type"] != kind:
        return None
    return connection.execute(
        "SELECT * FROM file WHERE attribute = ? ORDER BY path", (field["id"],)
    ).fetchall()


def list_folder(files: list[sqlite3.Row], folder: str) -> list[dict[str, Any]]:
    """Return the files and folders directly within a folder of a set."""
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    entries: dict[str, dict[str, Any]] = {}
    for file in files:
        if not file["path"].startswith(prefix):
            continue
        name, _, below = file["path"].removeprefix(prefix).partition("/")
        entry = entries.setdefault(name, {"name": name, "size": 0})
        entry["size"] += file["size"]
        entry["mtime"] = as_date(file["modified"])
        entry["fileType"] = "directory" if below else "file"
    return list(entries.values())
