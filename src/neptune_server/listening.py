"""The port: uvicorn with deadlines for everything but a request's body, and a graceful shutdown."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from neptune_server.errors import StartError

HEAD_SECONDS = 30.0
"""Time limit for a request's first line and headers."""

DRAIN_SECONDS = 10.0
"""How long the rest of a refused body is read, so that the client gets to read the refusal."""

TAKING_SECONDS = 60.0
"""How long a client may read nothing of its answer."""

KEPT_SECONDS = 120
"""How long an idle connection is kept open for the next request."""

END_SECONDS = 10
"""How long a shutdown waits for requests that are being answered."""

LARGEST_HEAD = 128 * 1024
"""Largest size of a request's first line and headers in bytes."""

BACKLOG = 128
STOPPING = (signal.SIGTERM, signal.SIGINT)


class Connection(H11Protocol):
    """A connection with deadlines where uvicorn would wait forever.

    uvicorn itself sets no time limit for the first line and the headers of a request, for the rest
    of a refused body, and for a client that does not read its answer.
    """

    _deadline: TimerHandle | None = None
    _taking: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the deadline for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Handle received data."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Start the deadline for the rest of a refused body."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._watch()

    def pause_writing(self) -> None:
        """Start the deadline for the client to read what was sent."""
        super().pause_writing()
        self._taking = self.loop.call_later(TAKING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel this deadline."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all deadlines."""
        self._forget()
        if self._taking is not None:
            self._taking.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Set a deadline if no request has begun, or one was answered before its end."""
        beginning = self.conn.their_state is h11.IDLE
        unwanted = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not beginning and not unwanted:
            self._forget()
        elif self._deadline is None:
            seconds = HEAD_SECONDS if beginning else DRAIN_SECONDS
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Listener(uvicorn.Server):
    """uvicorn's server, with a call when it is ready and a normal exit after a signal."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer requests."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down only once: a second signal must not interrupt the shutdown."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Open the port.

    Raises:
        StartError: the port cannot be opened.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartError(
            f"{host}:{port}: {reason_of(error)}; name another port with --port"
        ) from None


def reason_of(error: OSError) -> str:
    """Return the system's text for an error, without Python's additions."""
    code = error.errno or 0
    # the resolver's own codes are negative
    return (os.strerror(code) if code > 0 else error.strerror or str(error)).lower()


def serve(application: Any, port: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests at a port until a signal stops the server."""
    # invalid requests get an answer and no log line; defects are logged where they happen
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
    )
    Listener(config, ready).run(sockets=[port])
