"""The HTTP layer around the operations: addresses, tokens, limits, errors, answers."""

import json
import logging
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import parse_qs, unquote_to_bytes

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ExceptionHandler

# importing a module registers its operations
from neptune_server import api_artifacts, api_backend, api_files, api_leaderboard, page
from neptune_server.errors import RequestError, bad_request, is_disk_full, not_found
from neptune_server.http_messages import Body, Request, Stream
from neptune_server.interface import OPERATIONS, PARTS, Answer, Operation, Service, swagger
from neptune_server.middleware import BodyLimit, Deadlines, PageGuard, SafeHeaders
from neptune_server.tokens import REALM
from neptune_server.uploads import LARGEST_PART

__all__ = ["api_artifacts", "api_backend", "api_files", "api_leaderboard", "application"]

LARGEST_JSON = 128 * 1024 * 1024
"""Largest JSON body in bytes: room for a thousand texts of the client's maximum, none ASCII."""

SMALL_BODY = 1024 * 1024
"""Largest body in bytes of requests that send no data; also the size of a write to the disk."""

KEPT_IN_MEMORY = 8 * 1024 * 1024
"""Bytes of a body kept in memory; larger bodies go to the disk. The client sends files in parts of
five million bytes."""

LONGEST_QUERY = 64 * 1024

REFRESH_PATH = f"{REALM}/protocol/openid-connect/token"
SIGNALS_PATH = "/api/notifications/v1/runs/{rest:path}"

SHOWN_BY_CLIENT = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""Unexpected refusals, which get a header that makes the client print them."""

log = logging.getLogger(__name__)

Act = Callable[[Service, Request], Answer]


def application(service: Service, page_hosts: frozenset[str]) -> Starlette:
    """Return the whole server as an application.

    Args:
        service: data and tokens for the operations.
        page_hosts: host names for which the page asks for no token; none if it always asks.
    """
    guard = Middleware(PageGuard, page_hosts, service.tokens)
    small = Middleware(BodyLimit, SMALL_BODY)
    routes: list[BaseRoute] = [operation_route(service, item) for item in OPERATIONS.values()]
    routes += [document_route(part) for part in PARTS]
    routes += [
        Route(path, endpoint(service, act), methods=["GET"], middleware=[guard, small])
        for path, act in page.DATA.items()
    ]
    routes += [
        Route(REFRESH_PATH, endpoint(service, refresh), methods=["POST"], middleware=[small]),
        Route(SIGNALS_PATH, no_signals, methods=["GET", "POST"]),
    ]
    routes += [page_route(path) for path in (*page.FILES, *page.VIEWS)]
    # `Any`, because each handler accepts another type of exception
    handlers: dict[Any, ExceptionHandler] = {
        RequestError: refuse,
        HTTPException: refuse_by_status,
        ClientDisconnect: say_nothing,
        OSError: refuse_by_failure,
        sqlite3.Error: refuse_by_failure,
        Exception: refuse_by_defect,
    }
    made = Starlette(
        routes=routes,
        exception_handlers=handlers,
        middleware=[Middleware(SafeHeaders), Middleware(Deadlines)],
    )
    # each page has one address only
    made.router.redirect_slashes = False
    return made


# ---- addresses


def operation_route(service: Service, operation: Operation) -> Route:
    """Return an operation's route; it checks the token before it reads the body."""

    def check(request: HTTPRequest) -> None:
        if not operation.open:
            service.tokens.check_access(request.headers.get("Authorization", ""))

    limit = LARGEST_JSON if operation.body else LARGEST_PART
    return Route(
        operation.path,
        endpoint(service, operation.handler, check),
        methods=[operation.method],
        middleware=[Middleware(BodyLimit, limit)],
    )


def document_route(part: str) -> Route:
    """Return the route of a Swagger document, from which the client builds its methods."""

    async def document(_: HTTPRequest) -> Response:
        return JSONResponse(swagger(part))

    return Route(f"/api/{part}/swagger.json", document)


def page_route(path: str) -> Route:
    """Return the route of one of the page's files."""

    def file(request: HTTPRequest) -> Response:
        return respond(page.read_file(path, request.path_params))

    return Route(path, file)


async def no_signals(_: HTTPRequest) -> Response:
    """Refuse the connection; the client then continues without stop signals."""
    raise RequestError(HTTPStatus.FORBIDDEN, "this server sends no signals")


def refresh(service: Service, request: Request) -> Answer:
    """Return a new access token in the format of RFC 6749."""
    form = parse_qs(request.body.read().decode("latin-1"))
    try:
        return service.tokens.refresh(form.get("refresh_token", [""])[-1])
    except RequestError:
        # the client then exchanges its API token again
        raise bad_request("invalid_grant") from None


# ---- from a request to an answer


def endpoint(
    service: Service, act: Act, check: Callable[[HTTPRequest], None] | None = None
) -> Callable[[HTTPRequest], Awaitable[Response]]:
    """Return a handler that runs an action in a thread once the whole request has arrived."""
    # on the disk that holds the data: if it is full, the server reports that
    folder = str(service.store.contents.folder)

    async def answer(request: HTTPRequest) -> Response:
        if check is not None:
            check(request)
        check_query(request.scope["query_string"])
        file: IO[bytes]
        with tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY, dir=folder) as file:
            size = await receive(request.stream(), file)
            given = Request(request.query_params, request.headers, Body(file, size))
            return await run_in_threadpool(lambda: respond(act(service, given)))

    return answer


def check_query(query: bytes) -> None:
    """Check that a query can be read.

    Raises:
        RequestError: the query is too long, or not UTF-8.
    """
    if len(query) > LONGEST_QUERY:
        raise RequestError(HTTPStatus.REQUEST_URI_TOO_LONG, "the query is too long")
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise bad_request("the query is not UTF-8") from None


async def receive(stream: AsyncIterator[bytes], file: IO[bytes]) -> int:
    """Write a body to a file, ready to be read, and return its size in bytes.

    Waiting for slow clients happens here, where it blocks no thread.
    """
    size, waiting = 0, bytearray()
    async for data in stream:
        waiting += data
        size += len(data)
        if len(waiting) >= SMALL_BODY:
            await run_in_threadpool(file.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(file.write, bytes(waiting))
    file.seek(0)
    return size


def respond(answer: Answer) -> Response:
    """Return an answer as an HTTP response."""
    if not isinstance(answer, Stream):
        return Response(as_json(answer), media_type="application/json")
    headers = {}
    if answer.length is not None:
        headers["Content-Length"] = str(answer.length)
    if answer.file_name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{answer.file_name}"'
    return StreamingResponse(told(answer.pieces), headers=headers, media_type=answer.media_type)


def as_json(answer: Any) -> bytes:
    """Return JSON; numbers that are not finite, which JSON does not have, become null."""
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except ValueError:
        # written by an older version
        return json.dumps(json.loads(json.dumps(answer), parse_constant=lambda _: None)).encode()


def told(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield an answer's pieces; on a failure the answer is cut short, which the client notices."""
    try:
        yield from pieces
    except FileNotFoundError:
        # replaced while it was sent
        raise
    except OSError:
        log.exception("an answer broke off")
        raise


# ---- refusals


async def refuse(_: HTTPRequest, error: Exception) -> Response:
    """Answer with an operation's refusal."""
    if not isinstance(error, RequestError):
        raise error
    content: dict[str, Any] = {"code": error.status.value, "title": error.title}
    content["error"] = error.title
    if error.error_type is not None:
        content["errorType"] = error.error_type
    shown = error.status in SHOWN_BY_CLIENT
    headers = {"X-Server-Error": error.title} if shown else None
    return Response(as_json(content), error.status, headers, "application/json")


async def refuse_by_status(request: HTTPRequest, error: Exception) -> Response:
    """Answer with Starlette's refusal, in the format of this server."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return await refuse(request, not_found("no such page or operation"))
    return await refuse(request, RequestError(status, status.phrase.lower()))


async def refuse_by_failure(request: HTTPRequest, error: Exception) -> Response:
    """Answer that the disk or the database cannot be used."""
    log.error("a request failed", exc_info=error)
    if isinstance(error, OSError | sqlite3.Error) and is_disk_full(error):
        # the client retries for as long as it was configured to, and keeps its data
        title, status = "no space left on the server's disk", HTTPStatus.SERVICE_UNAVAILABLE
    else:
        title, status = "the server cannot use its files", HTTPStatus.INTERNAL_SERVER_ERROR
    return await refuse(request, RequestError(status, title))


async def refuse_by_defect(request: HTTPRequest, error: Exception) -> Response:
    """Answer that the server has a defect."""
    log.error("a request failed", exc_info=error)
    title = "a defect of the server; see its output"
    return await refuse(request, RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, title))


async def say_nothing(_: HTTPRequest, __: Exception) -> Response:
    """Return an answer that nobody receives: the client has disconnected."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)
