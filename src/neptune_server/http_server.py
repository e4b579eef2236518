"""HTTP around the operations: addresses, tokens, limits, errors, answers."""

import contextlib
import http.server
import json
import logging
import socket
import socketserver
import sqlite3
import sys
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

# importing a module of operations makes them known
from neptune_server import api_artifacts, api_backend, api_files, api_leaderboard, page
from neptune_server.errors import RequestError, bad_request, is_disk_full, not_found
from neptune_server.http_messages import Body, Request, Stream, too_large
from neptune_server.interface import OPERATIONS, PARTS, Answer, Service, swagger
from neptune_server.tokens import REALM
from neptune_server.uploads import LARGEST_PART

__all__ = ["Server", "api_artifacts", "api_backend", "api_files", "api_leaderboard"]

LARGEST_JSON = 128 * 1024 * 1024
"""Bytes: a thousand texts of the client's longest, none of them ASCII."""

LENGTH_DIGITS = 18
"""Digits of a body's length that is read at all."""

LONGEST_QUERY = 64 * 1024

IDLE_SECONDS = 120
"""How long a connection may say nothing."""

SMALL_BODY = 1024 * 1024
"""Bytes of an unwanted body that are read rather than the connection closed."""

DRAIN_SECONDS = 5
"""How long the rest of a refused body is read, so that the client comes to read the refusal."""

DOCUMENTS = {f"/api/{part}/swagger.json": part for part in PARTS}
REFRESH_PATH = f"{REALM}/protocol/openid-connect/token"
SIGNALS_PATH = "/api/notifications/v1/runs/"

SHOWN_BY_CLIENT = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""Refusals that nobody expects: a header makes the client print them."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing from elsewhere."""

log = logging.getLogger(__name__)


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection, all with the same data.

    Attributes:
        service: what the operations work with.
        page_hosts: names under which the page is open to all; none if it asks for the token.
    """

    daemon_threads = True
    allow_reuse_port = False
    request_queue_size = 128
    service: Service
    page_hosts: frozenset[str] = frozenset()

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Take the port without asking the network for the machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; they do so whenever they are killed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.error("a connection failed", exc_info=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "neptune-server"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    # headers and the first part of an answer leave together
    wbufsize = 64 * 1024

    def do_GET(self) -> None:
        """Answer a request that changes nothing."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a request that changes something."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Write no line for a request: addresses and headers may hold secrets."""

    def _answer(self) -> None:
        body = Body(self.rfile, 0)
        try:
            body.left = self._length()
            answer = self._run(body)
        except RequestError as error:
            self._refuse(body, error.status, error.title, error.error_type)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except (OSError, sqlite3.Error) as error:
            log.exception("a request failed")
            if is_disk_full(error):
                # the client tries again for as long as it was told to, and keeps its data
                title = "no space left on the server's disk"
                self._refuse(body, HTTPStatus.SERVICE_UNAVAILABLE, title)
            else:
                title = "the server cannot use its files"
                self._refuse(body, HTTPStatus.INTERNAL_SERVER_ERROR, title)
        except Exception:
            log.exception("a request failed")
            title = "a defect of the server; see what it printed"
            self._refuse(body, HTTPStatus.INTERNAL_SERVER_ERROR, title)
        else:
            self._send(body, HTTPStatus.OK, answer)

    def _length(self) -> int:
        """Return the body's length in bytes.

        Raises:
            RequestError: it is not given.
        """
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "the body's length must be given")
        if len(length) > LENGTH_DIGITS:
            self.close_connection = True
            raise too_large(LARGEST_JSON)
        return int(length)

    def _run(self, body: Body) -> Answer:
        """Find out who asks for what, and do it."""
        address = urlsplit(self.path)
        if len(address.query) > LONGEST_QUERY:
            raise RequestError(HTTPStatus.REQUEST_URI_TOO_LONG, "the query is too long")
        try:
            query = parse_qs(address.query, keep_blank_values=True, errors="strict")
        except ValueError:
            raise bad_request("the query is not UTF-8") from None
        request = Request(query, self.headers, body)
        service = self.server.service
        if address.path in DOCUMENTS and self.command == "GET":
            return swagger(DOCUMENTS[address.path])
        if address.path.startswith(SIGNALS_PATH):
            # the client then goes on without: nobody stops runs from here
            raise RequestError(HTTPStatus.FORBIDDEN, "this server sends no signals")
        if address.path == REFRESH_PATH and self.command == "POST":
            return self._refresh(request)
        operation = OPERATIONS.get((self.command, address.path))
        if operation is not None:
            if not operation.open:
                service.tokens.check_access(self.headers.get("Authorization", ""))
            limit = LARGEST_JSON if operation.body else LARGEST_PART
            if body.left > limit:
                raise too_large(limit)
            return operation.handler(service, request)
        if self.command == "GET" and address.path in page.DATA:
            self._check_page()
            return page.DATA[address.path](service, request)
        file = page.read_file(address.path) if self.command == "GET" else None
        if file is None:
            raise not_found("no such page or operation")
        return file

    def _refresh(self, request: Request) -> Answer:
        """Give a new access token, in the words of RFC 6749."""
        if request.body.left > SMALL_BODY:
            raise too_large(SMALL_BODY)
        form = parse_qs(request.body.read(request.body.left).decode("latin-1"))
        try:
            return self.server.service.tokens.refresh(form.get("refresh_token", [""])[-1])
        except RequestError:
            # the client then exchanges its API token anew
            raise bad_request("invalid_grant") from None

    def _check_page(self) -> None:
        """Let the owner's browser in, and no page of another site that it shows.

        Raises:
            RequestError: it is someone else.
        """
        name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if name not in self.server.page_hosts:
            self.server.service.tokens.check_access(self.headers.get("Authorization", ""))

    def _refuse(
        self, body: Body, status: HTTPStatus, title: str, error_type: str | None = None
    ) -> None:
        """Answer with an error."""
        content: dict[str, Any] = {"code": status.value, "title": title, "error": title}
        if error_type is not None:
            content["errorType"] = error_type
        headers = {}
        if status in SHOWN_BY_CLIENT:
            headers["X-Server-Error"] = title
        self._send(body, status, content, headers)

    def _send(
        self,
        body: Body,
        status: HTTPStatus,
        answer: Answer,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send an answer once a small body that nobody wanted is out of the way."""
        if 0 < body.left <= SMALL_BODY:
            body.read(body.left)
        if body.left:
            self.close_connection = True
        if not isinstance(answer, Stream):
            data = json.dumps(answer, allow_nan=False).encode()
            answer = Stream(iter([data]), "application/json", length=len(data))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self._send_stream(answer)
        if body.left:
            self._drain(body)

    def _send_stream(self, answer: Stream) -> None:
        """Send what follows the first line: headers and pieces."""
        chunked = answer.length is None
        self.send_header("Content-Type", answer.media_type)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", PAGE_POLICY)
        if answer.file_name is not None:
            self.send_header("Content-Disposition", f'attachment; filename="{answer.file_name}"')
        if self.close_connection:
            self.send_header("Connection", "close")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        try:
            for piece in answer.pieces:
                if chunked and piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                elif piece:
                    self.wfile.write(piece)
        except FileNotFoundError:
            # replaced while it was sent: the client notices that the end is missing
            self.close_connection = True
            return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _drain(self, body: Body) -> None:
        """Read on for a while: closing at once would throw the answer away too."""
        self.wfile.flush()
        end = time.monotonic() + DRAIN_SECONDS
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.connection.settimeout(DRAIN_SECONDS)
            while body.left and time.monotonic() < end:
                body.read(SMALL_BODY)
