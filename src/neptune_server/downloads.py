"""Downloads: a single file as it is, or a set as a zip archive that is made while it is sent."""

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, cast

from neptune_server.contents import CHUNK_BYTES, Contents
from neptune_server.paths import paths_above

FIRST_ZIP_YEAR = 1980
LAST_ZIP_YEAR = 2107

FOLDER_ATTRIBUTES = 0o40755 << 16 | 0x10
"""Attributes of a folder for Unix and for MS-DOS."""


class Pieces(io.RawIOBase):
    """A writable file whose bytes are collected piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Return true; it can be neither read nor rewound."""
        return True

    def write(self, data: Any, /) -> int:
        """Append bytes."""
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def file_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield an open file's bytes, then close it."""
    with file:
        while data := file.read(CHUNK_BYTES):
            yield data


def zip_pieces(contents: Contents, files: list[sqlite3.Row], modified: int) -> Iterator[bytes]:
    """Yield a zip archive of a set's files, uncompressed because weights do not compress.

    As in the hosted service's archives, each folder has an entry, and `/` stands for the set.

    Args:
        contents: the files' bytes.
        files: rows of `file`.
        modified: when the set was last changed, in milliseconds since 1970, for the folders.
    """
    pieces = Pieces()
    folders = {f"{folder}/" for row in files for folder in paths_above(row["path"])}
    with zipfile.ZipFile(cast(IO[bytes], pieces), "w") as archive:
        for folder in ("/", *sorted(folders)):
            entry = zipfile.ZipInfo(folder, zip_time(modified))
            entry.external_attr = FOLDER_ATTRIBUTES
            archive.writestr(entry, b"")
        for row in files:
            entry = zipfile.ZipInfo(row["path"], zip_time(row["modified"]))
            entry.file_size = row["size"]
            with contents.open(row["content"]) as source, archive.open(entry, "w") as to:
                while data := source.read(CHUNK_BYTES):
                    to.write(data)
                    yield pieces.take()
        archive.close()
        yield pieces.take()


def zip_time(milliseconds: int) -> tuple[int, int, int, int, int, int]:
    """Return a time in the format of zip archives."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return (
        min(max(moment.year, FIRST_ZIP_YEAR), LAST_ZIP_YEAR),
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
    )
