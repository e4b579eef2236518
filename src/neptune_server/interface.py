"""Neptune's operations and the Swagger documents from which the client builds its methods.

An operation is declared once, where it is defined; its address and its description are derived.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neptune_server.http_messages import Request, Stream
from neptune_server.store import Store
from neptune_server.tokens import Tokens

PARTS = ("backend", "leaderboard", "artifacts")
"""Parts of the interface; each has a document that describes its operations."""

FIELD = ("experimentId", "attribute")
"""The parameters that name a field."""

CLIENT_HEADERS = ("X-Neptune-Api-Token", "X-Neptune-CliVersion", "X-Neptune-Artifact-Api-Version")


@dataclass(frozen=True)
class Service:
    """Data, tokens and address for the operations."""

    store: Store
    tokens: Tokens
    address: str
    """The server's own address, such as `http://127.0.0.1:5959`."""


Answer = dict[str, Any] | list[Any] | Stream
Handler = Callable[[Service, Request], Answer]


@dataclass(frozen=True)
class Operation:
    """One operation of the interface.

    Attributes:
        part: the part of the interface whose document describes it.
        name: the client's name of it.
        method: the HTTP method.
        handler: the function that answers it.
        query: parameters of the query, each a name or `name:type`; `[]` for a list of texts.
        body: the body's name and definition; None if there is no JSON body.
        answer: the answer's definition, with `[]` after it for a list; None if it is not JSON.
        open: whether it needs no token.
    """

    part: str
    name: str
    method: str
    handler: Handler
    query: tuple[str, ...]
    body: tuple[str, str] | None
    answer: str | None
    open: bool

    @property
    def path(self) -> str:
        """The operation's path on the server."""
        return f"/api/{self.part}/v1/{self.name}"


OPERATIONS: dict[tuple[str, str], Operation] = {}
"""All operations by method and path."""


def operation(
    part: str,
    name: str,
    method: str,
    *query: str,
    answer: str | None,
    body: tuple[str, str] | None = None,
    open: bool = False,  # noqa: A002 - the clearest word at the call
) -> Callable[[Handler], Handler]:
    """Register a function as the handler of an operation."""

    def add(handler: Handler) -> Handler:
        added = Operation(part, name, method, handler, query, body, answer, open)
        OPERATIONS[method, added.path] = added
        return handler

    return add


def swagger(part: str) -> dict[str, Any]:
    """Return the Swagger 2.0 document of one part."""
    paths: dict[str, dict[str, Any]] = {}
    for item in OPERATIONS.values():
        if item.part == part:
            paths.setdefault(item.path, {})[item.method.lower()] = describe(item)
    return {
        "swagger": "2.0",
        "info": {"title": part, "version": "2.0"},
        "basePath": "/",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": paths,
        "definitions": DEFINITIONS,
    }


def describe(item: Operation) -> dict[str, Any]:
    """Return an operation's description."""
    parameters = [parameter(text) for text in item.query]
    parameters += [{"name": name, "in": "header", "type": "string"} for name in CLIENT_HEADERS]
    if item.body is not None:
        name, definition = item.body
        parameters.append({"name": name, "in": "body", "schema": schema(definition)})
    answer = {"description": "done"} | ({"schema": schema(item.answer)} if item.answer else {})
    return {
        "operationId": item.name,
        "tags": ["api"],
        "parameters": parameters,
        "responses": {"200": answer},
    }


def parameter(text: str) -> dict[str, Any]:
    """Return the description of a parameter of the query."""
    name, _, kind = text.partition(":")
    if kind == "[]":
        items = {"type": "array", "items": {"type": "string"}, "collectionFormat": "multi"}
        return {"name": name, "in": "query"} | items
    return {"name": name, "in": "query", "type": kind or "string"}


def schema(name: str) -> dict[str, Any]:
    """Return the description of a type: a plain type, a definition, or a list (`[]`)."""
    if name.endswith("[]"):
        return {"type": "array", "items": schema(name.removesuffix("[]"))}
    if name in DEFINITIONS:
        return {"$ref": f"#/definitions/{name}"}
    if name == "date-time":
        return {"type": "string", "format": name}
    return {"type": name}


def define(members: dict[str, dict[str, str]]) -> None:
    """Add definitions of objects, given by the types of their members."""
    # add all names first, since definitions refer to each other
    DEFINITIONS.update({name: {"type": "object"} for name in members})
    for name, types in members.items():
        DEFINITIONS[name]["properties"] = {key: schema(kind) for key, kind in types.items()}


DEFINITIONS: dict[str, Any] = {}
define(
    {
        "Anything": {},
        "ArtifactFile": {
            "filePath": "string",
            "fileHash": "string",
            "type": "string",
            "size": "integer",
            "metadata": "KeyValue[]",
        },
        "ArtifactFiles": {"files": "ArtifactFile[]"},
        "Artifact": {"artifactHash": "string", "receivedMetadata": "boolean", "size": "integer"},
        "ArtifactProperties": {"hash": "string"},
        "Artifacts": {"enabled": "boolean", "apiVersion": "integer"},
        "Bool": {"value": "boolean"},
        "ClientConfig": {
            "apiUrl": "string",
            "applicationUrl": "string",
            "pyLibVersions": "LibraryVersions",
            "artifacts": "Artifacts",
            "multiPartUpload": "MultiPartUpload",
            "sysNameSetByBackend": "boolean",
        },
        "Commit": {
            "commitId": "string",
            "message": "string",
            "authorName": "string",
            "authorEmail": "string",
            "commitDate": "date-time",
        },
        "Datetime": {"value": "date-time"},
        "Download": {"id": "string", "downloadUrl": "string"},
        "Experiment": {
            "id": "string",
            "shortId": "string",
            "type": "string",
            "organizationName": "string",
            "projectName": "string",
            "trashed": "boolean",
        },
        "ExperimentCreation": {
            "projectIdentifier": "string",
            "parentId": "string",
            "type": "string",
            "cliVersion": "string",
            "key": "string",
            "customId": "string",
            "gitInfo": "GitInfo",
            "notebookId": "string",
            "checkpointId": "string",
        },
        "ExperimentUpdate": {"errors": "string[]", "updatedExperimentIdentifiers": "string[]"},
        "Failure": {"errorDescription": "string"},
        "Field": {
            "name": "string",
            "type": "string",
            "floatProperties": "Float",
            "intProperties": "Int",
            "boolProperties": "Bool",
            "stringProperties": "String",
            "datetimeProperties": "Datetime",
            "experimentStateProperties": "String",
            "stringSetProperties": "StringSet",
            "floatSeriesProperties": "FloatSeries",
            "stringSeriesProperties": "StringSeries",
            "imageSeriesProperties": "Anything",
            "fileProperties": "File",
            "fileSetProperties": "Anything",
            "artifactProperties": "ArtifactProperties",
            "gitRefProperties": "Anything",
        },
        "FieldName": {"name": "string", "type": "string"},
        "FieldNames": {"entries": "FieldName[]"},
        "Fields": {"attributes": "Field[]"},
        "File": {"name": "string", "ext": "string", "size": "integer"},
        "FileEntry": {
            "name": "string",
            "size": "integer",
            "mtime": "date-time",
            "fileType": "string",
        },
        "Float": {"value": "number"},
        "FloatPoint": {"timestampMillis": "integer", "step": "number", "value": "number"},
        "FloatPoints": {"totalItemCount": "integer", "values": "FloatPoint[]"},
        "FloatSeries": {"last": "number", "lastStep": "number"},
        "GitInfo": {
            "commit": "Commit",
            "repositoryDirty": "boolean",
            "currentBranch": "string",
            "remotes": "string[]",
        },
        "ImagePoints": {"totalItemCount": "integer"},
        "Int": {"value": "integer"},
        "KeyValue": {"key": "string", "value": "string"},
        "LibraryVersions": {
            "minRecommendedVersion": "string",
            "minCompatibleVersion": "string",
            "maxCompatibleVersion": "string",
        },
        "MultiPartUpload": {
            "enabled": "boolean",
            "minChunkSize": "integer",
            "maxChunkSize": "integer",
            "maxChunkCount": "integer",
            "maxSinglePartSize": "integer",
        },
        "Operation": {},
        "Project": {
            "id": "string",
            "name": "string",
            "organizationName": "string",
            "projectKey": "string",
            "version": "integer",
        },
        "Projects": {"entries": "Project[]"},
        "String": {"value": "string"},
        "StringPoint": {"timestampMillis": "integer", "step": "number", "value": "string"},
        "StringPoints": {"totalItemCount": "integer", "values": "StringPoint[]"},
        "StringSeries": {"last": "string", "lastStep": "number"},
        "StringSet": {"values": "string[]"},
        "Tokens": {"accessToken": "string", "refreshToken": "string"},
        "Upload": {"uploadId": "string", "errors": "Failure[]"},
        "UploadErrors": {"errors": "Failure[]"},
        "Workspace": {"id": "string", "name": "string"},
    }
)
