"""The command that starts the server, its arguments and its output."""

import argparse
import logging
import os
import shlex
import socket
import sys
from pathlib import Path

from neptune_server import __version__
from neptune_server.application import application
from neptune_server.errors import StartError
from neptune_server.interface import Service
from neptune_server.listening import listen
from neptune_server.listening import serve as answer
from neptune_server.root_folder import MOST_PORT, RootFolder, Settings, open_root, write_secret
from neptune_server.store import Store
from neptune_server.tokens import Tokens, api_token

EXIT_CODE = 2
"""Exit status if the server cannot start."""

ROOT = Path(".vestibular/neptune")
HOST = "127.0.0.1"
PORT = 5959
ACCESS_SECONDS = 3600

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only where --host says so
PROJECT = "local/vestibular"


def main() -> None:
    """Serve until a signal stops the server."""
    arguments = parser().parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # only the owner may read the files that are written
    os.umask(0o077)
    try:
        with open_root(arguments.root) as root:
            serve(root, arguments)
    except StartError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
    except OSError as error:
        print(f"{error.filename or arguments.root}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None


def parser() -> argparse.ArgumentParser:
    """Build the parser."""
    top = argparse.ArgumentParser(
        prog="vestibular neptune-server",
        description="Serve runs and models to the `neptune` client and to a browser. All data are "
        "in one folder; address and token stay the same when the server restarts.",
    )
    top.add_argument(
        "--root", type=Path, default=ROOT, metavar="DIR", help="folder for all data (%(default)s)"
    )
    top.add_argument(
        "--port",
        type=port_number,
        metavar="N",
        help=f"port; 0 for any free one (default: the last one used, at first {PORT})",
    )
    top.add_argument(
        "--host",
        default=HOST,
        metavar="NAME",
        help="address to listen on (%(default)s); the connection is not encrypted; on any other "
        "address than this machine's, the page asks for the token",
    )
    top.add_argument(
        "--new-token", action="store_true", help="make a new token; the old one becomes invalid"
    )
    top.add_argument(
        "--access-seconds",
        type=positive,
        default=ACCESS_SECONDS,
        metavar="N",
        help="seconds after which a client must renew its access token (%(default)s)",
    )
    top.add_argument("--version", action="version", version=f"neptune_server {__version__}")
    return top


def port_number(text: str) -> int:
    """Return a port."""
    if not text.isascii() or not text.isdigit() or int(text) > MOST_PORT:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {MOST_PORT}")
    return int(text)


def positive(text: str) -> int:
    """Return a number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def serve(root: RootFolder, arguments: argparse.Namespace) -> None:
    """Answer requests until a signal stops the server.

    Raises:
        StartError: the port or the data cannot be used.
    """
    settings = root.read_settings()
    port = arguments.port
    if port is None:
        port = settings.port if settings else PORT
    if settings is None or arguments.new_token:
        settings = Settings.new(port)
    with listen(arguments.host, port) as listening:
        chosen = listening.getsockname()[1]
        settings = Settings(chosen, settings.api_key, settings.signing_key)
        root.write_settings(settings)
        address = address_of(arguments.host, settings.port)
        write_secret(root.token, api_token(address, settings.api_key) + "\n")
        store = Store(root)
        tokens = Tokens(address, settings.api_key, settings.signing_key, arguments.access_seconds)
        page_hosts = LOOPBACK if arguments.host in LOOPBACK else frozenset[str]()
        made = application(Service(store, tokens, address), page_hosts)
        try:
            answer(made, listening, lambda: greet(address, root))
            print("stopped", file=sys.stderr)
        finally:
            # waits for a change that is being written
            store.close()


def address_of(host: str, port: int) -> str:
    """Return the server's address for clients."""
    if host in EVERYWHERE:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def greet(address: str, root: RootFolder) -> None:
    """Print the server's address and the variables to export; the token stays in its file."""
    print(f"# {address}/ shows the runs; all data are in {root.path}; Ctrl-C stops the server")
    print("# in another terminal:")
    print(f'export NEPTUNE_API_TOKEN="$(cat {shlex.quote(str(root.token))})"')
    print(f"export NEPTUNE_PROJECT={PROJECT}")
    print("# your own scripts that use the client also need this, since this is plain http:")
    print("export OAUTHLIB_INSECURE_TRANSPORT=1", flush=True)
