"""Reading of compressed tar archives from clients, which may be malicious."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Self, cast

from neptune_server.contents import Readable
from neptune_server.errors import RequestError, bad_request
from neptune_server.paths import check_path

LARGEST_TAR = 64 * 1024 * 1024
"""Largest unpacked size of an archive in bytes; the client packs five million."""

MOST_ENTRIES = 1000
"""Largest number of entries of any kind in an archive; the client packs five hundred."""

BROKEN = (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError, MemoryError)
"""Exceptions that Python raises for invalid headers and sizes."""


END: type[tarfile.HeaderError] = vars(tarfile)["EOFHeaderError"]
"""Python's exception at an archive's end; it has no type stub."""


class StrictHeader(tarfile.TarInfo):
    """Header whose errors do not count as an archive's end, so that later files are not lost."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Read the next header.

        Raises:
            tarfile.ReadError: there is neither a valid header nor the archive's end.
        """
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if type(error) is END:
                raise
            raise tarfile.ReadError(str(error)) from None


class Bounded:
    """A stream that stops when the unpacked archive, headers included, becomes too large."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._left = LARGEST_TAR

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes.

        Raises:
            RequestError: the archive is too large.
        """
        data = self._source.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise bad_request(f"the archive unpacks to more than {LARGEST_TAR:,} bytes")
        return data


class Entry:
    """A file of an archive that may turn out to be broken while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes.

        Raises:
            RequestError: the archive is broken.
        """
        try:
            return self._file.read(size)
        except BROKEN:
            raise no_archive() from None


def small_files(packed: IO[bytes]) -> Iterator[tuple[str, Readable]]:
    """Yield an archive's files with their paths; each must be read before the next.

    Raises:
        FieldError: a path is invalid.
        RequestError: the data are not such an archive, or it is too large.
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
                # a sparse file is larger than its data in the archive
                if entry.size < 0 or entry.size > LARGEST_TAR or entry.issparse():
                    raise bad_request("a file of the archive has an impossible size")
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None:
                    yield check_path(entry.name), Entry(file)
    except BROKEN:
        raise no_archive() from None
    except OSError as error:
        # gzip's format errors have no number, the disk's errors have one
        if error.errno is not None:
            raise
        raise no_archive() from None


def no_archive() -> RequestError:
    """Return the refusal of data that cannot be unpacked."""
    return bad_request("not a compressed tar archive")
