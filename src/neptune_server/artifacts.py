"""Tracked files: the client's lists of names and hashes, each stored under one common hash."""

import hashlib
import json
import sqlite3
from typing import Any

from neptune_server.checks import MOST_INTEGER, shown
from neptune_server.errors import bad_request, not_found
from neptune_server.http_messages import member
from neptune_server.store import Change

SIZE_BYTES = 8
LENGTH_BYTES = 4
"""Lengths of numbers in the hashed data, in bytes; the highest byte comes first."""


def create(change: Change, project: sqlite3.Row, name: str, size: int | None) -> dict[str, Any]:
    """Record an artifact by its hash if it is new, and describe it."""
    change.connection.execute(
        "INSERT OR IGNORE INTO artifact (project, hash, size) VALUES (?, ?, ?)",
        (project["id"], name, size),
    )
    return describe(find(change.connection, project, name))


def write_files(
    change: Change, project: sqlite3.Row, name: str, listing: dict[str, Any]
) -> dict[str, Any]:
    """Store the list of an artifact's files and describe the artifact.

    Raises:
        RequestError: there is no such artifact, or the list is malformed.
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
    """Add files to an artifact, or replace them, and describe the resulting new artifact.

    Raises:
        RequestError: there is no such artifact, or the list is malformed.
    """
    old = read_files(change.connection, project, name)
    files = {file["filePath"]: file for file in [*old, *check_files(listing)]}
    ordered = [files[path] for path in sorted(files)]
    version = common_hash(ordered)
    sizes = [file["size"] for file in ordered if file["size"] is not None]
    create(change, project, version, sum(sizes) if len(sizes) == len(files) else None)
    return write_files(change, project, version, {"files": ordered})


def common_hash(files: list[dict[str, Any]]) -> str:
    """Return the client's hash of these files, which are sorted by path.

    Source: neptune 1.14, `FileHasher.get_artifact_hash_without_metadata`
    (neptune/internal/artifacts), which it uses if the artifacts' `apiVersion` is 2.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"#" + with_length(file["filePath"]) + b"#" + file["fileHash"].encode())
        size = b"" if file["size"] is None else file["size"].to_bytes(SIZE_BYTES)
        digest.update(b"#" + size + b"#" + with_length(file["type"]))
    return digest.hexdigest()


def with_length(text: str) -> bytes:
    """Return a text after its number of characters, as the client hashes it."""
    return len(text).to_bytes(LENGTH_BYTES) + text.encode()


def read_files(
    connection: sqlite3.Connection, project: sqlite3.Row, name: str
) -> list[dict[str, Any]]:
    """Return the list of an artifact's files; empty until it has been received.

    Raises:
        RequestError: there is no such artifact.
    """
    files: list[dict[str, Any]] = json.loads(find(connection, project, name)["files"] or "[]")
    return files


def find(connection: sqlite3.Connection, project: sqlite3.Row, name: str) -> sqlite3.Row:
    """Return an artifact's row.

    Raises:
        RequestError: there is no such artifact.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM artifact WHERE project = ? AND hash = ?", (project["id"], name)
    ).fetchone()
    if row is None:
        raise not_found(f"{name}: no such artifact")
    return row


def describe(row: sqlite3.Row) -> dict[str, Any]:
    """Return an artifact's description for the client."""
    return {
        "artifactHash": row["hash"],
        "size": row["size"],
        "receivedMetadata": row["files"] is not None,
    }


def check_files(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a list.

    Raises:
        RequestError: the list is malformed.
    """
    files = member(listing, "files", list)
    if files is None:
        raise bad_request("files must be a list")
    return [check_file(file) for file in files]


def check_file(given: Any) -> dict[str, Any]:
    """Return the known members of a file's description, without any others.

    Raises:
        RequestError: the description is malformed.
    """
    if not isinstance(given, dict) or not isinstance(given.get("filePath"), str):
        raise bad_request("a file must be an object with a filePath")
    size = member(given, "size", int)
    if size is not None and not 0 <= size <= MOST_INTEGER:
        raise bad_request(f"{shown(size)}: not a file's size")
    metadata = member(given, "metadata", list) or []
    for item in metadata:
        if not isinstance(item, dict) or not all(
            isinstance(item.get(name), str) for name in ("key", "value")
        ):
            raise bad_request("metadata must be objects with a key and a value, both texts")
    return {
        "filePath": given["filePath"],
        "fileHash": member(given, "fileHash", str) or "",
        "type": member(given, "type", str) or "",
        "size": size,
        "metadata": [{"key": item["key"], "value": item["value"]} for item in metadata],
    }
