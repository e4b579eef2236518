"""Commands whose Python has the large libraries imported already.

To import torch, transformers and peft takes a stage longer than its work on the tests' few
questions, and the tests run hundreds of stages. Here a command named `python`, `dvc` or
`vestibular` (`warm_client`) asks a server (`warm_server`), which has imported these libraries and
nothing of the project's, for a fork of itself. What the project has is imported anew in each
process, from the folder and with the variables of the command; what is killed is killed, what
exits exits. Who sets `WARM_NUMBER` finds the number of the process that does the work in that file.

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
from tests.support.commands import PYTHON, ROOT, warm_commands
from vestibular.core.environment import FIXED, PORTABLE

MODULES = (
    *("dvc", "vestibular", "stages.", "neptune_server"),
    *("tests.support.program", "tests.support.trained_together"),
)
"""What is run warm: the modules whose names begin so."""
READ_AT_IMPORT = (
    # not all that begin with TORCH: to import peft sets one, and every command after it was cold
    *("HF_", "HUGGING", "TRANSFORMERS_", "TOKENIZERS_", "TORCH_", "PYTORCH_", "CUDA_", "BNB_"),
    *("OMP_", "OPENBLAS_", "MKL_", "ATEN_", "ONEDNN_", "CUBLAS_", "USE_", "LD_"),
    *("PYTHONHASHSEED", "PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONUTF8", "PYTHONIOENCODING"),
    *("PYTHONUNBUFFERED", "PYTHONOPTIMIZE", "LANG", "LC_", "GIT_PYTHON_"),
)
"""How variables begin that Python and the libraries read once."""
SET = {**FIXED, **PORTABLE, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_VERBOSITY": "error"}
"""What the project's commands set before they import the libraries; all bases here are small."""
COMMANDS = "WARM_COMMANDS"
"""The variable that says where the commands lie, to all of xdist's processes."""


class Warm:
    """The server and the folder of the commands that ask it."""

    def __init__(self, *, light: bool = False) -> None:
        """Start the server, and say where its commands are; what comes too early waits for it.

        Args:
            light: let it import what the tests that need no torch need, and not what takes longest.
        """
        # a socket's path has to be short
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        address = self._folder / "socket"
        known = {
            "python": PYTHON,
            "socket": str(address),
            "modules": MODULES,
            "read": READ_AT_IMPORT,
            "set": SET,
            "variables": warm_client.variables(list(READ_AT_IMPORT), {}),
        }
        (self._folder / "warm.json").write_text(json.dumps(known), encoding="utf-8")
        client = Path(warm_client.__file__).read_text(encoding="utf-8")
        commands = self._folder / "bin"
        commands.mkdir()
        os.environ[COMMANDS] = str(commands)
        for name in ("python", "dvc", "vestibular"):
            path = commands / name
            path.write_text(f"#!{PYTHON} -IS\n{client}", encoding="utf-8")
            path.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen(64)
            self._server = subprocess.Popen(
                [PYTHON, "-m", "tests.support.warm_server", str(listener.fileno())]
                + ["--light"] * light,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **SET},
                pass_fds=[listener.fileno()],
            )

    def close(self) -> None:
        """End the server."""
        del os.environ[COMMANDS]
        self._server.kill()
        self._server.communicate()
        shutil.rmtree(self._folder)


@contextlib.contextmanager
def warmed() -> Iterator[None]:
    """Let commands ask the server until the end of a block, those too that tested code starts."""
    if COMMANDS not in os.environ:
        yield
        return
    python, folder = sys.executable, Path(os.environ[COMMANDS])
    warm_commands.append(folder)
    sys.executable = str(folder / "python")
    try:
        yield
    finally:
        warm_commands.clear()
        sys.executable = python
