"""The operations on runs, models and their fields."""

from typing import Any

from neptune_server import containers, leaderboard
from neptune_server.errors import bad_request, not_found
from neptune_server.fields import Field, read_fields
from neptune_server.file_sets import FILE_OPERATIONS
from neptune_server.http_messages import Request, Stream, member
from neptune_server.interface import FIELD, Answer, Service, operation
from neptune_server.operations import SIMPLE_OPERATIONS, execute
from neptune_server.series import SERIES_OPERATIONS, image_type, read_points

ALL_OPERATIONS = SIMPLE_OPERATIONS | SERIES_OPERATIONS | FILE_OPERATIONS

LONGEST_PAGE = 10_000
"""Largest number of points of a series in one answer."""


@operation(
    "leaderboard",
    "createExperiment",
    "POST",
    body=("experimentCreationParams", "ExperimentCreation"),
    answer="Experiment",
)
def create_experiment(service: Service, request: Request) -> Answer:
    """Create a run, a model or a model version."""
    wanted = request.json_object()
    kind = member(wanted, "type", str)
    with service.store.change() as change:
        project = containers.find_project(
            change.connection, member(wanted, "projectIdentifier", str) or ""
        )
        if kind == "run":
            identifier = containers.create_run(
                change, project, member(wanted, "customId", str), member(wanted, "gitInfo", dict)
            )
        elif kind == "model":
            identifier = containers.create_model(change, project, member(wanted, "key", str) or "")
        elif kind == "modelVersion":
            model = containers.find_container(
                change.connection, member(wanted, "parentId", str) or ""
            )
            identifier = containers.create_model_version(change, project, model)
        else:
            raise bad_request(f"{kind}: neither run nor model nor modelVersion")
        row = containers.find_container(change.connection, identifier)
        return containers.describe(change.connection, row)


@operation("leaderboard", "getExperiment", "GET", "experimentId", answer="Experiment")
def get_experiment(service: Service, request: Request) -> Answer:
    """Describe a container."""
    with service.store.read() as connection:
        row = containers.find_container(connection, request.text("experimentId"))
        return containers.describe(connection, row)


@operation("leaderboard", "ping", "POST", "experimentId", answer="Anything")
def ping(service: Service, request: Request) -> Answer:
    """Record that a container's client is alive."""
    with service.store.change() as change:
        row = containers.find_container(change.connection, request.text("experimentId"))
        change.connection.execute(
            "UPDATE container SET pinged = ? WHERE id = ?", (change.time, row["id"])
        )
    return {}


@operation(
    "leaderboard",
    "executeOperations",
    "POST",
    "experimentId",
    body=("operations", "Operation[]"),
    answer="Failure[]",
)
def execute_operations(service: Service, request: Request) -> Answer:
    """Change fields."""
    operations = request.lenient_json()
    if not isinstance(operations, list):
        raise bad_request("operations must be a list")
    with service.store.change() as change:
        row = containers.find_container(change.connection, request.text("experimentId"))
        failures = execute(change, row, operations, ALL_OPERATIONS)
        containers.touch(change, row["id"])
    return failures


@operation("leaderboard", "getExperimentAttributes", "GET", "experimentId", answer="Fields")
def get_experiment_attributes(service: Service, request: Request) -> Answer:
    """Return all fields of a container."""
    with service.store.read() as connection:
        row = containers.find_container(connection, request.text("experimentId"))
        fields = read_fields(connection, row)
    return {"attributes": [field.as_entry() for field in fields.values()]}


def read_field(service: Service, request: Request, kind: str) -> Field:
    """Return the field that a request names.

    Raises:
        RequestError: there is no field of this name and type.
    """
    name = request.text("attribute")
    with service.store.read() as connection:
        row = containers.find_container(connection, request.text("experimentId"))
        field = read_fields(connection, row, [name]).get(name)
    if field is None or field.type != kind:
        raise not_found(f"{name}: no such field of type {kind}")
    return field


def add_reader(name: str, kind: str, answer: str) -> None:
    """Add an operation that returns fields of one type."""

    @operation("leaderboard", name, "GET", *FIELD, answer=answer)
    def get_field(service: Service, request: Request) -> Answer:
        properties = read_field(service, request, kind).properties
        return {key: value for key, value in properties.items() if value is not None}


for _name, _kind, _answer in (
    ("getFloatAttribute", "float", "Float"),
    ("getIntAttribute", "int", "Int"),
    ("getBoolAttribute", "bool", "Bool"),
    ("getStringAttribute", "string", "String"),
    ("getDatetimeAttribute", "datetime", "Datetime"),
    ("getStringSetAttribute", "stringSet", "StringSet"),
    ("getFileAttribute", "file", "File"),
    ("getArtifactAttribute", "artifact", "ArtifactProperties"),
    ("getFloatSeriesAttribute", "floatSeries", "FloatSeries"),
    ("getStringSeriesAttribute", "stringSeries", "StringSeries"),
):
    add_reader(_name, _kind, _answer)


def read_series(service: Service, request: Request, kind: str) -> dict[str, Any]:
    """Return a part of the series that a request names.

    Raises:
        RequestError: there is no such series.
    """
    limit = min(request.integer("limit"), LONGEST_PAGE)
    with service.store.read() as connection:
        row = containers.find_container(connection, request.text("experimentId"))
        found = read_points(
            connection, row, request.text("attribute"), kind, limit, request.integer("offset")
        )
    if found is None:
        raise not_found(f"{request.text('attribute')}: no such field of type {kind}")
    count, points = found
    return {
        "totalItemCount": count,
        "values": [
            {"timestampMillis": row["time"], "step": row["step"], "value": row["value"]}
            for row in points
        ],
    }


PAGE = (*FIELD, "limit:integer", "offset:integer")


@operation("leaderboard", "getFloatSeriesValues", "GET", *PAGE, answer="FloatPoints")
def get_float_series_values(service: Service, request: Request) -> Answer:
    """Return a part of a series of numbers."""
    return read_series(service, request, "floatSeries")


@operation("leaderboard", "getStringSeriesValues", "GET", *PAGE, answer="StringPoints")
def get_string_series_values(service: Service, request: Request) -> Answer:
    """Return a part of a series of texts."""
    return read_series(service, request, "stringSeries")


@operation("leaderboard", "getImageSeriesValues", "GET", *PAGE, answer="ImagePoints")
def get_image_series_values(service: Service, request: Request) -> Answer:
    """Return the number of images in a series."""
    return {"totalItemCount": read_series(service, request, "imageSeries")["totalItemCount"]}


@operation("leaderboard", "getImageSeriesValue", "GET", *FIELD, "index:integer", answer=None)
def get_image_series_value(service: Service, request: Request) -> Answer:
    """Return an image of a series."""
    with service.store.read() as connection:
        row = containers.find_container(connection, request.text("experimentId"))
        found = read_points(
            connection, row, request.text("attribute"), "imageSeries", 1, request.integer("index")
        )
        if found is None or not found[1]:
            raise not_found(f"{request.text('attribute')}: no such image")
        with service.store.contents.open(found[1][0]["content"]) as file:
            data = file.read()
    return Stream(iter([data]), image_type(data), length=len(data))


SEARCH = ("projectIdentifier", "type:[]")


@operation(
    "leaderboard",
    "searchLeaderboardEntries",
    "POST",
    *SEARCH,
    body=("params", "Anything"),
    answer="Anything",
)
def search_leaderboard_entries(service: Service, request: Request) -> Answer:
    """Return a page of a table."""
    wanted = request.json_object()
    types = request.texts("type")
    with service.store.read() as connection:
        project = containers.find_project(connection, request.text("projectIdentifier"))
        return leaderboard.search_entries(connection, project, types, wanted)


@operation(
    "leaderboard",
    "searchLeaderboardAttributes",
    "POST",
    *SEARCH,
    "search",
    body=("params", "Anything"),
    answer="FieldNames",
)
def search_leaderboard_attributes(service: Service, request: Request) -> Answer:
    """Return the names and types of the fields that a table can be sorted by."""
    types, part = request.texts("type"), request.optional("search") or ""
    with service.store.read() as connection:
        project = containers.find_project(connection, request.text("projectIdentifier"))
        return {"entries": leaderboard.search_names(connection, project, types, part)}


CHOICE = ("projectIdentifier", "experimentIdentifiers:[]")


@operation("leaderboard", "trashExperiments", "POST", *CHOICE, answer="ExperimentUpdate")
def trash_experiments(service: Service, request: Request) -> Answer:
    """Move containers to the trash; tables leave them out."""
    with service.store.change() as change:
        chosen = request.texts("experimentIdentifiers")
        for name in chosen:
            containers.trash(change, containers.find_container(change.connection, name))
    return {"errors": [], "updatedExperimentIdentifiers": chosen}


@operation("leaderboard", "deleteExperiments", "POST", *CHOICE, answer="ExperimentUpdate")
def delete_experiments(service: Service, request: Request) -> Answer:
    """Delete containers that are in the trash."""
    with service.store.change() as change:
        chosen = request.texts("experimentIdentifiers")
        for name in dict.fromkeys(chosen):
            row = containers.find_container(change.connection, name)
            if not row["trashed"]:
                raise bad_request(f"{name}: not in the trash; trash it before you delete it")
            containers.delete(change, row["id"])
    return {"errors": [], "updatedExperimentIdentifiers": chosen}


@operation(
    "leaderboard", "deleteAllExperiments", "POST", "projectIdentifier", answer="ExperimentUpdate"
)
def delete_all_experiments(service: Service, request: Request) -> Answer:
    """Delete everything in a project's trash."""
    with service.store.change() as change:
        project = containers.find_project(change.connection, request.text("projectIdentifier"))
        rows = change.connection.execute(
            "SELECT id, short_id FROM container WHERE project = ? AND trashed", (project["id"],)
        ).fetchall()
        for row in rows:
            containers.delete(change, row["id"])
    return {"errors": [], "updatedExperimentIdentifiers": [row["short_id"] for row in rows]}
