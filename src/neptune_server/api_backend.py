"""The operations on the server itself: its settings, tokens and projects."""

import sqlite3
from typing import Any

from neptune_server import uploads
from neptune_server.containers import PROJECT_NAME, find_project, open_project
from neptune_server.http_messages import Request
from neptune_server.interface import Answer, Service, operation


@operation("backend", "getClientConfig", "GET", "alpha", answer="ClientConfig", open=True)
def get_client_config(service: Service, _: Request) -> Answer:
    """Return the server's addresses and the size limits for parts of files."""
    return {
        "apiUrl": service.address,
        "applicationUrl": service.address,
        "pyLibVersions": {},
        "artifacts": {"enabled": True, "apiVersion": 2},
        "multiPartUpload": {
            "enabled": True,
            "minChunkSize": uploads.SMALLEST_PART,
            "maxChunkSize": uploads.LARGEST_PART,
            "maxChunkCount": uploads.MOST_PARTS,
            "maxSinglePartSize": uploads.SMALLEST_PART,
        },
        "sysNameSetByBackend": True,
    }


@operation("backend", "exchangeApiToken", "GET", answer="Tokens", open=True)
def exchange_api_token(service: Service, request: Request) -> Answer:
    """Return an access token for the API token."""
    return service.tokens.exchange(request.headers.get("X-Neptune-Api-Token", ""))


@operation("backend", "getProject", "GET", "projectIdentifier", answer="Project")
def get_project(service: Service, request: Request) -> Answer:
    """Describe a project; create it if it does not exist."""
    name = request.text("projectIdentifier")
    if PROJECT_NAME.fullmatch(name):
        with service.store.change() as change:
            return describe(open_project(change, name))
    with service.store.read() as connection:
        return describe(find_project(connection, name))


@operation(
    "backend",
    "listProjects",
    "GET",
    "limit:integer",
    "organizationIdentifier",
    "searchTerm",
    "sortBy:[]",
    "sortDirection:[]",
    "userRelation",
    answer="Projects",
)
def list_projects(service: Service, request: Request) -> Answer:
    """List the projects of a workspace, or those whose names contain a text."""
    limit = request.integer("limit") if request.optional("limit") else -1
    with service.store.read() as connection:
        rows = connection.execute(
            "SELECT * FROM project WHERE (:workspace IS NULL OR workspace = :workspace) "
            "AND (:term IS NULL OR instr(name, :term)) ORDER BY workspace, name LIMIT :limit",
            {
                "workspace": request.optional("organizationIdentifier"),
                "term": request.optional("searchTerm"),
                "limit": limit,
            },
        ).fetchall()
    return {"entries": [describe(row) for row in rows]}


@operation("backend", "listOrganizations", "GET", answer="Workspace[]")
def list_organizations(service: Service, _: Request) -> Answer:
    """List the workspaces: the parts of project names before the slash."""
    with service.store.read() as connection:
        rows = connection.execute("SELECT DISTINCT workspace FROM project ORDER BY 1").fetchall()
    return [{"id": name, "name": name} for (name,) in rows]


def describe(project: sqlite3.Row) -> dict[str, Any]:
    """Return a project's description for the client."""
    return {
        "id": project["id"],
        "name": project["name"],
        "organizationName": project["workspace"],
        "projectKey": project["key"],
        "version": 2,
    }
