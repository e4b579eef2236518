"""What the commands `python`, `dvc` and `vestibular` are while the tests' warm server runs.

A copy of this file, below a line that names its Python, is each of them; beside their folder lies
`warm.json`, which says what is asked of the server and where it listens.
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path


def main() -> None:
    """Ask the server for the command, or run it as if there were none."""
    place = Path(sys.argv[0]).absolute()
    known = json.loads((place.parent.parent / "warm.json").read_bytes())
    command = sys.argv[1:] if place.name == "python" else ["-m", place.name, *sys.argv[1:]]
    unbuffered = command[:1] == ["-u"]
    asking = command[unbuffered:]
    is_warm = (
        asking[:1] == ["-m"]
        and asking[1].startswith(tuple(known["modules"]))
        and variables(known["read"], known["set"]) == known["variables"]
    )
    if not is_warm:
        os.execv(known["python"], [known["python"], *command])  # noqa: S606
    asked = {
        "module": asking[1],
        "arguments": asking[2:],
        "unbuffered": unbuffered,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "python": str(place.with_name("python")),
        "leads": os.getsid(0) == os.getpid(),
        # of all limits the tests set this one alone
        "file_bytes": resource.getrlimit(resource.RLIMIT_FSIZE),
    }
    status = ask(known["socket"], json.dumps(asked).encode())
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def variables(read: list[str], known: dict[str, str]) -> dict[str, str]:
    """Return the variables whose names begin so: the libraries read them once.

    Left out are those that are set as the server has them.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(tuple(read)) and known.get(name) != value
    }


def ask(address: str, request: bytes) -> int:
    """Have a command run on this process's own files; return its status, negative for a signal."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [struct.pack("!I", len(request))], [0, 1, 2])
        server.sendall(request)
        (pid,) = struct.unpack("!i", server.recv(4, socket.MSG_WAITALL))
        if "WARM_NUMBER" in os.environ:
            Path(os.environ["WARM_NUMBER"]).write_text(str(pid), encoding="utf-8")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        (status,) = struct.unpack("!i", server.recv(4, socket.MSG_WAITALL))
    return int(status)


if __name__ == "__main__":
    main()
