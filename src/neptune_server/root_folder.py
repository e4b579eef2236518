"""The folder that holds all of a server's data, and the secrets and settings within it."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neptune_server.errors import StartError

SECRET_BYTES = 32


@dataclass(frozen=True)
class Settings:
    """What stays the same when the server is started again."""

    port: int
    """TCP port; 0 until one has been chosen."""
    api_key: str
    """What a client shows to be let in."""
    signing_key: str
    """What the server signs its access tokens with."""

    @classmethod
    def new(cls, port: int) -> "Settings":
        """Draw new secrets."""
        return cls(port, secrets.token_hex(SECRET_BYTES), secrets.token_hex(SECRET_BYTES))


class RootFolder:
    """The places within a root."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "neptune.sqlite"
        self.contents = self.path / "contents"
        self.token = self.path / "token"
        self._settings = self.path / "server.json"

    def read_settings(self) -> Settings | None:
        """Return the settings of the last start.

        Raises:
            StartError: the file is damaged.
        """
        try:
            return Settings(**json.loads(self._settings.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise StartError(
                f"{self._settings}: not a server's settings; remove it to get a new token"
            ) from None

    def write_settings(self, settings: Settings) -> None:
        """Keep the settings for the next start, readable by their owner alone."""
        write_secret(self._settings, json.dumps(settings.__dict__, indent=2) + "\n")


def write_secret(path: Path, text: str) -> None:
    """Replace a file as a whole; nobody but its owner can read it at any time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


@contextlib.contextmanager
def open_root(path: Path) -> Iterator[RootFolder]:
    """Make the folder where it is missing, and keep other servers out of it.

    Raises:
        StartError: the folder cannot be written, or another server uses it.
    """
    root = RootFolder(path)
    try:
        root.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        root.contents.mkdir(exist_ok=True, mode=0o700)
        lock = (root.path / "lock").open("a")
    except OSError as error:
        raise StartError(
            f"{path}: {(error.strerror or 'cannot be used').lower()}; "
            "name a folder that can be written with --root"
        ) from None
    with lock:
        try:
            # the system lets go of it however the process ends
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"{path}: another server uses this folder; name another one with --root"
            ) from None
        yield root
