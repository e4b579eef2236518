"""Tracked files: the client's list of names and hashes, kept under one common hash."""

import hashlib
import json
import sqlite3
from typing import Any

from neptune_server.errors import bad_request, not_found
from neptune_server.http_messages import member
from neptune_server.store import Change


def create(change: Change, project: sqlite3.Row, name: str, size: int | None) -> dict[str, Any]:
    """Note an artifact by its hash, if it is new, and describe it."""
    change.connection.execute(
        "INSERT OR IGNORE INTO artifact (project, hash, size) VALUES (?, ?, ?)",
        (project["id"], name, size),
    )
    return describe(find(change.connection, project, name))


def write_files(
    change: Change, project: sqlite3.Row, name: str, listing: dict[str, Any]
) -> dict[str, Any]:
    """Keep the list of an artifact's files and describe the artifact.

    Raises:
        RequestError: there is no such artifact, or the list is not one.
    """
    find(change.connection, project, name)
    files = check_files(listing)
    change.connection.execute(
        "UPDATE artifact SET files = ? WHERE project = ? AND hash = ?",
        (json.dumps(files), project["id"], name),
    )
    return describe(find(change.connection, project, name))


def create_version(
    change: Change, project: sqlite3.Row, name: str, listing: dict[str, Any]
) -> dict[str, Any]:
    """Describe the artifact that an older one becomes when these files are added or replaced.

    Raises:
        RequestError: there is no such artifact, or the list is not one.
    """
    old = read_files(change.connection, project, name)
    files = {file["filePath"]: file for file in [*old, *check_files(listing)]}
    content = json.dumps([files[path] for path in sorted(files)])
    # any hash will do that is the same for the same files
    version = hashlib.sha256(content.encode()).hexdigest()
    sizes = [file["size"] for file in files.values() if file.get("size") is not None]
    create(change, project, version, sum(sizes) if len(sizes) == len(files) else None)
    return write_files(change, project, version, {"files": json.loads(content)})


def read_files(
    connection: sqlite3.Connection, project: sqlite3.Row, name: str
) -> list[dict[str, Any]]:
    """Return the list of an artifact's files, empty before it has been received.

    Raises:
        RequestError: there is no such artifact.
    """
    files: list[dict[str, Any]] = json.loads(find(connection, project, name)["files"] or "[]")
    return files


def find(connection: sqlite3.Connection, project: sqlite3.Row, name: str) -> sqlite3.Row:
    """Return an artifact's row.

    Raises:
        RequestError: there is none.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM artifact WHERE project = ? AND hash = ?", (project["id"], name)
    ).fetchone()
    if row is None:
        raise not_found(f"{name}: no such artifact")
    return row


def describe(row: sqlite3.Row) -> dict[str, Any]:
    """Return what the client wants to know of an artifact."""
    return {
        "artifactHash": row["hash"],
        "size": row["size"],
        "receivedMetadata": row["files"] is not None,
    }


def check_files(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a list.

    Raises:
        RequestError: it is not a list of files.
    """
    files = member(listing, "files", list)
    if files is None:
        raise bad_request("files must be a list")
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("filePath"), str):
            raise bad_request("a file is an object with a filePath")
        member(file, "size", int)
    return list(files)
