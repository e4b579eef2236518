"""A process that imports the large libraries once, and forks itself for each command asked of it.

python -m tests.support.warm_server <number of a listening socket>

It ends when its standard input is closed, as when the tests end, however they do.
"""

import contextlib
import importlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import struct
import sys
import warnings
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("torch", "transformers", "transformers.trainer", "peft", "accelerate", "datasets"),
    *("transformers.models.auto.modeling_auto", "transformers.generation"),
    *("transformers.models.gpt2.modeling_gpt2", "transformers.models.opt.modeling_opt"),
    *("numpy", "scipy.stats", "pydantic", "ruamel.yaml", "jinja2", "tabulate"),
    *("dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.commands.status", "dvc.repo.reproduce"),
    *("dvc.commands.experiments.run", "dvc.output", "dvc.stage.loader", "dvc_data.index"),
    *("git", "dulwich.repo", "pygit2", "scmrepo.git", "hydra"),
    # not the clients themselves: they read variables when they are imported
    *("pandas", "jsonschema", "boto3", "bravado.client", "bravado_core.model", "jwt"),
    *("swagger_spec_validator", "requests_oauthlib", "websocket", "PIL.Image"),
    *("sqlalchemy.orm", "alembic.migration", "fastapi", "scipy.sparse"),
)
"""What the stages, DVC and the services' clients import, and nothing of the project's own."""
LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!i")


def serve(number: int) -> dict[str, Any] | None:
    """Answer until the tests end; return, in a process of its own, each command to be run."""
    with socket.socket(fileno=number) as listener:
        import_libraries()
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


def import_libraries() -> None:
    """Import what takes long; a library that is not installed is left out."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
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
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.executable = command["python"]
    below = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    # each once, as site has them: an editable installation names this checkout's sources too
    sys.path[:] = dict.fromkeys([str(Path.cwd()), *map(os.path.abspath, below), *own_path])
    sys.argv = [command["module"], *command["arguments"]]
    importlib.invalidate_caches()


if __name__ == "__main__":
    os.setpgid(0, 0)
    # what a Python of its own would have: neither this folder nor what a variable names
    named = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    outside = {str(Path.cwd()), *map(os.path.abspath, named)}
    installed = [path for path in sys.path if path not in outside]
    asked = serve(int(sys.argv[1]))
    if asked is not None:
        become(asked, installed)
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
