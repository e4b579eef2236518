"""Files' bytes on the disk, under names that the server draws itself."""

import os
import uuid
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1024 * 1024


class Readable(Protocol):
    """What bytes can be read from, a part at a time."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""


class Contents:
    """A folder of contents. What a client calls its files stays in the database.

    So no name that a client sends can lead outside the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return where a content lies."""
        return self.folder / name

    def create(self) -> tuple[str, BinaryIO]:
        """Return a new content's name and its empty file, open for reading and writing."""
        name = uuid.uuid4().hex
        return name, self.path(name).open("x+b")

    def receive(self, source: Readable) -> tuple[str, int]:
        """Write all of a source and return the content's name and size in bytes."""
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
        """Close a content's file once its bytes and its name are on the disk."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        """Remove a content; who is reading it still reads to its end."""
        self.path(name).unlink(missing_ok=True)

    def sweep(self, kept: AbstractSet[str]) -> None:
        """Remove what a killed server left behind: contents that no row names."""
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()


def copy(source: Readable, target: BinaryIO) -> int:
    """Copy to the end and return the bytes that were copied."""
    size = 0
    while data := source.read(CHUNK_BYTES):
        target.write(data)
        size += len(data)
    return size
