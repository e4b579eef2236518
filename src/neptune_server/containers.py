"""Projects, and the containers in them: runs, models and model versions."""

import json
import re
import sqlite3
import uuid
from http import HTTPStatus
from typing import Any

from neptune_server.errors import RequestError, bad_request, not_found
from neptune_server.http_messages import member
from neptune_server.store import Change

OWNER = "local"
"""Owner of everything: there is one token, and so one user."""

STAGES = ("none", "staging", "production", "archived")

PROJECT_NAME = re.compile(r"(\w[\w.-]{0,99})/(\w[\w.-]{0,99})")
MODEL_KEY = re.compile(r"(?!\d+\Z)\w{1,100}", re.ASCII)
"""A model's key; with digits only, the model's identifier could be that of a run."""
KEY_LENGTH = 4
"""Letters of a project's key, with which the identifiers of its containers begin."""


def find_project(connection: sqlite3.Connection, identifier: str) -> sqlite3.Row:
    """Return a project by its ID or by `workspace/name`.

    Raises:
        RequestError: there is no such project.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM project WHERE id = ? OR workspace || '/' || name = ?",
        (identifier, identifier),
    ).fetchone()
    if row is None:
        raise not_found(f"{identifier}: no such project")
    return row


def open_project(change: Change, name: str) -> sqlite3.Row:
    """Return the project `workspace/name`; create it if it does not exist.

    Raises:
        RequestError: the name is malformed.
    """
    parts = PROJECT_NAME.fullmatch(name)
    if parts is None:
        raise bad_request("a project's name is workspace/name, of letters, digits and . _ -")
    workspace, title = parts.groups()
    known = change.connection.execute(
        "SELECT 1 FROM project WHERE workspace = ? AND name = ?", (workspace, title)
    ).fetchone()
    if known is None:
        identifier = str(uuid.uuid4())
        key = new_project_key(change.connection, title)
        change.connection.execute(
            "INSERT INTO project (id, workspace, name, key) VALUES (?, ?, ?, ?)",
            (identifier, workspace, title, key),
        )
        insert_container(change, identifier, identifier, "project", key, parent=identifier)
        own: dict[str, tuple[str, object]] = {"sys/name": ("string", title)}
        set_fields(change, identifier, own | {"sys/tags": ("stringSet", "[]")})
    return find_project(change.connection, name)


def new_project_key(connection: sqlite3.Connection, title: str) -> str:
    """Return a key that no other project has: the title's first letters, if need be a number."""
    letters = re.sub("[^A-Z]", "", title.upper())[:KEY_LENGTH] or "P"
    keys = {key for (key,) in connection.execute("SELECT key FROM project")}
    key, number = letters, 1
    while key in keys:
        number += 1
        key = f"{letters}{number}"
    return key


def find_container(connection: sqlite3.Connection, identifier: str) -> sqlite3.Row:
    """Return a container by its ID or by `workspace/project/SHORT-ID`.

    Raises:
        RequestError: there is no such container.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM container WHERE id = ?", (identifier,)
    ).fetchone()
    if row is None:
        # no index has these names, but clients only ask by name once, at their start
        row = connection.execute(
            "SELECT container.* FROM container JOIN project ON project.id = project "
            "WHERE workspace || '/' || name || '/' || short_id = :identifier "
            "OR type = 'project' AND workspace || '/' || name = :identifier",
            {"identifier": identifier},
        ).fetchone()
    if row is None:
        raise RequestError(
            HTTPStatus.NOT_FOUND, f"{identifier}: nothing of this name", "EXPERIMENT_NOT_FOUND"
        )
    return row


def describe(connection: sqlite3.Connection, container: sqlite3.Row) -> dict[str, Any]:
    """Return a container's description for the client that opens it."""
    project = find_project(connection, container["project"])
    return {
        "id": container["id"],
        "shortId": container["short_id"],
        "type": container["type"],
        "organizationName": project["workspace"],
        "projectName": project["name"],
        "trashed": bool(container["trashed"]),
    }


def create_run(
    change: Change, project: sqlite3.Row, custom_id: str | None, git: dict[str, Any] | None
) -> str:
    """Return the ID of a new run, or of the existing run with the client's own ID."""
    known = change.connection.execute(
        "SELECT id FROM container WHERE project = ? AND type = 'run' AND custom_id = ?",
        (project["id"], custom_id),
    ).fetchone()
    if known is not None:
        return str(known["id"])
    short_id = next_short_id(change.connection, project["id"], project["key"])
    identifier = str(uuid.uuid4())
    insert_container(
        change, identifier, project["id"], "run", short_id, project["id"], custom_id=custom_id
    )
    fields = common_fields(short_id) | {"sys/failed": ("bool", False)}
    if custom_id is not None:
        fields["sys/custom_run_id"] = ("string", custom_id)
    if git is not None:
        fields["source_code/git"] = ("gitRef", json.dumps(check_git(git)))
    set_fields(change, identifier, fields)
    return identifier


def check_git(given: dict[str, Any]) -> dict[str, Any]:
    """Return the known members of a client's description of a run's commit, without any others.

    Raises:
        RequestError: the description is malformed.
    """
    commit = member(given, "commit", dict) or {}
    names = ("commitId", "message", "authorName", "authorEmail", "commitDate")
    remotes = member(given, "remotes", list) or []
    if not all(isinstance(remote, str) for remote in remotes):
        raise bad_request("remotes must be texts")
    return {
        "commit": {name: member(commit, name, str) for name in names},
        "repositoryDirty": member(given, "repositoryDirty", bool),
        "currentBranch": member(given, "currentBranch", str),
        "remotes": remotes,
    }


def create_model(change: Change, project: sqlite3.Row, key: str) -> str:
    """Return the ID of a new model.

    Raises:
        RequestError: the key is malformed or taken.
    """
    if MODEL_KEY.fullmatch(key) is None:
        raise bad_request(f"{key!r}: a model's key has letters, digits and _, and not only digits")
    short_id = f"{project['key']}-{key}"
    for table, reason in (
        ("container", "exists already"),
        ("gone", "was deleted, and names of deleted models are not used again"),
    ):
        taken = change.connection.execute(
            f"SELECT 1 FROM {table} WHERE project = ? AND short_id = ?",  # noqa: S608 - see above
            (project["id"], short_id),
        ).fetchone()
        if taken is not None:
            raise RequestError(HTTPStatus.CONFLICT, f"{short_id}: {reason}")
    identifier = str(uuid.uuid4())
    insert_container(change, identifier, project["id"], "model", short_id, project["id"])
    set_fields(change, identifier, common_fields(short_id))
    return identifier


def create_model_version(change: Change, project: sqlite3.Row, model: sqlite3.Row) -> str:
    """Return the ID of a model's next version.

    Raises:
        RequestError: the parent is not a model of this project.
    """
    if model["type"] != "model" or model["project"] != project["id"]:
        raise bad_request(f"{model['short_id']}: not a model of {project['name']}")
    short_id = next_short_id(change.connection, model["id"], model["short_id"])
    identifier = str(uuid.uuid4())
    insert_container(change, identifier, project["id"], "modelVersion", short_id, model["id"])
    own = {"sys/model_id": ("string", model["short_id"]), "sys/stage": ("string", "none")}
    set_fields(change, identifier, common_fields(short_id) | own)
    return identifier


def common_fields(short_id: str) -> dict[str, tuple[str, object]]:
    """Return the initial fields of every container that is not a project."""
    return {
        "sys/group_tags": ("stringSet", "[]"),
        "sys/name": ("string", short_id),
        "sys/owner": ("string", OWNER),
        "sys/tags": ("stringSet", "[]"),
    }


def next_short_id(connection: sqlite3.Connection, parent: str, prefix: str) -> str:
    """Return an identifier that no child of the parent has or ever had."""
    (number,) = connection.execute(
        "INSERT INTO last_number (parent, number) VALUES (?, 1) "
        "ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number",
        (parent,),
    ).fetchone()
    return f"{prefix}-{number}"


def insert_container(
    change: Change,
    identifier: str,
    project: str,
    kind: str,
    short_id: str,
    parent: str,
    custom_id: str | None = None,
) -> None:
    """Insert a new container's row."""
    change.connection.execute(
        "INSERT INTO container "
        "(id, project, type, short_id, parent, custom_id, created, modified, pinged) "
        "VALUES (:id, :project, :type, :short_id, :parent, :custom_id, :now, :now, :now)",
        {
            "id": identifier,
            "project": project,
            "type": kind,
            "short_id": short_id,
            "parent": parent,
            "custom_id": custom_id,
            "now": change.time,
        },
    )


def set_fields(change: Change, container: str, fields: dict[str, tuple[str, object]]) -> None:
    """Insert a new container's fields, given as type and stored value."""
    change.connection.executemany(
        "INSERT INTO attribute (container, name, type, value) VALUES (?, ?, ?, ?)",
        [(container, name, kind, value) for name, (kind, value) in fields.items()],
    )


def touch(change: Change, container: str) -> None:
    """Record that a container has changed and that its client is alive."""
    change.connection.execute(
        "UPDATE container SET modified = ?, pinged = ? WHERE id = ?",
        (change.time, change.time, container),
    )


def trash(change: Change, container: sqlite3.Row) -> None:
    """Move a container to the trash; its data stay until `delete`.

    The client's own ID of a run is then free: the next run with this ID is a new run.

    Raises:
        RequestError: the container is a project.
    """
    if container["type"] == "project":
        raise bad_request(f"{container['short_id']}: a project cannot be trashed")
    change.connection.execute(
        "UPDATE container SET trashed = 1, custom_id = NULL WHERE id = ?", (container["id"],)
    )


def delete(change: Change, container: str) -> None:
    """Remove a container with all its data, and a model's versions with it."""
    children = change.connection.execute(
        "SELECT id FROM container WHERE parent = ? AND type = 'modelVersion'", (container,)
    ).fetchall()
    for child in children:
        delete(change, child["id"])
    for table in ("file", "point"):
        change.discard(
            f"SELECT content FROM {table} JOIN attribute ON attribute = attribute.id "  # noqa: S608
            "WHERE container = ?",
            container,
        )
    change.discard("DELETE FROM upload WHERE container = ? RETURNING content", container)
    change.connection.execute("DELETE FROM attribute WHERE container = ?", (container,))
    change.connection.execute("DELETE FROM last_number WHERE parent = ?", (container,))
    change.connection.execute(
        "INSERT OR IGNORE INTO gone SELECT project, short_id FROM container WHERE id = ?",
        (container,),
    )
    change.connection.execute("DELETE FROM container WHERE id = ?", (container,))
