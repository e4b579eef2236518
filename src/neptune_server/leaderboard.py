"""Tables of runs, models and model versions: searched, sorted and returned page by page."""

import json
import sqlite3
from typing import Any

from neptune_server.checks import shown
from neptune_server.errors import bad_request
from neptune_server.fields import SYSTEM_FIELDS, Field, read_many
from neptune_server.http_messages import member
from neptune_server.query import parse

LONGEST_PAGE = 10_000
DIRECTIONS = ("ascending", "descending")
ALL_TYPES = ["run", "model", "modelVersion"]


def search_entries(
    connection: sqlite3.Connection, project: sqlite3.Row, types: list[str], wanted: dict[str, Any]
) -> dict[str, Any]:
    """Return a page of the containers that match a query, and the number of all matches.

    Raises:
        RequestError: the query, the order or the page is malformed.
    """
    query = parse(member(member(wanted, "query", dict) or {}, "query", str) or "")
    sort_name, descending = read_order(member(wanted, "sorting", dict) or {})
    page = member(wanted, "pagination", dict) or {}
    limit, offset = (check_size(page, name) for name in ("limit", "offset"))
    filters = member(wanted, "attributeFilters", list)
    columns = None if filters is None else [column_name(item) for item in filters]
    rows = containers(connection, project, types)
    fields = read_many(connection, rows, sorted(query.names | {sort_name}))
    found = [(row, fields[row["id"]]) for row in rows if query.condition(fields[row["id"]])]
    query.refuse_misfits()
    found = in_order(found, sort_name, descending=descending)
    shown_rows = [row for row, _ in found[offset : offset + limit]]
    shown_fields = read_many(connection, shown_rows, columns)
    return {
        "matchingItemCount": len(found),
        "entries": [
            {
                "experimentId": row["id"],
                "attributes": [field.as_entry() for field in shown_fields[row["id"]].values()],
            }
            for row in shown_rows
        ],
    }


def read_order(sorting: dict[str, Any]) -> tuple[str, bool]:
    """Return the field that a table is sorted by, and whether its highest value comes first.

    Raises:
        RequestError: the order is malformed.
    """
    name = member(member(sorting, "sortBy", dict) or {}, "name", str) or "sys/creation_time"
    direction = member(sorting, "dir", str) or "descending"
    if direction not in DIRECTIONS:
        raise bad_request(f"{shown(direction)}: must be {' or '.join(DIRECTIONS)}")
    return name, direction == "descending"


def containers(
    connection: sqlite3.Connection, project: sqlite3.Row, types: list[str]
) -> list[sqlite3.Row]:
    """Return a project's containers of these types; of all types if none is given."""
    chosen = types or ALL_TYPES
    return connection.execute(
        "SELECT * FROM container WHERE project = ? AND type IN (SELECT value FROM json_each(?)) "
        "ORDER BY rowid",
        (project["id"], json.dumps(chosen)),
    ).fetchall()


def in_order(
    found: list[tuple[sqlite3.Row, dict[str, Field]]], name: str, *, descending: bool
) -> list[tuple[sqlite3.Row, dict[str, Field]]]:
    """Sort by a field; containers without it come last, equal ones in the order of creation."""

    def value(item: tuple[sqlite3.Row, dict[str, Field]]) -> Any:
        field = item[1].get(name)
        return None if field is None or isinstance(field.value, list) else field.value

    known = [item for item in found if value(item) is not None]
    unknown = [item for item in found if value(item) is None]
    # a field may be a number in one container and a text in another
    known.sort(key=lambda item: sort_key(value(item)), reverse=descending)
    return known + unknown


def sort_key(value: Any) -> tuple[bool, float, str]:
    """Return a key that sorts numbers by value, and texts after them in alphabetical order."""
    if isinstance(value, str):
        return True, 0.0, value
    return False, float(value), ""


def check_size(page: dict[str, Any], name: str) -> int:
    """Return a page's limit or offset.

    Raises:
        RequestError: it is not a whole number within the range.
    """
    value = member(page, name, int) or 0
    if value < 0 or (name == "limit" and value > LONGEST_PAGE):
        raise bad_request(f"{name}: {value} is out of range")
    return int(value)


def column_name(item: Any) -> str:
    """Return the field that a filter names.

    Raises:
        RequestError: the filter names no field.
    """
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise bad_request(f"{shown(item)}: a filter must be an object with a path")
    return str(item["path"])


def search_names(
    connection: sqlite3.Connection, project: sqlite3.Row, types: list[str], part: str
) -> list[dict[str, str]]:
    """Return the field with exactly this name, or else all whose names contain it, with types.

    The client asks before it sorts. If it got similar names too, it would sort numbers as texts.
    """
    chosen = types or ALL_TYPES
    rows = connection.execute(
        "SELECT DISTINCT attribute.name, attribute.type FROM attribute "
        "JOIN container ON container.id = container "
        "WHERE project = ? AND container.type IN (SELECT value FROM json_each(?)) "
        "AND instr(attribute.name, ?) ORDER BY 1, 2",
        (project["id"], json.dumps(chosen), part),
    )
    found = [(row["name"], row["type"]) for row in rows]
    found += [(name, kind) for name, kind in SYSTEM_FIELDS.items() if part in name]
    exact = [(name, kind) for name, kind in found if name == part]
    return [{"name": name, "type": kind} for name, kind in exact or sorted(found)]
