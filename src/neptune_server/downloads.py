"""Files on their way out: one as it is, or a set as a zip archive that is made while it is sent."""

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, cast

from neptune_server.contents import CHUNK_BYTES, Contents

FIRST_ZIP_YEAR = 1980


class Pieces(io.RawIOBase):
    """A file to be written whose bytes are taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It can be written, and neither read nor wound back."""
        return True

    def write(self, data: Any, /) -> int:
        """Take bytes in."""
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def file_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield an open file's bytes and close it."""
    with file:
        while data := file.read(CHUNK_BYTES):
            yield data


def zip_pieces(contents: Contents, files: list[sqlite3.Row]) -> Iterator[bytes]:
    """Yield a zip archive of a set's files, uncompressed: weights do not shrink."""
    pieces = Pieces()
    with zipfile.ZipFile(cast(IO[bytes], pieces), "w") as archive:
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
    """Return a time as zip archives have it."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return (
        max(moment.year, FIRST_ZIP_YEAR),
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
    )
