"""Middleware around requests: deadlines, safe headers, and access to the page."""

import asyncio
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neptune_server.errors import bad_request, request_timeout, too_large
from neptune_server.tokens import Tokens

SILENT_SECONDS = 60.0
"""How long a client may pause within a body."""

SLOWEST_BYTES = 32 * 1024
"""Slowest average rate of a body in bytes per second, on top of `SILENT_SECONDS`."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Sources that the page may load from: only this server."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": PAGE_POLICY,
}


class SafeHeaders:
    """Tells browsers to guess no types, cache nothing and load nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers added."""

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, send_more)


class Deadlines:
    """Refuses requests whose bodies arrive too slowly."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; reading a body that has stalled raises an error."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        begun, received, complete = loop.time(), 0, False

        async def receive_in_time() -> Message:
            nonlocal received, complete
            if complete:
                # the only message left is the end of the connection
                return await receive()
            slowest = begun + SILENT_SECONDS + received / SLOWEST_BYTES
            try:
                async with asyncio.timeout_at(min(loop.time() + SILENT_SECONDS, slowest)):
                    message = await receive()
            except TimeoutError:
                raise request_timeout() from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time, send)


class BodyLimit:
    """Refuses a body that is too large, by its announced or its received length.

    Starlette's own middleware answers in plain text, which the client cannot show.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; reading a body that is too large raises an error."""
        received = 0
        # h11 makes sure that the header, if present, is a number
        announced = int(Headers(scope=scope).get("Content-Length", "0"))

        async def receive_within_limit() -> Message:
            nonlocal received
            if announced > self.limit:
                raise too_large(self.limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise too_large(self.limit)
            return message

        await self.app(scope, receive_within_limit, send)


class PageGuard:
    """Admits the owner's browser, but no pages of other sites in it.

    A page of another site can reach this server under the site's own name (DNS rebinding), which is
    then in the header `Host`. Under any name but this machine's, the page asks for the token.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], tokens: Tokens) -> None:
        self.app = app
        self.hosts = hosts
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer requests that may see the page's data.

        Raises:
            RequestError: the request may not see them.
        """
        headers = Headers(scope=scope)
        if host_name(headers.get("Host", "")) not in self.hosts:
            self.tokens.check_access(headers.get("Authorization", ""))
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise bad_request("another site requested the page's data")
        await self.app(scope, receive, send)


def host_name(host: str) -> str:
    """Return the name or address in a header `Host`, without its port.

    Raises:
        RequestError: the header is malformed.
    """
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        raise bad_request("the header Host names no host") from None
    if host and (parts.netloc != host or "@" in host):
        raise bad_request("the header Host names no host")
    return name or ""
