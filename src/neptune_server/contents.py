"""The bytes of files on the disk, under random names that the server chooses."""

import contextlib
import errno
import os
import uuid
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO, Protocol, cast

CHUNK_BYTES = 1024 * 1024


class Readable(Protocol):
    """A source of bytes that is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


class Contents:
    """A folder of contents; a client's own names of its files are stored only in the database.

    No name that a client sends can therefore lead outside the folder. The folder itself is opened
    once: neither a link in its place nor a link within it is followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle = os.open(folder, flags)

    def create(self) -> tuple[str, BinaryIO]:
        """Return a new content's name and its empty file, open for reading and writing."""
        name = uuid.uuid4().hex
        return name, self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, "w+b")

    def open(self, name: str) -> BinaryIO:
        """Return a content's file, open for reading."""
        return self._open(name, os.O_RDONLY, "rb")

    def update(self, name: str) -> BinaryIO:
        """Return a content's file, open for writing at any offset."""
        return self._open(name, os.O_RDWR, "r+b")

    def _open(self, name: str, flags: int, mode: str) -> BinaryIO:
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(checked(name), flags, 0o600, dir_fd=self._handle)
        return cast(BinaryIO, os.fdopen(descriptor, mode))

    def receive(self, source: Readable) -> tuple[str, int]:
        """Store all bytes of a source; return the content's name and size in bytes."""
        name, file = self.create()
        try:
            with file:
                size = copy(source, file)
                self.keep(file)
        except BaseException:
            self.remove(name)
            raise
        return name, size

    def keep(self, file: BinaryIO) -> None:
        """Close a content's file after its bytes and its name are safely on the disk."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.fsync(self._handle)

    def remove(self, name: str) -> None:
        """Remove a content; readers that have it open can still read to its end."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(checked(name), dir_fd=self._handle)

    def sweep(self, kept: AbstractSet[str]) -> int:
        """Remove what a killed server left behind: contents that no row names.

        Returns:
            number of files that the server cannot have written; they stay.
        """
        foreign = 0
        with os.scandir(self._handle) as entries:
            found = [(entry.name, entry.is_file(follow_symlinks=False)) for entry in entries]
        for name, is_file in found:
            if not is_file or not is_drawn(name):
                foreign += 1
            elif name not in kept:
                self.remove(name)
        return foreign

    def close(self) -> None:
        """Close the folder."""
        os.close(self._handle)


def is_drawn(name: str) -> bool:
    """Return whether `Contents.create` could have chosen a name."""
    try:
        drawn = uuid.UUID(name)
    except ValueError:
        return False
    return drawn.version == 4 and drawn.hex == name


def checked(name: str) -> str:
    """Return the name of a content.

    Raises:
        FileNotFoundError: the database holds a name that the server cannot have chosen.
    """
    if not is_drawn(name):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return name


def copy(source: Readable, target: BinaryIO) -> int:
    """Copy all bytes and return their number."""
    size = 0
    while data := source.read(CHUNK_BYTES):
        target.write(data)
        size += len(data)
    return size
