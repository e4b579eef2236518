"""The operations on files."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from neptune_server import file_sets, uploads
from neptune_server.checks import FieldError
from neptune_server.containers import find_container
from neptune_server.downloads import file_pieces, zip_pieces
from neptune_server.errors import not_found
from neptune_server.fields import file_name, read_fields
from neptune_server.http_messages import Request, Stream
from neptune_server.interface import FIELD, Answer, Service, operation

DOWNLOAD_PATH = "/api/leaderboard/v1/downloadFileSetAttributeZip"

# the client uses experimentIdentifier for uploads and experimentId elsewhere
FILE = ("experimentIdentifier", "attribute", "ext")
SET_FILE = ("experimentIdentifier", "attribute", "subPath")


def answer_errors(action: Callable[[], dict[str, Any] | None]) -> Answer:
    """Return an action's result, or its field error in the form that the client reads."""
    try:
        return {"errors": []} | (action() or {})
    except FieldError as error:
        return {"errors": [{"errorDescription": str(error)}]}


def whole(service: Service, request: Request) -> Answer:
    """Receive a whole file."""
    return answer_errors(
        lambda: file_sets.upload(
            service.store,
            request.text("experimentIdentifier"),
            request.text("attribute"),
            request.body,
            extension=request.optional("ext"),
            path=request.optional("subPath"),
        )
    )


def begin(service: Service, request: Request) -> Answer:
    """Start the upload of a file in parts."""
    return answer_errors(
        lambda: {
            "uploadId": uploads.start(
                service.store,
                request.text("experimentIdentifier"),
                request.text("attribute"),
                request.optional("ext"),
                request.optional("subPath"),
                request.integer("totalLength"),
            )
        }
    )


def receive(service: Service, request: Request) -> Answer:
    """Receive a part of a file."""
    uploads.receive_part(
        service.store,
        request.text("uploadId"),
        request.headers.get("X-Range", ""),
        request.body,
    )
    return {"errors": []}


def end(service: Service, request: Request) -> Answer:
    """Join the parts of a file."""
    return answer_errors(lambda: uploads.finish(service.store, request.text("uploadId")))


for _prefix, _parameters in (("fileAtom", FILE), ("fileSetFile", SET_FILE)):
    operation("leaderboard", f"{_prefix}Upload", "POST", *_parameters, answer="UploadErrors")(whole)
    operation(
        "leaderboard",
        f"{_prefix}MultipartUploadStart",
        "POST",
        *_parameters,
        "totalLength:integer",
        answer="Upload",
    )(begin)
    operation(
        "leaderboard",
        f"{_prefix}MultipartUploadPart",
        "POST",
        *_parameters,
        "uploadId",
        "uploadPartIdx:integer",
        answer="UploadErrors",
    )(receive)
    operation(
        "leaderboard",
        f"{_prefix}MultipartUploadFinish",
        "POST",
        *_parameters,
        "uploadId",
        answer="UploadErrors",
    )(end)


@operation(
    "leaderboard", "uploadFileSetAttributeTar", "POST", *FIELD, "reset", answer="UploadErrors"
)
def upload_tar(service: Service, request: Request) -> Answer:
    """Receive many small files at once."""
    return answer_errors(
        lambda: file_sets.unpack(
            service.store,
            request.text("experimentId"),
            request.text("attribute"),
            request.body.file,
            reset=request.optional("reset") == "True",
        )
    )


@operation("leaderboard", "downloadAttribute", "GET", *FIELD, answer=None)
def download_attribute(service: Service, request: Request) -> Answer:
    """Return a file."""
    name = request.text("attribute")
    with service.store.read() as connection:
        container = find_container(connection, request.text("experimentId"))
        files = file_sets.read_files(connection, container, name, "file")
        if not files:
            raise not_found(f"{name}: no such file")
        extension = read_fields(connection, container, [name])[name].properties["ext"]
        file = service.store.contents.open(files[0]["content"])
    return Stream(
        file_pieces(file),
        "application/octet-stream",
        file_name(name, extension),
        files[0]["size"],
    )


@operation("leaderboard", "prepareForDownloadFileSetAttributeZip", "GET", *FIELD, answer="Download")
def prepare_download(service: Service, request: Request) -> Answer:
    """Return the address of a set's archive; it needs no preparation, as it is made when sent."""
    name = request.text("attribute")
    with service.store.read() as connection:
        container = find_container(connection, request.text("experimentId"))
        if file_sets.read_files(connection, container, name, "fileSet") is None:
            raise not_found(f"{name}: no such set of files")
    query = urlencode({"experimentId": container["id"], "attribute": name})
    return {"id": query, "downloadUrl": f"{service.address}{DOWNLOAD_PATH}?{query}"}


@operation("leaderboard", "getDownloadPrepareRequest", "GET", "id", answer="Download")
def get_download(service: Service, request: Request) -> Answer:
    """Return the same address again: the ID is the query."""
    query = request.text("id")
    return {"id": query, "downloadUrl": f"{service.address}{DOWNLOAD_PATH}?{query}"}


@operation("leaderboard", "downloadFileSetAttributeZip", "GET", *FIELD, answer=None)
def download_set(service: Service, request: Request) -> Answer:
    """Return a set as a zip archive."""
    name = request.text("attribute")
    with service.store.read() as connection:
        container = find_container(connection, request.text("experimentId"))
        files = file_sets.read_files(connection, container, name, "fileSet")
    if files is None:
        raise not_found(f"{name}: no such set of files")
    modified = max((file["modified"] for file in files), default=container["modified"])
    pieces = zip_pieces(service.store.contents, files, modified)
    return Stream(pieces, "application/zip", file_name(name, "zip"))


@operation("leaderboard", "lsFileSetAttribute", "GET", *FIELD, "path", answer="FileEntry[]")
def list_set(service: Service, request: Request) -> Answer:
    """List a folder of a set."""
    name, folder = request.text("attribute"), request.optional("path") or ""
    with service.store.read() as connection:
        container = find_container(connection, request.text("experimentId"))
        files = file_sets.read_files(connection, container, name, "fileSet")
    if files is None:
        raise not_found(f"{name}: no such set of files")
    return file_sets.list_folder(files, folder)
