"""The operations on tracked files."""

from neptune_server import artifacts
from neptune_server.containers import find_project
from neptune_server.http_messages import Request
from neptune_server.interface import Answer, Service, operation

ARTIFACT = ("projectIdentifier", "hash")
LISTING = ("artifactFilesDTO", "ArtifactFiles")


@operation(
    "artifacts",
    "createNewArtifact",
    "POST",
    *ARTIFACT,
    "size:integer",
    "parentIdentifier",
    answer="Artifact",
)
def create_new_artifact(service: Service, request: Request) -> Answer:
    """Record an artifact."""
    size = request.integer("size") if request.optional("size") else None
    with service.store.change() as change:
        project = find_project(change.connection, request.text("projectIdentifier"))
        return artifacts.create(change, project, request.text("hash"), size)


@operation(
    "artifacts", "uploadArtifactFilesMetadata", "POST", *ARTIFACT, body=LISTING, answer="Artifact"
)
def upload_artifact_files_metadata(service: Service, request: Request) -> Answer:
    """Store the list of an artifact's files."""
    listing = request.json_object()
    with service.store.change() as change:
        project = find_project(change.connection, request.text("projectIdentifier"))
        return artifacts.write_files(change, project, request.text("hash"), listing)


@operation(
    "artifacts",
    "createArtifactVersion",
    "POST",
    *ARTIFACT,
    "parentIdentifier",
    body=LISTING,
    answer="Artifact",
)
def create_artifact_version(service: Service, request: Request) -> Answer:
    """Add files to an artifact."""
    listing = request.json_object()
    with service.store.change() as change:
        project = find_project(change.connection, request.text("projectIdentifier"))
        return artifacts.create_version(change, project, request.text("hash"), listing)


@operation("artifacts", "listArtifactFiles", "GET", *ARTIFACT, answer="ArtifactFiles")
def list_artifact_files(service: Service, request: Request) -> Answer:
    """Return the list of an artifact's files."""
    with service.store.read() as connection:
        project = find_project(connection, request.text("projectIdentifier"))
        return {"files": artifacts.read_files(connection, project, request.text("hash"))}
