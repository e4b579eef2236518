"""The page for browsers: its files, and the data that its script requests."""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neptune_server.containers import PROJECT_NAME, find_container
from neptune_server.errors import not_found
from neptune_server.fields import SERIES_TYPES, SIMPLE_TYPES, Field, read_fields, read_many
from neptune_server.http_messages import Request, Stream
from neptune_server.interface import Answer, Service
from neptune_server.operations import find_field

FOLDER = Path(__file__).parent / "page_files"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in (
            "charts",
            "curves",
            "dom",
            "fields",
            "page",
            "runs",
            "server",
            "state",
            "versions",
        )
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""The page's files by address, with their media types."""
VIEWS = ("/{workspace}/{project}", "/{workspace}/{project}/{rest:path}")
"""Addresses that the client prints for its runs and models; the page's script parses them."""
NOT_WORKSPACES = ("api", "auth", "page")

MOST_POINTS = 1000
"""Largest number of points sent of a curve: a chart has no more pixels."""

LONGEST_TEXT = 60
"""Characters of a text in the table of versions; longer texts are only in the list of fields."""

SUMMARY_FIELDS = [
    "sys/name",
    "sys/state",
    "sys/failed",
    "sys/tags",
    "run/state",
    "run/started",
    "run/ended",
    "run/seconds",
]
"""Fields listed for every container. Clients that push a run after its end, as a mirror does, set
the last four themselves: times in ISO 8601, and the total seconds that the run worked."""

STATES = ("running", "finished", "failed", "killed")
"""Values of `run/state` that the page knows."""

MOST_NAMES = 20_000
"""Largest number of fields offered as columns."""


def read_file(path: str, names: dict[str, Any]) -> Stream:
    """Return one of the page's files.

    Args:
        path: its address, one of `FILES` or `VIEWS`.
        names: the parameters of an address of `VIEWS`.

    Raises:
        RequestError: the address names no project.
    """
    if path not in FILES:
        parts = (names["workspace"], names["project"])
        if PROJECT_NAME.fullmatch("/".join(parts)) is None or parts[0] in NOT_WORKSPACES:
            raise not_found("no such page or operation")
    name, media_type = FILES.get(path, FILES["/"])
    data = (FOLDER / name).read_bytes()
    return Stream(iter([data]), media_type, length=len(data))


def get_change(service: Service, _: Request) -> Answer:
    """Return a number that increases with every change of the data."""
    return {"change": service.store.changes}


def get_summary(service: Service, _: Request) -> Answer:
    """Return all runs, and all models with their versions, newest first."""
    change = service.store.changes
    with service.store.read() as connection:
        rows = connection.execute(
            "SELECT container.*, workspace || '/' || name AS project_name FROM container "
            "JOIN project ON project.id = project WHERE type != 'project' AND NOT trashed "
            "ORDER BY container.rowid DESC"
        ).fetchall()
        fields = read_many(connection, rows, SUMMARY_FIELDS)
        versions = [row for row in rows if row["type"] == "modelVersion"]
        values = read_many(connection, versions)
    listed = {row["id"]: describe(row, fields[row["id"]]) for row in rows}
    models = [listed[row["id"]] | {"versions": []} for row in rows if row["type"] == "model"]
    by_id = {model["id"]: model for model in models}
    for row in versions:
        # the versions of a model in the trash are in no table
        if row["parent"] in by_id:
            version = listed[row["id"]] | describe_version(values[row["id"]])
            by_id[row["parent"]]["versions"].append(version)
    runs = [listed[row["id"]] for row in rows if row["type"] == "run"]
    return {"change": change, "runs": runs, "models": models}


def describe(row: sqlite3.Row, fields: dict[str, Field]) -> dict[str, Any]:
    """Return a container's entry in the page's lists, with the types that its script expects."""
    tags = value_of(fields, "sys/tags")
    started = milliseconds_of(fields, "run/started")
    ended = milliseconds_of(fields, "run/ended")
    # if a run was pushed after its end, the pings come from the pushing client, not from the run
    last_sign = max(row["pinged"], row["created"]) if started is None else None
    return {
        "id": row["id"],
        "shortId": row["short_id"],
        "project": row["project_name"],
        "name": str(value_of(fields, "sys/name") or ""),
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "state": state_of(fields),
        "started": row["created"] if started is None else started,
        "ended": last_sign if ended is None else ended,
        "worked": worked_milliseconds(fields),
    }


def value_of(fields: dict[str, Field], name: str) -> Any:
    """Return a field's value; None if there is no such field."""
    return fields[name].value if name in fields else None


def milliseconds_of(fields: dict[str, Field], name: str) -> int | None:
    """Return a field's time in milliseconds since 1970; None if it holds no time."""
    value = value_of(fields, name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def worked_milliseconds(fields: dict[str, Field]) -> int | None:
    """Return how long a run worked, as it has stated itself; None if it has not."""
    seconds = value_of(fields, "run/seconds")
    return round(seconds * 1000) if isinstance(seconds, int | float) else None


def state_of(fields: dict[str, Field]) -> str:
    """Return a run's state: as it has stated itself, or else by its client's last ping."""
    own, alive = value_of(fields, "run/state"), value_of(fields, "sys/state") == "running"
    if own == "running" and not alive:
        # the client that reported this has stopped pinging
        return "silent"
    if own in STATES:
        return str(own)
    if value_of(fields, "sys/failed") is True:
        return "failed"
    return "running" if alive else "ended"


def describe_version(fields: dict[str, Field]) -> dict[str, Any]:
    """Return a version's stage, and its numbers and short texts."""
    values = {
        name: field.value
        for name, field in fields.items()
        if not name.startswith("sys/")
        and field.type in SIMPLE_TYPES
        and len(str(field.value)) <= LONGEST_TEXT
    }
    return {"stage": str(value_of(fields, "sys/stage") or "none"), "values": values}


def get_names(service: Service, _: Request) -> Answer:
    """Return the names of the runs' fields that a column can show."""
    shown = json.dumps([*SIMPLE_TYPES, "stringSet", "floatSeries", "stringSeries", "artifact"])
    with service.store.read() as connection:
        names = connection.execute(
            "SELECT DISTINCT attribute.name FROM attribute JOIN container "
            "ON container.id = container WHERE container.type = 'run' AND NOT trashed "
            "AND attribute.type IN (SELECT value FROM json_each(?)) ORDER BY 1 LIMIT ?",
            (shown, MOST_NAMES),
        ).fetchall()
    return [name for (name,) in names] + ["sys/running_time", "sys/size"]


def get_column(service: Service, request: Request) -> Answer:
    """Return a field's values by the runs' IDs."""
    name = request.text("name")
    with service.store.read() as connection:
        rows = connection.execute(
            "SELECT * FROM container WHERE type = 'run' AND NOT trashed"
        ).fetchall()
        fields = read_many(connection, rows, [name])
    found = {container: value_of(row, name) for container, row in fields.items()}
    return {container: value for container, value in found.items() if value is not None}


def get_series_names(service: Service, request: Request) -> Answer:
    """Return the names of runs' number series, by the runs' IDs."""
    ids = request.texts("id")
    names: dict[str, list[str]] = {container: [] for container in ids}
    with service.store.read() as connection:
        for container, name in connection.execute(
            "SELECT container, name FROM attribute WHERE type = 'floatSeries' "
            "AND container IN (SELECT value FROM json_each(?)) ORDER BY name",
            (json.dumps(ids),),
        ):
            names[container].append(name)
    return names


def get_fields(service: Service, request: Request) -> Answer:
    """Return the fields of a run, model or version: their names, types, values and sizes."""
    with service.store.read() as connection:
        fields = read_fields(connection, find_container(connection, request.text("id")))
    return [
        {
            "name": field.name,
            "type": field.type,
            "value": field.value,
            "size": field.properties.get("size"),
        }
        for field in fields.values()
        if field.type not in SERIES_TYPES
    ]


def get_series(service: Service, request: Request) -> Answer:
    """Return a number series as steps, times and values, thinned out."""
    with service.store.read() as connection:
        container = find_container(connection, request.text("id"))
        field = find_field(connection, container, request.text("name"))
        if field is None or field["type"] != "floatSeries":
            raise not_found(f"{request.text('name')}: no such series of numbers")
        points = [
            (row["step"], row["time"], row["value"])
            for row in connection.execute(
                "SELECT step, time, value FROM point WHERE attribute = ? ORDER BY step",
                (field["id"],),
            )
        ]
    return {"count": len(points), "points": thin_out(points)}


def thin_out(points: list[tuple[float, int, float]]) -> list[tuple[float, int, float]]:
    """Return at most `MOST_POINTS` points that draw the same curve.

    The lowest and the highest point of every stretch are kept, so that no peak is lost; so are the
    first and the last point of the curve.
    """
    if len(points) <= MOST_POINTS:
        return points
    stretches = (MOST_POINTS - 2) // 2
    inner, kept = points[1:-1], [points[0]]
    for number in range(stretches):
        first = number * len(inner) // stretches
        stretch = inner[first : (number + 1) * len(inner) // stretches]
        ends = {min(stretch, key=lambda point: point[2]), max(stretch, key=lambda point: point[2])}
        kept += sorted(ends)
    return [*kept, points[-1]]


DATA: dict[str, Callable[[Service, Request], Answer]] = {
    "/page/change": get_change,
    "/page/summary": get_summary,
    "/page/names": get_names,
    "/page/column": get_column,
    "/page/series-names": get_series_names,
    "/page/fields": get_fields,
    "/page/series": get_series,
}
"""Handlers of the page's data, by address."""
