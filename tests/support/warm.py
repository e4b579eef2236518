"""Commands whose Python has the large libraries imported already.

To import torch, transformers and peft takes a stage longer than its work on the tests' few
questions, and the tests run hundreds of stages. Here a command named `python`, `dvc` or
`vestibular` (`warm_client`) asks a server (`warm_server`), which has imported these libraries and
nothing of the project's, for a fork of itself. What the project has is imported anew in each
process, from the folder and with the variables of the command; what is killed is killed, what
exits exits.

Not asked, but run as ever: other modules, `-c`, and every command whose variables for the libraries
are not those that the server began with.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support import warm_client
from tests.support.commands import ROOT, warm_commands
from vestibular.core.environment import FIXED, PORTABLE

MODULES = ("dvc", "vestibular", "stages.", "tests.support.program")
"""What is run warm: the modules whose names begin so."""
READ_AT_IMPORT = (
    *("HF_", "HUGGING", "TRANSFORMERS_", "TOKENIZERS_", "TORCH", "PYTORCH_", "CUDA_", "BNB_"),
    *("OMP_", "OPENBLAS_", "MKL_", "ATEN_", "ONEDNN_", "CUBLAS_", "USE_", "LD_"),
    *("PYTHONHASHSEED", "PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONUTF8", "PYTHONIOENCODING"),
    *("PYTHONUNBUFFERED", "PYTHONOPTIMIZE", "LANG", "LC_", "HOME", "XDG_", "GIT_"),
)
"""How variables begin that Python and the libraries read once."""


class Warm:
    """The server and the folder of the commands that ask it."""

    def __init__(self) -> None:
        """Start the server; a command that comes too early waits for it."""
        # a socket's path has to be short
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        address = self._folder / "socket"
        known = {
            "python": sys.executable,
            "socket": str(address),
            "modules": MODULES,
            "read": READ_AT_IMPORT,
            "variables": warm_client.variables(list(READ_AT_IMPORT)),
        }
        (self._folder / "warm.json").write_text(json.dumps(known), encoding="utf-8")
        client = Path(warm_client.__file__).read_text(encoding="utf-8")
        self.commands = self._folder / "bin"
        self.commands.mkdir()
        for name in ("python", "dvc", "vestibular"):
            path = self.commands / name
            path.write_text(f"#!{sys.executable} -IS\n{client}", encoding="utf-8")
            path.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen(64)
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_server", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                # as a stage sets them before it imports torch: all bases here are small
                env={**os.environ, **FIXED, **PORTABLE},
                pass_fds=[listener.fileno()],
            )

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        shutil.rmtree(self._folder)


@contextlib.contextmanager
def warmed(server: Warm | None) -> Iterator[None]:
    """Let commands ask the server, if there is one, until the end of a block."""
    before = warm_commands.copy()
    warm_commands[:] = [server.commands] if server else []
    try:
        yield
    finally:
        warm_commands[:] = before
