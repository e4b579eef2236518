"""The folder with all of a server's data, and the secrets and settings in it.

The server writes and deletes only in a folder that has its marker. It puts the marker into folders
that it creates or finds empty, and into folders with a database of its own, which an older version
left without a marker. It refuses all others.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neptune_server.database import is_own, stored_version
from neptune_server.errors import StartError
from neptune_server.schema import SCHEMA_VERSION

MARKER = ".neptune-server"
MARKER_TEXT = """\
This folder belongs to `vestibular neptune-server`, which deletes files that it does not need from
the folder `contents`. Put nothing else there. A copy of the whole folder is a backup.
"""

SECRET_BYTES = 32
MOST_PORT = 65_535
OTHERS = 0o077
"""Permissions of everyone but the owner."""


@dataclass(frozen=True)
class Settings:
    """Settings that stay the same when the server restarts."""

    port: int
    """TCP port; 0 until one has been chosen."""
    api_key: str
    """Secret that the API token holds."""
    signing_key: str
    """Key with which the server signs access tokens."""

    def __post_init__(self) -> None:
        """Check the values read from a file.

        Raises:
            ValueError: a value is invalid.
        """
        if type(self.port) is not int or not 0 <= self.port <= MOST_PORT:
            raise ValueError("no port")
        for key in (self.api_key, self.signing_key):
            if not isinstance(key, str) or len(key) < SECRET_BYTES or not key.isascii():
                raise ValueError("no key")

    @classmethod
    def new(cls, port: int) -> "Settings":
        """Return settings with new random secrets."""
        return cls(port, secrets.token_hex(SECRET_BYTES), secrets.token_hex(SECRET_BYTES))


class RootFolder:
    """The paths within a server's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.marker = self.path / MARKER
        self.database = self.path / "neptune.sqlite"
        self.contents = self.path / "contents"
        self.token = self.path / "token"
        self.lock = self.path / "lock"
        self._settings = self.path / "server.json"

    @property
    def write_ahead_log(self) -> Path:
        """SQLite's file for changes that are not yet in the database file."""
        return self.database.with_name(f"{self.database.name}-wal")

    def places(self) -> list[Path]:
        """Return all paths that a server writes, except contents and temporary files."""
        ends = ("-shm", "-wal", "-journal")
        database = [self.database.with_name(self.database.name + end) for end in ends]
        own = [self.marker, self.database, self.contents, self.token, self.lock, self._settings]
        return [*own, *database]

    def read_settings(self) -> Settings | None:
        """Return the settings of the last start.

        Raises:
            StartError: the file is damaged.
        """
        try:
            return Settings(**json.loads(self._settings.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, RecursionError):
            raise StartError(
                f"{self._settings}: not a server's settings; remove it to get a new token"
            ) from None

    def write_settings(self, settings: Settings) -> None:
        """Store the settings for the next start, readable only by their owner."""
        write_secret(self._settings, json.dumps(settings.__dict__, indent=2) + "\n")


def write_secret(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it at any time."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
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
    """Create the folder if it is missing, and lock it against other servers.

    Raises:
        StartError: the folder is not the server's, is not writable, or another server uses it.
    """
    root = RootFolder(path)
    try:
        root.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        check(root)
        mark(root)
        lock = os.open(root.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            f"{path}: {(error.strerror or 'cannot be used').lower()}; "
            "name a writable folder with --root"
        ) from None
    with os.fdopen(lock, "a"):
        try:
            # the system releases the lock when the process ends, for whatever reason
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"{path}: another server uses this folder; name another one with --root"
            ) from None
        root.contents.mkdir(exist_ok=True, mode=0o700)
        tighten(root)
        yield root


def check(root: RootFolder) -> None:
    """Check, without changing anything, that the folder is the server's.

    Raises:
        StartError: the folder is not the server's, or is damaged.
    """
    for place in root.places():
        if place.is_symlink():
            raise StartError(
                f"{place}: is a link, and the server writes nothing outside its folder; "
                "name another folder with --root"
            )
    version = stored_version(root.database, root.write_ahead_log)
    if version > SCHEMA_VERSION:
        raise StartError(
            f"{root.database}: written by a later version of this server "
            f"({version}, this one supports {SCHEMA_VERSION}); name another folder with --root"
        )
    if is_filled(root.path) and not root.marker.is_file() and not is_own(root.database):
        raise StartError(
            f"{root.path}: not empty, and not a folder of this server; "
            "name an empty or new folder with --root"
        )
    if not version and (root.write_ahead_log.exists() or is_filled(root.contents)):
        raise StartError(
            f"{root.database}: missing or empty, although the folder holds data that belong to it; "
            "restore the database, or name another folder with --root"
        )


def is_filled(folder: Path) -> bool:
    """Return whether a folder exists and is not empty."""
    with contextlib.suppress(FileNotFoundError):
        return any(folder.iterdir())
    return False


def mark(root: RootFolder) -> None:
    """Put the server's marker into the folder."""
    with contextlib.suppress(FileExistsError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(root.marker, flags, 0o600), "w") as file:
            file.write(MARKER_TEXT)


def tighten(root: RootFolder) -> None:
    """Remove the permissions of everyone but the owner, and print where this was needed."""
    for place in (root.path, *root.places()):
        try:
            mode = stat.S_IMODE(place.lstat().st_mode)
            if mode & OTHERS:
                place.chmod(mode & ~OTHERS)
                print(f"{place}: was open to others, is now private", file=sys.stderr)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EROFS):
                raise
            print(f"{place}: open to others; its permissions cannot be changed", file=sys.stderr)
