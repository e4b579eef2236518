"""Series of numbers, texts and images, with one value per step."""

import base64
import json
import sqlite3
from collections.abc import Callable
from typing import Any

from neptune_server.checks import (
    MOST_STEP,
    FieldError,
    PartlyDoneError,
    check_list,
    check_number,
    check_step,
    check_text,
    check_time,
)
from neptune_server.operations import Operation, find_field, open_field
from neptune_server.store import Change

IMAGE_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
"""Media types of known images by their first bytes."""


def log_floats(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Add numbers to a series, or replace those at the same steps."""
    log(change, container, path, "floatSeries", given, check_number)


def log_strings(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Add texts to a series, or replace those at the same steps."""
    log(change, container, path, "stringSeries", given, check_text)


def log_images(change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]) -> None:
    """Add images to a series, or replace those at the same steps."""
    log(change, container, path, "imageSeries", given, check_image)


def log(
    change: Change,
    container: sqlite3.Row,
    path: str,
    kind: str,
    given: dict[str, Any],
    check: Callable[[str, Any], Any],
) -> None:
    """Store the valid points, and refuse the others."""
    points: list[tuple[float | None, int, Any]] = []
    failure = None
    for entry in check_list(path, given, "entries"):
        try:
            if not isinstance(entry, dict):
                raise FieldError(f"{path}: a point must be an object")
            step = entry.get("step")
            points.append(
                (
                    None if step is None else check_step(path, step),
                    check_time(path, entry.get("timestampMilliseconds")),
                    check(path, entry.get("value")),
                )
            )
        except FieldError as error:
            failure = error
    if points:
        field = open_field(change, container, path, kind)
        steps = numbered(change.connection, field, path, points)
        if kind == "imageSeries":
            write_images(change, field, steps)
        else:
            change.connection.executemany(
                "INSERT INTO point (attribute, step, time, value) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET time = excluded.time, value = excluded.value",
                ((field, *point) for point in steps),
            )
    if failure is not None:
        raise PartlyDoneError(str(failure))


def numbered(
    connection: sqlite3.Connection,
    field: int,
    path: str,
    points: list[tuple[float | None, int, Any]],
) -> list[tuple[float, int, Any]]:
    """Number the points that have no step, continuing after the last step.

    Raises:
        FieldError: no step is left after the last one.
    """
    (last,) = connection.execute(
        "SELECT max(step) FROM point WHERE attribute = ?", (field,)
    ).fetchone()
    result = []
    for given, time, value in points:
        if given is None and last is not None and last >= MOST_STEP:
            raise FieldError(f"{path}: no step is left after 2^53")
        following = 0.0 if last is None else last + 1
        step = following if given is None else given
        last = step if last is None else max(last, step)
        result.append((step, time, value))
    return result


def check_image(path: str, value: Any) -> tuple[bytes, str]:
    """Return an image's bytes, and its name and description as JSON.

    Raises:
        FieldError: the bytes are missing or malformed, or the name or description is not a text.
    """
    if not isinstance(value, dict):
        raise FieldError(f"{path}: an image must be an object")
    try:
        data = base64.b64decode(check_text(path, value.get("data")), validate=True)
    except ValueError:
        raise FieldError(f"{path}: the image is not base64") from None
    words = {
        key: check_text(path, value[key])
        for key in ("name", "description")
        if value.get(key) is not None
    }
    return data, json.dumps(words)


def write_images(
    change: Change, field: int, points: list[tuple[float, int, tuple[bytes, str]]]
) -> None:
    """Write the bytes of images to files, and the rest to the database."""
    for step, time, (data, about) in points:
        change.discard("SELECT content FROM point WHERE attribute = ? AND step = ?", field, step)
        change.connection.execute(
            "INSERT OR REPLACE INTO point (attribute, step, time, value, content) "
            "VALUES (?, ?, ?, ?, ?)",
            (field, step, time, about, change.write_content(data)),
        )


def clearing(kind: str) -> Operation:
    """Return the operation that empties a series of this type."""

    def clear(change: Change, container: sqlite3.Row, path: str, _: dict[str, Any]) -> None:
        field = open_field(change, container, path, kind)
        change.discard("DELETE FROM point WHERE attribute = ? RETURNING content", field)

    return clear


def configure_floats(
    change: Change, container: sqlite3.Row, path: str, given: dict[str, Any]
) -> None:
    """Store the range and unit that the client gives for a series."""
    field = open_field(change, container, path, "floatSeries")
    about: dict[str, float | str] = {
        key: check_number(path, given[key]) for key in ("min", "max") if given.get(key) is not None
    }
    if given.get("unit") is not None:
        about["unit"] = check_text(path, given["unit"])
    change.connection.execute(
        "UPDATE attribute SET value = ? WHERE id = ?", (json.dumps(about), field)
    )


SERIES_OPERATIONS: dict[str, Operation] = {
    "logFloats": log_floats,
    "logStrings": log_strings,
    "logImages": log_images,
    "clearFloatSeries": clearing("floatSeries"),
    "clearStringSeries": clearing("stringSeries"),
    "clearImageSeries": clearing("imageSeries"),
    "configFloatSeries": configure_floats,
}


def read_points(
    connection: sqlite3.Connection,
    container: sqlite3.Row,
    path: str,
    kind: str,
    limit: int,
    offset: int,
) -> tuple[int, list[sqlite3.Row]] | None:
    """Return a series' number of points, and a part of them by step; None if there is none."""
    field = find_field(connection, container, path)
    if field is None or field["type"] != kind:
        return None
    (count,) = connection.execute(
        "SELECT count(*) FROM point WHERE attribute = ?", (field["id"],)
    ).fetchone()
    points = connection.execute(
        "SELECT step, time, value, content FROM point WHERE attribute = ? "
        "ORDER BY step LIMIT ? OFFSET ?",
        (field["id"], limit, offset),
    ).fetchall()
    return count, points


def image_type(data: bytes) -> str:
    """Return an image's media type by its first bytes."""
    for start, media_type in IMAGE_TYPES.items():
        if data.startswith(start):
            return media_type
    return "application/octet-stream"
