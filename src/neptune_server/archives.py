"""Compressed tar archives on their way in, whoever made them."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Self, cast

from neptune_server.contents import Readable
from neptune_server.errors import RequestError, bad_request
from neptune_server.paths import check_path

LARGEST_TAR = 64 * 1024 * 1024
"""Bytes that an archive of small files may unpack to; the client packs five million."""

MOST_ENTRIES = 1000
"""Files, folders and whatever else an archive holds; the client packs five hundred."""

BROKEN = (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError, MemoryError)
"""What Python's own reading of headers and sizes that make no sense ends in."""


END: type[tarfile.HeaderError] = vars(tarfile)["EOFHeaderError"]
"""What Python finds at an archive's end; it has no stub."""


class StrictHeader(tarfile.TarInfo):
    """A header that makes no sense is no end of an archive: what follows it would be lost."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Read the next header.

        Raises:
            tarfile.ReadError: there is none, and no end either.
        """
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if type(error) is END:
                raise
            raise tarfile.ReadError(str(error)) from None


class Bounded:
    """A stream that breaks off where an archive unpacks to too much, headers and all."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._left = LARGEST_TAR

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes.

        Raises:
            RequestError: they are too many, all together.
        """
        data = self._source.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise bad_request(f"the archive unpacks to more than {LARGEST_TAR:,} bytes")
        return data


class Entry:
    """A file of an archive, whose reading may find the archive broken."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes.

        Raises:
            RequestError: the archive is broken.
        """
        try:
            return self._file.read(size)
        except BROKEN:
            raise no_archive() from None


def small_files(packed: IO[bytes]) -> Iterator[tuple[str, Readable]]:
    """Give an archive's files with their paths, each to be read before the next.

    Raises:
        FieldError: a path is impossible.
        RequestError: it is no such archive, or too large.
    """
    try:
        with (
            gzip.open(packed) as unpacked,
            tarfile.open(
                fileobj=cast(Any, Bounded(unpacked)), mode="r|", tarinfo=StrictHeader
            ) as archive,
        ):
            for number, entry in enumerate(archive, 1):
                if number > MOST_ENTRIES:
                    raise bad_request(f"the archive has more than {MOST_ENTRIES:,} entries")
                # a sparse file is larger than what the archive holds of it
                if entry.size < 0 or entry.size > LARGEST_TAR or entry.issparse():
                    raise bad_request("a file of the archive has an impossible size")
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None:
                    yield check_path(entry.name), Entry(file)
    except BROKEN:
        raise no_archive() from None
    except OSError as error:
        # gzip's, of the format; the disk's have a number
        if error.errno is not None:
            raise
        raise no_archive() from None


def no_archive() -> RequestError:
    """Return the refusal of what cannot be unpacked."""
    return bad_request("not a compressed tar archive")
