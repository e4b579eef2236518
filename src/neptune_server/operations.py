"""Changes of fields, which a client sends in batches."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from neptune_server.checks import (
    FieldError,
    PartlyDoneError,
    check_integer,
    check_list,
    check_number,
    check_text,
    check_time,
    shown,
)
from neptune_server.containers import STAGES
from neptune_server.errors import RequestError, bad_request
from neptune_server.fields import SYSTEM_FIELDS
from neptune_server.paths import paths_above, range_below
from neptune_server.store import Change

LONGEST_NAME = 1024
"""Largest number of characters in a field's name."""

READ_ONLY = (*SYSTEM_FIELDS, "sys/custom_run_id", "sys/model_id", "sys/owner")

TAGS = ("sys/tags", "sys/group_tags")
"""The only fields that may be sets of texts."""

Operation = Callable[[Change, sqlite3.Row, str, dict[str, Any]], None]
"""Changes a container's field at a path, according to the last argument; raises `FieldError`."""


def execute(
    change: Change,
    container: sqlite3.Row,
    operations: list[Any],
    known: dict[str, Operation],
) -> list[dict[str, str]]:
    """Apply operations in order; return the errors of those that failed, for the client.

    Each operation is applied as a whole or not at all; only points of a series are independent.

    Raises:
        RequestError: all of them are malformed.
    """
    failures, malformed = [], 0
    for operation in operations:
        try:
            path, name, given = read_operation(operation)
        except FieldError as error:
            malformed += 1
            failures.append(str(error))
            continue
        try:
            if name not in known:
                raise FieldError(f"{path}: this server has no operation {shown(name)}")
            with change.part(keep=PartlyDoneError):
                known[name](change, container, path, given)
        except (FieldError, RequestError) as error:
            failures.append(str(error))
        except (OverflowError, UnicodeEncodeError, sqlite3.DataError):
            failures.append(f"{shown(path)}: too large, or of a type that cannot be stored")
    if malformed and malformed == len(operations):
        raise bad_request(failures[0])
    return [{"errorDescription": failure} for failure in failures]


def read_operation(operation: Any) -> tuple[str, str, dict[str, Any]]:
    """Return an operation's path, name and argument.

    Raises:
        FieldError: the operation is malformed.
    """
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise FieldError("an operation must be an object with a path")
    path = operation["path"]
    names = [name for name, value in operation.items() if name != "path" and value is not None]
    if len(names) != 1 or not isinstance(operation[names[0]], dict):
        raise FieldError(f"{shown(path)}: an operation must name exactly one action")
    return path, names[0], operation[names[0]]


def open_field(change: Change, container: sqlite3.Row, name: str, kind: str) -> int:
    """Return a field's row number; create the field if it does not exist.

    Raises:
        FieldError: the name is invalid, or the field is of another type.
    """
    row = change.connection.execute(
        "SELECT id, type FROM attribute WHERE container = ? AND name = ?",
        (container["id"], check_text(name, name)),
    ).fetchone()
    if name in READ_ONLY:
        raise FieldError(f"{name}: is read-only")
    if row is not None and row["type"] != kind:
        raise FieldError(f"{name}: is of type {row['type']}, not {kind}; delete it first")
    if row is not None:
        return int(row["id"])
    check_name(change.connection, container["id"], name)
    (field,) = change.connection.execute(
        "INSERT INTO attribute (container, name, type) VALUES (?, ?, ?) RETURNING id",
        (container["id"], name, kind),
    ).fetchone()
    return int(field)


def check_name(connection: sqlite3.Connection, container: str, name: str) -> None:
    """Check that the client can read a field with this name back.

    Raises:
        FieldError: the client cannot.
    """
    if "" in name.split("/") or len(name) > LONGEST_NAME or not name.isprintable():
        raise FieldError(
            f"{shown(name)}: a field's name has up to {LONGEST_NAME} printable characters, "
            "and no empty part between slashes"
        )
    blocking = connection.execute(
        "SELECT name FROM attribute WHERE container = ? "
        "AND (name IN (SELECT value FROM json_each(?)) OR (name > ? AND name < ?)) LIMIT 1",
        (container, json.dumps(paths_above(name)), *range_below(name)),
    ).fetchone()
    if blocking is not None:
        raise FieldError(
            f"{name}: the field {blocking['name']} exists; "
            "a name cannot be both a field and a folder of fields"
        )


def find_field(
    connection: sqlite3.Connection, container: sqlite3.Row, name: str
) -> sqlite3.Row | None:
    """Return a field's row; None if there is no such field."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM attribute WHERE container = ? AND name = ?", (container["id"], name)
    ).fetchone()
    return row


def set_value(change: Change, container: sqlite3.Row, name: str, kind: str, value: object) -> None:
    """Write a simple field."""
    field = open_field(change, container, name, kind)
    change.connection.execute("UPDATE attribute SET value = ? WHERE id = ?", (value, field))


def assign_float(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Set a float field."""
    set_value(change, container, path, "float", check_number(path, given.get("value")))


def assign_int(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Set an integer field."""
    set_value(change, container, path, "int", check_integer(path, given.get("value")))


def assign_bool(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Set a boolean field."""
    value = given.get("value")
    if not isinstance(value, bool):
        raise FieldError(f"{path}: {shown(value)} is neither true nor false")
    set_value(change, container, path, "bool", value)


def assign_string(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Set a text field."""
    value = check_text(path, given.get("value"))
    if path == "sys/stage" and value not in STAGES:
        raise FieldError(f"{path}: {shown(value)} is not one of {', '.join(STAGES)}")
    set_value(change, container, path, "string", value)


def assign_datetime(
    change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]
) -> None:
    """Set a time field."""
    value = check_time(path, given.get("valueMilliseconds"))
    set_value(change, container, path, "datetime", value)


def assign_artifact(
    change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]
) -> None:
    """Set a field that names tracked files by their common hash."""
    set_value(change, container, path, "artifact", check_text(path, given.get("hash")))


def insert_strings(
    change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]
) -> None:
    """Add texts to a set."""
    added = {check_text(path, value) for value in check_list(path, given, "values")}
    write_set(change, container, path, read_set(change, container, path) | added)


def remove_strings(
    change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]
) -> None:
    """Remove texts from a set."""
    removed = {check_text(path, value) for value in check_list(path, given, "values")}
    write_set(change, container, path, read_set(change, container, path) - removed)


def clear_string_set(change: Change, container: sqlite3.Row, path: str, _: dict[str, Any]) -> None:
    """Empty a set."""
    write_set(change, container, path, set())


def refuse_other_sets(path: str) -> None:
    """Check that a set of texts is a set of tags, as the hosted service did.

    Raises:
        FieldError: it is another set.
    """
    if path not in TAGS:
        raise FieldError(f"{path}: only {' and '.join(TAGS)} can be sets of texts")


def read_set(change: Change, container: sqlite3.Row, path: str) -> set[str]:
    """Return a set's texts; empty for a field of another type, which `write_set` refuses."""
    row = find_field(change.connection, container, path)
    return set(json.loads(row["value"])) if row and row["type"] == "stringSet" else set()


def write_set(change: Change, container: sqlite3.Row, path: str, values: set[str]) -> None:
    """Replace a set's texts."""
    refuse_other_sets(path)
    set_value(change, container, path, "stringSet", json.dumps(sorted(values)))


def delete_attribute(change: Change, container: sqlite3.Row, path: str, _: dict[str, Any]) -> None:
    """Remove a field with all its data; a missing field is not an error."""
    if path in READ_ONLY:
        raise FieldError(f"{path}: cannot be deleted")
    row = find_field(change.connection, container, check_text(path, path))
    if row is not None:
        change.discard("SELECT content FROM file WHERE attribute = ?", row["id"])
        change.discard("SELECT content FROM point WHERE attribute = ?", row["id"])
        change.connection.execute("DELETE FROM attribute WHERE id = ?", (row["id"],))


SIMPLE_OPERATIONS: dict[str, Operation] = {
    "assignFloat": assign_float,
    "assignInt": assign_int,
    "assignBool": assign_bool,
    "assignString": assign_string,
    "assignDatetime": assign_datetime,
    "assignArtifact": assign_artifact,
    "insertStrings": insert_strings,
    "removeStrings": remove_strings,
    "clearStringSet": clear_string_set,
    "deleteAttribute": delete_attribute,
}
