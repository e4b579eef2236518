"""The page for browsers: its files, and the data that its script asks for."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neptune_server.containers import PROJECT_NAME, find_container
from neptune_server.errors import not_found
from neptune_server.fields import SERIES_TYPES, SIMPLE_TYPES, read_fields
from neptune_server.http_messages import Request, Stream
from neptune_server.interface import Answer, Service
from neptune_server.operations import find_field

FOLDER = Path(__file__).parent / "page_files"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""The page's files by address, with their media types."""
VIEWS = ("/{workspace}/{project}", "/{workspace}/{project}/{rest:path}")
"""The addresses that the client prints for its runs and models; the page's script reads them."""
NOT_WORKSPACES = ("api", "auth", "page")

MOST_POINTS = 1000
"""Points of a curve that are sent: a chart has no more pixels."""

LONGEST_TEXT = 60
"""Characters of a text in the table of versions; longer ones stand among the fields alone."""

SUMMARY_FIELDS = ["sys/name", "sys/state", "sys/failed", "sys/stage", "sys/tags"]


def read_file(path: str, names: dict[str, Any]) -> Stream:
    """Return one of the page's files.

    Args:
        path: its address, one of `FILES` or `VIEWS`.
        names: what an address of `VIEWS` names.

    Raises:
        RequestError: it names no project.
    """
    if path not in FILES:
        parts = (names["workspace"], names["project"])
        if PROJECT_NAME.fullmatch("/".join(parts)) is None or parts[0] in NOT_WORKSPACES:
            raise not_found("no such page or operation")
    name, media_type = FILES.get(path, FILES["/"])
    data = (FOLDER / name).read_bytes()
    return Stream(iter([data]), media_type, length=len(data))


def get_change(service: Service, _: Request) -> Answer:
    """Return a number that grows with every change of the data."""
    return {"change": service.store.changes}


def get_summary(service: Service, _: Request) -> Answer:
    """Return all runs, and all models with their versions, the newest first."""
    change = service.store.changes
    with service.store.read() as connection:
        rows = connection.execute(
            "SELECT container.*, workspace || '/' || name AS project_name FROM container "
            "JOIN project ON project.id = project WHERE type != 'project' AND NOT trashed "
            "ORDER BY created DESC, container.rowid DESC"
        ).fetchall()
        runs = [describe_run(connection, row) for row in rows if row["type"] == "run"]
        versions = [
            describe_version(connection, row) for row in rows if row["type"] == "modelVersion"
        ]
        models = [describe(connection, row) for row in rows if row["type"] == "model"]
    for model in models:
        model["versions"] = [item for item in versions if item["parent"] == model["id"]]
    return {"change": change, "runs": runs, "models": models}


def describe(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return what the page lists of anything."""
    fields = read_fields(connection, row, SUMMARY_FIELDS)
    return {
        "id": row["id"],
        "parent": row["parent"],
        "shortId": row["short_id"],
        "project": row["project_name"],
        "created": row["created"],
        **{name.removeprefix("sys/"): field.value for name, field in fields.items()},
    }


def describe_run(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return a run with the names of its series of numbers."""
    names = connection.execute(
        "SELECT name FROM attribute WHERE container = ? AND type = 'floatSeries' ORDER BY name",
        (row["id"],),
    )
    return describe(connection, row) | {"series": [name for (name,) in names]}


def describe_version(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return a model's version with its numbers and short texts."""
    values = {
        name: field.value
        for name, field in read_fields(connection, row).items()
        if not name.startswith("sys/")
        and field.type in SIMPLE_TYPES
        and len(str(field.value)) <= LONGEST_TEXT
    }
    return describe(connection, row) | {"values": values}


def get_fields(service: Service, request: Request) -> Answer:
    """Return the fields of a run, model or version: names, types, and values to be shown."""
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
    """Return a series of numbers as steps, times and values, thinned out."""
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

    Of every stretch its lowest and its highest point stay, so that no peak is lost; so do the
    first and the last point of all.
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
    "/page/fields": get_fields,
    "/page/series": get_series,
}
"""What the page's script asks for."""
