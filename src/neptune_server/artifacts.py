"""Tracked files: the client's list of names and hashes, kept under one common hash."""

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
"""Of numbers within a hash, the highest byte first."""


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
    ordered = [files[path] for path in sorted(files)]
    version = common_hash(ordered)
    sizes = [file["size"] for file in ordered if file["size"] is not None]
    create(change, project, version, sum(sizes) if len(sizes) == len(files) else None)
    return write_files(change, project, version, {"files": ordered})


def common_hash(files: list[dict[str, Any]]) -> str:
    """Return the hash that the client computes of these files, which lie in order of their paths.

    Source: neptune 1.14, `FileHasher.get_artifact_hash_without_metadata`
    (neptune/internal/artifacts), which it uses where the artifacts' `apiVersion` is 2.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"#" + with_length(file["filePath"]) + b"#" + file["fileHash"].encode())
        size = b"" if file["size"] is None else file["size"].to_bytes(SIZE_BYTES)
        digest.update(b"#" + size + b"#" + with_length(file["type"]))
    return digest.hexdigest()


def with_length(text: str) -> bytes:
    """Return a text with the number of its letters in front, as the client hashes it."""
    return len(text).to_bytes(LENGTH_BYTES) + text.encode()


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
    return [check_file(file) for file in files]


def check_file(given: Any) -> dict[str, Any]:
    """Return what is said of a file, and nothing else.

    Raises:
        RequestError: it is not formed so.
    """
    if not isinstance(given, dict) or not isinstance(given.get("filePath"), str):
        raise bad_request("a file is an object with a filePath")
    size = member(given, "size", int)
    if size is not None and not 0 <= size <= MOST_INTEGER:
        raise bad_request(f"{shown(size)}: not a file's size")
    metadata = member(given, "metadata", list) or []
    for item in metadata:
        if not isinstance(item, dict) or not all(
            isinstance(item.get(name), str) for name in ("key", "value")
        ):
            raise bad_request("metadata are objects with a key and a value, both texts")
    return {
        "filePath": given["filePath"],
        "fileHash": member(given, "fileHash", str) or "",
        "type": member(given, "type", str) or "",
        "size": size,
        "metadata": [{"key": item["key"], "value": item["value"]} for item in metadata],
    }
