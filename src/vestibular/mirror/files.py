"""Files made by a run: their hashes, and their current places."""

import functools
from pathlib import Path

from vestibular.core.dvc_cache import cached_object
from vestibular.core.files import file_md5, folder_sha256
from vestibular.mirror.records import File


def as_file(path: Path) -> File:
    """Return a file as it is here."""
    return File(path, _md5(path))


def _md5(path: Path) -> str:
    state = path.stat()
    return _md5_of(path, state.st_mtime_ns, state.st_size)


@functools.cache
def _md5_of(path: Path, _time: int, _size: int) -> str:
    return file_md5(path)


def folder_mark(folder: Path) -> str:
    """Return `folder_sha256`, computed again only if a file's time or size has changed."""
    states = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return _folder_mark(
        folder, tuple((path, state.st_mtime_ns, state.st_size) for path, state in states)
    )


@functools.cache
def _folder_mark(folder: Path, _files: tuple[tuple[Path, int, int], ...]) -> str:
    return folder_sha256(folder)


def find_file(file: File) -> Path | None:
    """Return the current place of a run's file: the original or DVC's cache; None if it is gone."""
    if file.path.is_file() and _md5(file.path) == file.md5:
        return file.path
    return cached_object(file.md5)
