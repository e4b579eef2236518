"""A process that imports the large libraries once, and forks itself for each command asked of it.

python -m tests.support.warm_server <number of a listening socket> [--light]

It ends when its standard input is closed, as when the tests end, however they do.
"""

import atexit
import contextlib
import gc
import importlib
import json
import logging
import os
import resource
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAVY = (
    *("torch", "transformers", "transformers.trainer", "peft", "accelerate", "datasets"),
    *("transformers.models.auto.modeling_auto", "transformers.generation"),
    *("transformers.models.gpt2.modeling_gpt2", "transformers.models.opt.modeling_opt"),
)
"""What the stages that train and answer import."""
LIBRARIES = (
    *("numpy", "scipy.stats", "pydantic", "ruamel.yaml", "jinja2", "tabulate"),
    *("dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.commands.status", "dvc.repo.reproduce"),
    *("dvc.commands.experiments.run", "dvc.output", "dvc.stage.loader", "dvc_data.index"),
    *("git", "dulwich.repo", "pygit2", "scmrepo.git", "hydra", "gto.api"),
    *("pyarrow.parquet", "re2", "regex", "psutil", "tqdm", "httpx2", "huggingface_hub.errors"),
    # not the clients themselves: they read variables when they are imported
    *("pandas", "jsonschema", "boto3", "bravado.client", "bravado_core.model", "jwt"),
    *("swagger_spec_validator", "requests_oauthlib", "websocket", "PIL.Image"),
    *("sqlalchemy.orm", "alembic.migration", "fastapi", "scipy.sparse"),
    # what the local server of Neptune's and the wheels are made with
    *("starlette.applications", "uvicorn", "sqlite3", "hatchling.builders.wheel"),
)
"""What all stages, DVC and the services' clients import, and nothing of the project's own."""
LAUNCHER = "VESTIBULAR_LAUNCHER"
"""The variable of a training's processes with the number of who has started them."""
LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!i")


def serve(number: int, light: bool) -> dict[str, Any] | None:
    """Answer until the tests end; return, in a process of its own, each command to be run."""
    with socket.socket(fileno=number) as listener:
        import_libraries(LIBRARIES if light else HEAVY + LIBRARIES)
        # what is never looked at again is shared with all forks
        gc.collect()
        gc.freeze()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            if sys.stdin in ready:
                return None
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return attend(connection)
            connection.close()


def import_libraries(names: Sequence[str]) -> None:
    """Import what takes long; a library that is not installed is left out."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def attend(connection: socket.socket) -> dict[str, Any] | None:
    """Take one command, fork once more, and tell how that ends; the fork returns the command."""
    first, files, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
    (length,) = LENGTH.unpack(first)
    request = b""
    while len(request) < length:
        request += connection.recv(length - len(request))
    command: dict[str, Any] = json.loads(request)
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        if command["leads"]:
            os.setsid()
        return command
    # whoever reads what the tests print is not to wait for this process
    for file in (*files, 1, 2):
        os.close(file)
    connection.sendall(STATUS.pack(pid))
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([connection, ended], [], [])
    if ended not in ready:
        # who asked was killed, and with the leader of a session all of it
        (os.killpg if command["leads"] else os.kill)(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(STATUS.pack(status))
    # neither what was registered for the server's end nor the server's own files are this one's
    os._exit(0)


def become(command: dict[str, Any], own_path: list[str]) -> None:
    """Make this process what a Python is that was started with a command."""
    os.chdir(command["folder"])
    resource.setrlimit(resource.RLIMIT_FSIZE, tuple(command["file_bytes"]))
    os.environ.clear()
    os.environ.update(command["environment"])
    if LAUNCHER in os.environ:
        # by it a process knows whether who started it is still there
        os.environ[LAUNCHER] = str(os.getppid())
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=command["unbuffered"])  # type: ignore[union-attr]
    sys.executable = command["python"]
    find_configuration_of_git()
    below = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    # each once, as site has them: an editable installation names this checkout's sources too
    sys.path[:] = dict.fromkeys([str(Path.cwd()), *map(os.path.abspath, below), *own_path])
    sys.argv = [command["module"], *command["arguments"]]
    sys.orig_argv = [command["python"], "-m", *sys.argv]
    importlib.invalidate_caches()


def find_configuration_of_git() -> None:
    """Let libgit2 look for its files where they are now: it has read the variables once."""
    import pygit2
    from pygit2.enums import ConfigLevel

    home = Path.home()
    place = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = str(home)
    pygit2.settings.search_path[ConfigLevel.XDG] = str(place)


def run(module: str) -> None:
    """Run a module and end as Python does, but for taking all libraries apart: that takes long."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            print(ended.code, file=sys.stderr)
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    # all that Python does before it takes itself apart
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    os.setpgid(0, 0)
    # what a Python of its own would have: neither this folder nor what a variable names
    named = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    outside = {str(Path.cwd()), *map(os.path.abspath, named)}
    installed = [path for path in sys.path if path not in outside]
    asked = serve(int(sys.argv[1]), "--light" in sys.argv)
    if asked is not None:
        become(asked, installed)
        run(asked["module"])
