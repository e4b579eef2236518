"""Fields of runs and models in the client's format: simple values, series, files, sets."""

import datetime
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neptune_server.checks import TIMES
from neptune_server.store import now

FIRST_MOMENT = datetime.datetime(1970, 1, 1)
"""In UTC, like all times here; times without a time zone are written twice as fast."""

SIMPLE_TYPES = ("float", "int", "bool", "string", "datetime", "experimentState")
SERIES_TYPES = ("floatSeries", "stringSeries", "imageSeries")

SYSTEM_FIELDS = {
    "sys/creation_time": "datetime",
    "sys/id": "string",
    "sys/modification_time": "datetime",
    "sys/monitoring_time": "int",
    "sys/ping_time": "datetime",
    "sys/running_time": "float",
    "sys/size": "float",
    "sys/state": "experimentState",
    "sys/trashed": "bool",
    "sys/visibility": "string",
}
"""Fields that only the server itself writes, with their types."""

VISIBILITY = "priv"
"""Neptune's visibility of every project: there is one token, and so no other user."""

ACTIVE_MILLISECONDS = 30_000
"""Milliseconds after which a silent client counts as gone: a live one pings every ten seconds,
and clients do not sign off."""

FIELDS_QUERY = """
SELECT id, container, name, type, value,
    CASE WHEN type LIKE '%Series' THEN
        (SELECT value FROM point WHERE attribute = id ORDER BY step DESC LIMIT 1) END AS last,
    CASE WHEN type LIKE '%Series' THEN
        (SELECT max(step) FROM point WHERE attribute = id) END AS last_step,
    CASE WHEN type IN ('file', 'fileSet') THEN
        (SELECT coalesce(sum(size), 0) FROM file WHERE attribute = id) END AS size
FROM attribute WHERE container IN (SELECT value FROM json_each(?))
"""


SIZES_QUERY = """
SELECT container, total(size) FROM file JOIN attribute ON attribute = id
WHERE container IN (SELECT value FROM json_each(?)) GROUP BY container
"""


@dataclass(frozen=True)
class Field:
    """A field's name, type and what the client calls properties."""

    name: str
    type: str
    properties: dict[str, Any]

    @property
    def value(self) -> Any:
        """The value for searching and sorting; None if the field has none."""
        key = {"stringSet": "values", "artifact": "hash"}.get(self.type)
        if key is None:
            key = "last" if self.type in SERIES_TYPES else "value"
        return self.properties.get(key)

    def as_entry(self) -> dict[str, Any]:
        """Return the field in the format of a list of fields."""
        properties = {
            "attributeName": self.name,
            "attributeType": self.type,
            **{key: value for key, value in self.properties.items() if value is not None},
        }
        return {"name": self.name, "type": self.type, f"{self.type}Properties": properties}


def read_fields(
    connection: sqlite3.Connection, container: sqlite3.Row, names: list[str] | None = None
) -> dict[str, Field]:
    """Return a container's fields by name, all or those named, sorted by name.

    Args:
        connection: the database.
        container: a row of `container`.
        names: fields to read; None for all.
    """
    return read_many(connection, [container], names)[container["id"]]


def read_many(
    connection: sqlite3.Connection, containers: list[sqlite3.Row], names: list[str] | None = None
) -> dict[str, dict[str, Field]]:
    """Return the fields of several containers, as `read_fields` does, by the containers' IDs."""
    ids = json.dumps([container["id"] for container in containers])
    query, values = FIELDS_QUERY, [ids]
    if names is not None:
        query += " AND name IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(names))
    found: dict[str, dict[str, Field]] = {container["id"]: {} for container in containers}
    for row in connection.execute(query, values):
        found[row["container"]][row["name"]] = as_field_or_none(row)
    sizes: dict[str, float] = {}
    if names is None or "sys/size" in names:
        sizes = dict(connection.execute(SIZES_QUERY, (ids,)).fetchall())
    # with thousands of containers, computing unwanted values would take long
    wanted = [name for name in SYSTEM_VALUES if names is None or name in names]
    for container in containers:
        fields = found[container["id"]]
        size = sizes.get(container["id"], 0.0)
        for name in wanted:
            value = SYSTEM_VALUES[name](container, size)
            if value is not None:
                fields[name] = Field(name, SYSTEM_FIELDS[name], {"value": value})
    return {container: dict(sorted(fields.items())) for container, fields in found.items()}


def as_field_or_none(row: sqlite3.Row) -> Field:
    """Return a stored field; an invalid one gets no value, so that the others can be read."""
    try:
        return as_field(row)
    except (ValueError, TypeError, OverflowError):
        return Field(row["name"], row["type"], {})


def as_field(row: sqlite3.Row) -> Field:
    """Return a stored field in the client's format."""
    name, kind, value = row["name"], row["type"], row["value"]
    properties: dict[str, Any]
    if kind == "bool":
        properties = {"value": bool(value)}
    elif kind == "datetime":
        properties = {"value": as_date(value)}
    elif kind in SIMPLE_TYPES:
        properties = {"value": value}
    elif kind == "stringSet":
        properties = {"values": json.loads(value)}
    elif kind in ("floatSeries", "stringSeries"):
        properties = {"last": row["last"], "lastStep": row["last_step"]}
    elif kind == "imageSeries":
        properties = {"lastStep": row["last_step"]}
    elif kind == "file":
        properties = {"name": file_name(name, value), "ext": value, "size": row["size"]}
    elif kind == "fileSet":
        properties = {"size": row["size"]}
    elif kind == "artifact":
        properties = {"hash": value}
    else:
        # a reference to a git commit
        properties = json.loads(value)
    return Field(name, kind, properties)


def alive_milliseconds(container: sqlite3.Row) -> int:
    """Return the time from a container's creation to its clients' last ping."""
    # the clock may have been set back since
    return max(int(container["pinged"]) - int(container["created"]), 0)


def state(container: sqlite3.Row) -> str:
    """Return whether a container is running, judged by its clients' last ping."""
    idle = abs(now() - container["pinged"]) > ACTIVE_MILLISECONDS
    return "idle" if idle else "running"


def as_date(milliseconds: int) -> str:
    """Return a time in the client's format: ISO 8601 with milliseconds, UTC."""
    milliseconds = min(max(milliseconds, TIMES.start), TIMES.stop - 1)
    moment = FIRST_MOMENT + datetime.timedelta(milliseconds=milliseconds)
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def file_name(field: str, extension: str) -> str:
    """Return the name of a field's file for a download; it is safe in any folder."""
    last = field.rpartition("/")[2]
    name = f"{last}.{extension}" if extension else last
    safe = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "._- ") else "_" for sign in name
    )
    return safe.lstrip(". ")[-200:] or "file"


def is_project(container: sqlite3.Row) -> bool:
    """Return whether a container is a project."""
    return bool(container["type"] == "project")


SYSTEM_VALUES: dict[str, Callable[[sqlite3.Row, float], Any]] = {
    "sys/creation_time": lambda row, _: as_date(row["created"]),
    "sys/id": lambda row, _: row["short_id"],
    "sys/modification_time": lambda row, _: as_date(max(row["modified"], row["created"])),
    "sys/monitoring_time": lambda row, _: round(alive_milliseconds(row) / 1000),
    "sys/ping_time": lambda row, _: as_date(row["pinged"]),
    "sys/running_time": lambda row, _: alive_milliseconds(row) / 1000,
    "sys/size": lambda _, size: size,
    "sys/state": lambda row, _: state(row),
    "sys/trashed": lambda row, _: None if is_project(row) else bool(row["trashed"]),
    "sys/visibility": lambda row, _: VISIBILITY if is_project(row) else None,
}
"""Functions that compute them from a container's row and the size of its files in bytes; None if
the container has no such field."""
